"""Cases that users stated in public: memory, time and legality as they had them, or a reason in the documents why not yet."""

import tomllib
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

import tianji
from tianji.api.answer import Answer
from tianji.errors import IllegalStrategyError, InputError
from tianji.exporters.launch_reader.launches import read_launch

FILE = Path(__file__).with_name("cases.toml")
PAGE = Path(__file__).parents[2] / "docs" / "cases.md"
CASES: dict[str, dict[str, Any]] = tomllib.loads(FILE.read_text(encoding="utf-8"))
GIB = 2.0**30


SIZES = "--hidden-size 4096 --num-attention-heads 32 --seq-length 4096 --micro-batch-size 1 --vocab-size 32000"


def read_options(options: str) -> str:
    """Return what a launch with some options would stop at; empty where it runs."""
    with TemporaryDirectory() as folder:
        file = Path(folder, "launch.sh")
        file.write_text(f"torchrun --nproc_per_node 8 --nnodes 8 pretrain_gpt.py {SIZES} {options}\n", encoding="utf-8")
        try:
            broken = read_launch(file).broken
        except InputError as error:
            return str(error)
    return next((text for text in broken if text.startswith("would stop")), "")


@cache
def answer(name: str) -> Answer[Any] | str:
    case = CASES[name]
    if "options_of_megatron" in case:
        return read_options(case["options_of_megatron"])
    try:
        return tianji.predict(case["model"], case["pool"], **case["options"])
    except IllegalStrategyError as error:
        return str(error)


def judge(name: str) -> list[str]:
    """Return in what the answer differs from the fact; empty where it is right."""
    case, given = CASES[name], answer(name)
    fact = case["fact"]
    if isinstance(given, str):
        return [] if bool(given) is not fact["legal"] else [given or "taken as legal"]
    result, wrong = given.result, []
    if fact.get("legal") is False:
        wrong.append("taken as legal")
    if "fits" in fact and result.fits is not fact["fits"]:
        wrong.append(f"{result.memory_total / GIB:.1f} of {result.memory_limit / GIB:.1f} GiB")
    if "memory_gib" in fact and abs(result.memory_total / GIB / fact["memory_gib"] - 1) > case["tolerance"]:
        wrong.append(f"{result.memory_total / GIB:.1f} GiB for {fact['memory_gib']}")
    step = result.step_time
    if "step_s" in fact and not step.low <= fact["step_s"] <= step.high:
        wrong.append(f"{step.nominal:.3g} s [{step.low:.3g}, {step.high:.3g}] for {fact['step_s']}")
    return wrong


@pytest.mark.parametrize("name", CASES)
def test_the_answer_is_what_the_user_saw(name: str) -> None:
    wrong = judge(name)
    if wrong and "reason" in CASES[name]:
        pytest.xfail(f"{CASES[name]['reason']} ({'; '.join(wrong)})")
    assert not wrong


def test_every_case_has_its_source_and_a_fact() -> None:
    for name, case in CASES.items():
        assert case["source"].startswith("https://"), name
        assert case["fact"].keys() <= {"fits", "memory_gib", "step_s", "legal"}, name
        assert ("memory_gib" in case["fact"]) == ("tolerance" in case), name


def test_the_page_lists_every_case() -> None:
    page = PAGE.read_text(encoding="utf-8")
    missing = [name for name, case in CASES.items() if f"| {name} |" not in page or case.get("reason", "") not in page]
    assert not missing, "run docs/generators/cases.py"
