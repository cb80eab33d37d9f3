"""Plans for one engine: every one exports as it is, and is no faster than the whole space's best."""

import pytest

import tianji
from tianji.backends.support import check_support
from tianji.errors import ExportError, IllegalStrategyError, UnknownNameError
from tianji.exporters import TARGETS, render_plan
from tianji.exporters.runnable import OWN, SPACES, plan_for_framework
from tianji.hardware import Pool
from tianji.search import plan
from tianji.workload import Job


def case(model: str, pool: str, chips: int, precision: str = "bf16") -> tuple[Job, Pool]:
    job = tianji.make_job(model, seq_len=4096, global_batch_size=256, tokens="1T", precision=precision)
    return job, tianji.load_pool(pool, chips)


def test_every_engine_is_a_target() -> None:
    assert set(SPACES) <= {*TARGETS, OWN}


@pytest.mark.parametrize(
    ("engine", "model", "pool", "chips"),
    [
        ("megatron", "llama-3.1-70b", "hgx-h100", 64),
        ("nemo", "llama-3.1-70b", "hgx-h100", 64),
        ("torchtitan", "llama-3.1-8b", "hgx-h100", 32),
        ("deepspeed", "llama-3.1-8b", "hgx-h100", 32),
        ("mindspeed", "qwen3-30b-a3b", "atlas-900-a3-dies", 64),
        ("mindformers", "qwen3-30b-a3b", "atlas-900-a2", 64),
    ],
)
def test_every_plan_for_an_engine_exports_as_it_is(engine: str, model: str, pool: str, chips: int) -> None:
    job, machine = case(model, pool, chips)
    found = plan_for_framework(engine, job, machine, top=3)
    times = [r.step_time.nominal for r in found.outcome.results]
    assert len(times) == 3
    assert times == sorted(times)
    for result in (*found.outcome.results, *found.outcome.front):
        assert render_plan(result.plan, engine).artefacts
    best = plan(job, machine, top=1, uneven="named").results[0].step_time.nominal
    assert times[0] >= best * (1 - 1e-9)


def test_the_engines_best_is_the_best_where_it_runs_that() -> None:
    job, machine = case("llama-3.1-8b", "hgx-h100", 8)
    fixed = {"schedule": "1f1b", "zero": 1, "recompute": "none"}
    found = plan_for_framework("megatron", job, machine, fixed=fixed, top=1)
    best = plan(job, machine, fixed=fixed, top=1)
    assert found.outcome.results[0].step_time.nominal == pytest.approx(best.results[0].step_time.nominal)
    assert (found.refused, found.why) == (0, "")


def test_what_an_engine_has_not_is_told_before_the_search() -> None:
    job, machine = case("llama-3.1-8b", "hgx-h100", 8)
    with pytest.raises(IllegalStrategyError, match=r"schedule=zero-bubble: megatron has schedule of 1f1b, interleaved"):
        plan_for_framework("megatron", job, machine, fixed={"schedule": "zero-bubble"})
    with pytest.raises(UnknownNameError, match="did you mean megatron"):
        plan_for_framework("megatrn", job, machine)


def test_an_engine_that_runs_nothing_here_gives_its_reasons() -> None:
    job, machine = case("llama-3.1-8b", "atlas-900-a2", 8)
    with pytest.raises(ExportError, match="drives no Ascend chips by itself"):
        plan_for_framework("megatron", job, machine, fixed={"zero": 1, "schedule": "1f1b"})


@pytest.mark.parametrize(
    ("engine", "model", "pool", "held"),
    [
        ("megatron", "glm-4.5", "hgx-h100", {"tp": 4, "pp": 16, "dp": 8, "ep": 32, "schedule": "interleaved"}),
        ("nemo", "qwen3-235b-a22b", "gb200-nvl72", {"tp": 2, "pp": 8, "dp": 16, "ep": 32, "schedule": "interleaved"}),
        (
            "mindspeed",
            "deepseek-v3",
            "atlas-950-superpod",
            {"tp": 4, "pp": 16, "dp": 8, "ep": 32, "schedule": "interleaved"},
        ),
        ("mindspeed", "qwen3-32b", "atlas-950-superpod", {"tp": 4, "pp": 8, "dp": 8, "schedule": "1f1b"}),
        ("mindformers", "qwen3-235b-a22b", "atlas-950-superpod", {"tp": 4, "pp": 8, "dp": 16, "ep": 32}),
        ("torchtitan", "llama-3.1-8b", "hgx-h100", {"tp": 1, "pp": 4, "dp": 2, "schedule": "1f1b", "zero": 0}),
        ("tianji", "llama-3.1-8b", "hgx-h100", {"tp": 1, "pp": 4, "dp": 2, "schedule": "1f1b"}),
    ],
)
def test_uneven_stages_are_named_where_the_engine_takes_them(
    engine: str, model: str, pool: str, held: dict[str, object]
) -> None:
    chips = held["tp"] * held["pp"] * held["dp"]  # type: ignore[operator]
    job, machine = case(model, pool, chips)
    fixed = {"zero": 1, "cp": 1, "placement": "dp-inside", **held}
    outcome = plan_for_framework(engine, job, machine, fixed=fixed, top=2).outcome
    best = outcome.best
    assert best.plan.strategy.stages
    assert outcome.dealt is not None
    assert outcome.dealt.step_time.nominal > best.step_time.nominal
    if engine == "tianji":
        check_support(best.plan)
    else:
        assert render_plan(best.plan, engine).artefacts
    free = plan(job, machine, fixed=fixed, top=1, uneven="named").best
    assert best.step_time.nominal >= free.step_time.nominal * (1 - 1e-9)
