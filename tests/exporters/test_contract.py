"""The contract of a target: sentences take a plan's values, notes and refusals come once, and all refusals come together."""

from dataclasses import replace

import pytest

import tianji
from tianji.errors import ExportError, InputError
from tianji.exporters import TARGETS
from tianji.exporters.contract import Limits, Refusal
from tianji.exporters.targets import MODULES, is_exported, render_plan
from tianji.parallel.plan import Plan


def plan() -> Plan:
    job = tianji.make_job("llama-3.1-8b", global_batch_size=64, seq_len=2048)
    return Plan(job, tianji.load_pool("hgx-h100", 8), tianji.Strategy(tp=2, dp=4))


def test_a_sentence_takes_the_plans_values() -> None:
    refusal = Refusal(
        lambda s, p: s.tp > 1, "tp={s.tp}, {p.name}, {model.name}, {job.seq_len}, {plan.num_microbatches}"
    )
    assert refusal.describe(plan()) == "tp=2, bf16, llama-3.1-8b, 2048, 16"


def test_all_refusals_come_together_and_each_once() -> None:
    limits = Limits("here")
    rows = [Refusal(lambda s, p: s.tp > 1, "first"), Refusal(lambda s, p: s.dp > 1, "second")]
    never = Refusal(lambda s, p: s.pp > 1, "third")
    limits.apply([*rows, *rows, never], plan())
    with pytest.raises(ExportError) as raised:
        limits.check()
    assert str(raised.value) == "--to here would run another plan: first; second"


@pytest.mark.parametrize("target", TARGETS)
def test_a_plan_is_exported_exactly_where_its_files_are_written(target: str) -> None:
    strategies = (
        tianji.Strategy(tp=2, dp=4), tianji.Strategy(tp=2, dp=2, pp=2, schedule="zero-bubble"), tianji.Strategy(dp=8, zero=3),
        tianji.Strategy(tp=2, dp=4, recompute="selective"), tianji.Strategy(dp=4), tianji.Strategy(dp=16),
    )  # fmt: skip
    for strategy in strategies:
        one = replace(plan(), strategy=strategy)
        try:
            written = bool(render_plan(one, target).artefacts)
        except InputError:
            written = False
        assert is_exported(one, target) == written


def test_one_line_for_each_target() -> None:
    assert len(MODULES) == len(TARGETS) == len(set(MODULES))
    assert [module.rpartition(".")[2].replace("_", "-") for module in MODULES] == list(TARGETS)
    assert all(target.about for target in TARGETS.values())
