"""Constants from micro-measurements: times made by the formulas give the constants back that made them."""

import io
import json
import math
import re
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from tianji.backends.microbenchmarks.fitting import Fitted, Rates, fit_survey
from tianji.backends.microbenchmarks.least_squares import fit_times
from tianji.backends.microbenchmarks.measure_machine import BETWEEN, RANGE_80, Size, describe_calibration, list_sizes
from tianji.backends.microbenchmarks.orders import Survey, TimedSample
from tianji.backends.microbenchmarks.pool_text import format_pool
from tianji.backends.microbenchmarks.tiny_models import WHOLE, axis_plans, job_of
from tianji.catalog import load_calibration, load_pool
from tianji.catalog.calibrations import format_calibration
from tianji.parallel import Strategy
from tianji.perf.layer import total
from tianji.report.documents.machine import machine_document
from tianji.report.present import view_of
from tianji.report.render.terminal import print_view

PEAK, MEMORY, LINK, WORLD = 50e9, 10e9, 1e9, 4
TRUE = {
    "matmul_efficiency": 1.0, "matmul_half_size": 40.0, "attention_efficiency": 0.5, "attention_half_length": 60.0,
    "vector_efficiency": 0.4, "op_overhead": 5e-5, "kernel_launch": 1e-5, "optimizer_efficiency": 0.5,
    "matmul_half_depth": 10.0, "attention_backward_half_length": 60.0,
    "scale_up_latency": 5e-4, "reduce_scatter_factor": 2.0, "all_reduce_factor": 0.8, "all_to_all_factor": 0.6,
    "call_overhead": 2e-3, "step_overhead": 1e-2,
}  # fmt: skip
RATES = Rates({"fp32": PEAK}, MEMORY, WORLD, 2.0, LINK)
KNOWN = {name: Fitted(value, 0.0, 1, "known") for name, value in TRUE.items()}


def sample(probe: str, seconds: float, **facts: float | str) -> TimedSample:
    return TimedSample(probe, facts, (0.98 * seconds, seconds, 1.02 * seconds))


def made_up() -> Survey:
    """A survey of a machine with two cores and four ranks, as the formulas would have it."""
    found = []
    for m, k, n in ((64, 64, 64), (256, 256, 256), (1024, 256, 512), (1024, 1024, 1024), (4096, 4096, 4096)):
        work = sum(2 * (a * b + 40.0**2) * (c + 10.0) for a, b, c in ((m, n, k), (m, k, n), (k, n, m)))
        found.append(sample("matmul", work / PEAK, m=m, k=k, n=n, dtype="fp32"))
    found.append(sample("copy", 1e9 / MEMORY, bytes=1e9))
    for length in (64, 256, 1024):
        flops = 3.5 * 4 * length**2 * 2 * 64
        found.append(sample("attention", flops * (1 + 60 / length) / 25e9, batch=1, heads=4, length=length, dim=64))
    for index, (config, batch, length) in enumerate(WHOLE):
        terms = RATES.estimate(
            job_of(config, batch, length), Strategy(micro_batch_size=batch), KNOWN, step_overhead=0.0
        )
        found.append(sample("whole", float(np.ravel(total(terms) - terms["optimizer"])[0]), index=index))
    found.append(sample("update", 24e6 / (MEMORY * 0.5), parameters=1e6))
    for members, steps in ((2, 1), (4, 3)):
        for size in (4096.0, 65536.0, 2.0**20, 2.0**23):
            once = size * (members - 1) / members / LINK + steps * 5e-4
            for kind, factor in (
                ("all_gather", 1.0),
                ("reduce_scatter", 2.0),
                ("all_reduce", 1.6),
                ("all_to_all", 0.6),
            ):
                found.append(sample(kind, factor * once, members=members, bytes=size))
    for axis, plan in axis_plans(WORLD).items():
        terms = RATES.estimate(plan.job, plan.strategy, KNOWN)
        found.append(sample("step", float(np.ravel(total(terms))[0]), axis=axis))
    return Survey(tuple(found), WORLD, "cpu", 2.0, 1, 4e9, 2e8, {"torch": "2.13.0"})


def test_the_constants_that_made_the_times_come_back() -> None:
    found = fit_survey(made_up())
    assert found.memory_bandwidth == pytest.approx(MEMORY)
    assert found.link_bandwidth == pytest.approx(LINK)
    assert found.peak["fp32"] == pytest.approx(PEAK, rel=0.02)
    assert {name: f.value for name, f in found.constants.items()} == {
        name: pytest.approx(value, rel=0.05) for name, value in TRUE.items()
    }
    assert found.misfit < 0.01
    assert found.noise == pytest.approx(0.02, rel=0.1)


