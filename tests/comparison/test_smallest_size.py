"""The smallest number of chips is one where a plan fits, none below it does, and more chips leave more free."""

import json
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

import tianji
from samples import CHIP, DENSE, figure, job, pool
from tianji.cli import main
from tianji.comparison.smallest_size import SmallestSize, fast_search, find_smallest_size, ladder, least_bytes
from tianji.errors import FormatError, UnknownNameError
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.hardware.constants import Constants
from tianji.perf.memory import usable_memory
from tianji.units import MB
from tianji.workload import Job, make_task

SMALL = replace(CHIP, memory=figure(60 * MB))
HELD = Calibration(chips={CHIP.name: Constants()})
SEARCH = fast_search(HELD, 0.0)


def find(work: Job, place: Pool, margin: float = 0.0) -> SmallestSize:
    return find_smallest_size(work, place, fast_search(HELD, margin), 64)


@pytest.mark.parametrize("task", ["sft", "lora", "qlora"])
def test_it_fits_and_nothing_smaller_does(task: str) -> None:
    work, place = replace(job(seq_len=256), task=make_task(task)), pool(chip=SMALL)
    found = find(work, place)
    first = found.results[0]
    assert first.fits
    smaller = [n for n in ladder(place, 64) if n < first.plan.strategy.chips]
    for chips in smaller:
        with pytest.raises(tianji.InfeasibleError):
            SEARCH(work, place.with_chips(chips), {})
    assert [r.plan.strategy.chips for r in found.results[1:]] == [
        2 * first.plan.strategy.chips,
        4 * first.plan.strategy.chips,
    ]
    assert first.plan.strategy.chips * usable_memory(place) >= least_bytes(work)


def test_adapters_need_no_more_chips_than_all_weights_and_a_margin_no_fewer() -> None:
    place, work = pool(chip=SMALL), job(seq_len=256)
    sft, lora, qlora = (find(replace(work, task=make_task(t)), place) for t in ("sft", "lora", "qlora"))
    sizes = [found.results[0].plan.strategy.chips for found in (qlora, lora, sft, find(work, place, 0.3))]
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1]


def test_what_fewer_chips_would_take_is_said() -> None:
    place = pool(chip=SMALL)
    found = find(job(replace(DENSE, vocab_size=256), seq_len=128), place)
    assert {saving.chips for saving in found.savings} == {
        max(n for n in ladder(place, 64) if n < found.results[0].plan.strategy.chips)
    }
    assert ["offload" in found.savings[0].what, "8 bits" in found.savings[2].what] == [True, True]
    for saving in found.savings:
        assert (saving.result is None) == bool(saving.reason)
        assert saving.result is None or saving.result.fits


def test_none_is_an_answer_with_its_reason() -> None:
    tiny = pool(chip=replace(CHIP, memory=figure(0.1 * MB)))
    assert find(job(), tiny) == SmallestSize(job(), tiny, "", (), reason="no plan fits up to 64 chips")


def test_a_framework_answers_for_what_it_trains() -> None:
    answer = tianji.smallest("llama-3.1-8b", "hgx-h100", tasks="lora", runs_on="megatron", batch=8, seq=1024, most=8)
    free, megatron = json.loads(answer.to_json())["answers"]
    assert (free["chips"], megatron["chips"]) == (1, None)
    assert "task lora" in megatron["reason"]


def test_a_trainer_answers_where_its_cross_entropy_is_asked_for() -> None:
    sizes: dict[str, Any] = {"tasks": "lora", "runs_on": "llama-factory", "batch": 8, "seq": 1024, "most": 2}
    plain = json.loads(tianji.smallest("llama-3.1-8b", "hgx-h100", **sizes).to_json())["answers"][1]
    own = json.loads(tianji.smallest("llama-3.1-8b", "hgx-h100", loss_kernel="torch", **sizes).to_json())["answers"][1]
    assert (plain["chips"], own["chips"]) == (None, 1)
    assert "--loss-kernel" in plain["reason"]


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"tasks": "lorra"}, UnknownNameError, "did you mean"),
        ({"runs_on": "megatrom"}, UnknownNameError, "framework"),
        ({"margin": "80%"}, FormatError, "margin"),
        ({"tasks": "distill"}, FormatError, "teacher"),
    ],
)
def test_what_cannot_be_asked(options: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        tianji.smallest("llama-3.1-8b", "hgx-h100", **options)


def test_the_command_says_the_number_first() -> None:
    done = CliRunner().invoke(
        main, ["smallest", "llama-3.1-8b", "hgx-h100", "--tasks", "lora", "--batch", "8", "--most", "2"]
    )
    assert done.exit_code == 0
    assert "lora on hgx-h100: 1 chip, " in done.stdout


@pytest.mark.parametrize(("model", "chips"), [("qwen2.5-14b", 8), ("qwen2.5-7b", 4)])
def test_numbers_of_the_guide_beside_a_vendors_table(model: str, chips: int) -> None:
    (size,) = tianji.smallest(model, "atlas-900-a2", tasks="sft", seq=4096, batch=64, most=16).result
    assert size.results[0].plan.strategy.chips == chips
