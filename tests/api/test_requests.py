"""What is asked about, by name, by file or as objects."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tianji
from samples import job, pool
from tianji.api.requests import (
    Sizes,
    change_strategy,
    find_calibration,
    find_plan,
    find_request,
    find_strategy_fields,
    plan_of,
)
from tianji.errors import FormatError, UnknownNameError
from tianji.parallel import Strategy
from tianji.parallel.plan import Plan
from tianji.parallel.plan_file import write_plan
from tianji.parallel.strategy import CHOICES, FIELDS, SWITCHES

SIZES = Sizes(
    chips="1k", batch="64", seq="4k", tokens="1T", precision="fp8", optimizer_dtype="bf16", moe_imbalance="1.5"
)
NUMBERS = Sizes(chips=1000, batch=64, seq=4000, tokens=1e12, precision="fp8", optimizer_dtype="bf16", moe_imbalance=1.5)


def test_a_request_holds_what_the_options_say() -> None:
    request = find_request("mixtral-8x7b", "hgx-h100", SIZES, "none")
    asked = request.job
    assert (asked.seq_len, asked.global_batch_size, asked.tokens, asked.moe_imbalance) == (4000, 64, 1e12, 1.5)
    assert (asked.precision.name, asked.precision.optimizer_size) == ("fp8", 8.0)
    assert request.pool.chips == 1000
    assert request.calibration.name == "none"


def test_texts_and_numbers_and_objects_mean_the_same() -> None:
    by_name = find_request("mixtral-8x7b", "hgx-h100", SIZES, "none")
    model, place = tianji.load_model("mixtral-8x7b"), tianji.load_pool("hgx-h100")
    by_object = find_request(model, place, NUMBERS, tianji.load_calibration("none"))
    assert by_object == by_name
    assert find_request(by_name.job, place, Sizes(chips=1000), "none") == by_name


def test_the_pool_keeps_its_own_count_unless_another_is_given() -> None:
    assert find_request("mixtral-8x7b", "cloudmatrix384", Sizes(), None).pool.chips == 384


def test_a_job_has_sizes_of_its_own() -> None:
    with pytest.raises(FormatError, match="--batch cannot change a job"):
        find_request(job(), pool(), Sizes(batch=8), None)


WORDS = {
    **{name: words[-1] for name, words in CHOICES.items()}, "schedule": "gpipe", "recompute_layers": "0.5",
    "recompute": "selective", "recompute_modules": "core_attn", "offload_optimizer": "0.5", "offload_activations": "0.5",
}  # fmt: skip


def test_every_field_is_read_from_text() -> None:
    given = {name: WORDS.get(name, "off" if name in SWITCHES else "2") for name in FIELDS}
    read = find_strategy_fields(None, given)
    assert set(read) == set(FIELDS)
    assert all(read[name] is False for name in SWITCHES)


@given(
    st.fixed_dictionaries(
        {}, optional={"tp": st.integers(1, 8), "zero": st.integers(0, 3), "overlap_ep": st.booleans()}
    )
)
def test_text_mapping_keywords_and_object_give_the_same_fields(fields: dict[str, Any]) -> None:
    text = ",".join(f"{name}={value}" for name, value in fields.items())
    assert find_strategy_fields(fields, {}) == find_strategy_fields(None, fields) == fields
    assert find_strategy_fields(text or None, {}) == fields
    assert find_strategy_fields(Strategy(**fields), {}) == Strategy(**fields).as_dict()


def test_a_value_out_of_its_range_or_an_unknown_field_is_refused() -> None:
    with pytest.raises(FormatError, match=r"strategy\.zero"):
        find_strategy_fields(None, {"zero": "9"})
    with pytest.raises(FormatError, match="tp is given twice"):
        find_strategy_fields("tp=8", {"tp": 4})
    with pytest.raises(UnknownNameError, match="did you mean batch"):
        find_strategy_fields(None, {"batsh": 8})


def test_a_plan_is_a_plan_in_every_form(tmp_path: Path) -> None:
    plan, path = Plan(job(), pool(), Strategy(tp=8, dp=8)), tmp_path / "plan.json"
    write_plan(plan, path)
    answer = tianji.predict(plan, calibration="none")
    forms = (plan, path, str(path), answer, answer.result)
    assert [plan_of(form) for form in forms] == [plan] * len(forms)
    for form in forms:
        found, calibration = find_plan("predict", form, None, "tp=4", {}, Sizes(), None)
        assert found.strategy == change_strategy(plan, {"tp": 4}).strategy
        assert calibration.name == ("none" if form is answer else "default")


def test_an_answer_remembers_its_calibration() -> None:
    answer = tianji.predict(Plan(job(), pool(), Strategy(dp=64)), calibration="none")
    assert find_calibration(None, answer).name == "none"
    assert find_calibration("default", answer).name == "default"
    assert tianji.predict(answer, tp=2).calibration == answer.calibration


def test_what_holds_no_plan_is_refused() -> None:
    with pytest.raises(FormatError, match=r"expected a plan, got <catalog: \d+ pools>"):
        plan_of(tianji.browse("pools"))
    with pytest.raises(FormatError, match="needs a pool"):
        tianji.predict(tianji.load_model("llama-3.1-8b"))
    with pytest.raises(FormatError, match="a plan holds its own pool"):
        tianji.predict(Plan(job(), pool(), Strategy(dp=64)), "hgx-h100")


@pytest.mark.parametrize(
    ("pool", "precision", "said"),
    [
        ("hgx-h800", "fp8", "number formats fp8, as in the published run (DSV3)"),
        (
            "cloudmatrix384",
            "bf16",
            "number formats bf16, as no peak in the fp8 of the published run (DSV3) is known of ascend",
        ),
    ],
)
def test_number_formats_are_those_of_the_published_run_on_chips_that_have_them(
    pool: str, precision: str, said: str
) -> None:
    job = find_request("deepseek-v3", pool, Sizes(), "none").job
    assert job.precision.name == precision
    assert any(remark.startswith(said) for remark in job.assumed)


def test_number_formats_that_are_said_or_not_known_are_not_assumed() -> None:
    for model, sizes in (("deepseek-v3", Sizes(precision="bf16")), ("llama-3.1-8b", Sizes())):
        job = find_request(model, "hgx-h800", sizes, "none").job
        assert job.precision.name == "bf16"
        assert not any(remark.startswith("number formats") for remark in job.assumed)