def test_the_files_load_and_say_where_their_figures_come_from(tmp_path: Path) -> None:
    survey = made_up()
    alone = replace(survey, world=2, samples=tuple(s for s in survey.samples if s.facts.get("members") != 4))
    sizes = [Size(alone, fit_survey(alone)), Size(survey, fit_survey(survey))]
    pool, calibration = tmp_path / "mine.toml", tmp_path / "mine-calibration.toml"
    pool.write_text(format_pool("mine", "2026-11-25", sizes))
    calibration.write_text(format_calibration(describe_calibration("c", "2026-11-25", sizes, chips="mine")))
    four, two = load_pool(pool), load_pool(pool, 2)
    assert (four.chips, four.chip.name, two.chip.name) == (4, "mine-4", "mine-2")
    assert four.tiers[0].rate("mine") == pytest.approx(LINK)
    assert "measured here on 2026-11-25, 4 at work, 3 repeats, noise" in four.chip.peak["fp32"].source
    found = load_calibration(calibration)
    assert found.constants(four.chip).sharing == 2.0
    assert found.constants(two.chip).sharing == 1.0
    assert found.constants(four.chip).reduce_scatter_factor == pytest.approx(2.0, rel=0.01)
    assert found.evidence["mine-4"]["op_overhead"].tier == "measured"
    assert found.spread(four.chip).high > 1.0


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False))
def test_what_a_noisy_machine_says_is_finite_and_can_be_written(chance: Random) -> None:
    # Other programs hold a core for a while: any sample may be many times too slow.
    noisy = [replace(s, seconds=tuple(t * 10 ** chance.uniform(0, 1.5) for t in s.seconds)) for s in made_up().samples]
    survey = replace(made_up(), samples=tuple(noisy))
    size = Size(survey, fit_survey(survey))
    document = machine_document([size], "pool.toml", "calibration.toml")
    json.dumps(document, allow_nan=False)
    text = format_calibration(describe_calibration("c", "2026-11-25", [size], chips="mine"))
    assert re.search(r"= (inf|nan)", text) is None
    for name, fitted in size.findings.constants.items():
        assert fitted.value >= 0.0, name
        assert fitted.error is None or 0.0 <= fitted.error <= 10.0, name
    print_view(Console(file=io.StringIO()), view_of(document))


def test_attention_that_seems_faster_than_matmuls_is_as_fast_as_they_are() -> None:
    # Only the time of each row is seen: the products cost nothing beside it.
    quick = [
        replace(s, seconds=(1e-9 * float(s.facts["length"]),)) if s.probe == "attention" else s
        for s in made_up().samples
    ]
    found = fit_survey(replace(made_up(), samples=tuple(quick))).constants
    assert found["attention_efficiency"].value == pytest.approx(1.0)
    assert found["attention_efficiency"].error is None


def test_no_rate_is_negative() -> None:
    # The best line through these has a negative slope: a constant alone must do.
    x, _ = fit_times(np.array([[1.0, 1.0], [1.0, 2.0]]), np.array([2.0, 1.0]))
    assert x[1] == 0.0
    assert x[0] > 0.0


def test_sizes_double_up_to_the_last() -> None:
    assert list_sizes(5) == [1, 2, 4, 5]


def test_a_range_is_never_surer_than_two_campaigns_agree() -> None:
    data = Path(__file__).parents[3] / "benchmarks" / "here_data"
    first, second = (
        [row["predicted"] for row in json.loads(path.read_text())]
        for path in (data / "predicted.json", data / "second" / "predicted.json")
    )
    apart = np.log(np.array(first) / np.array(second))
    assert pytest.approx(float(np.sqrt(np.mean(apart**2) / 2.0)), abs=0.005) == BETWEEN
    survey = made_up()
    calibration = describe_calibration("x", "2026-11-25", [Size(survey, fit_survey(survey))], chips="x")
    spreads = [spread for kinds in calibration.spreads.values() for spread in kinds.values()]
    assert spreads
    for spread in spreads:
        assert spread.high >= math.exp(RANGE_80 * BETWEEN) - 1e-3
        assert spread.low == pytest.approx(1.0 / spread.high, abs=2e-3)


def test_a_busy_machine_is_told_and_no_cell_is_cut() -> None:
    survey = made_up()
    sizes = [Size(survey, fit_survey(survey))] * 4
    quiet, busy = io.StringIO(), io.StringIO()
    noisy = [replace(s, findings=replace(s.findings, noise=0.2)) for s in sizes]
    for file, measured in ((quiet, sizes), (busy, noisy)):
        view = view_of(machine_document(measured, "pool.toml", "calibration.toml"))
        print_view(Console(file=file, width=80), view)
    assert "measure again when it is quiet" not in quiet.getvalue()
    assert "measure again when it is quiet" in " ".join(busy.getvalue().split())
    assert "…" not in quiet.getvalue()
