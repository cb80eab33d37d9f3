"""``run`` and ``explain``: a plan trained for real, and what was measured beside what was predicted."""

from __future__ import annotations

from functools import partial

from tianji.api.answer import Answer
from tianji.api.quantities import Count
from tianji.api.requests import CalibrationLike, File, PlanLike, find_calibration, plan_of
from tianji.backends import RunOptions
from tianji.backends import run as run_plan
from tianji.backends.explanation import Explanation, explain_gap
from tianji.backends.twin import PlanTwin, make_twin
from tianji.errors import FormatError
from tianji.formatting import format_duration
from tianji.prediction import predict
from tianji.report.documents.explanation import explanation_document
from tianji.report.documents.run import run_document
from tianji.result import Result, read_result
from tianji.units import parse_count


def run(
    plan: PlanLike,
    *,
    twin: Count | None = None,
    backend: str = "torch",
    engine: str = "local",
    steps: int = 10,
    warmup: int = 2,
    data: File = "",
    out: File = "out",
    optimizer: str = "adamw",
    learning_rate: float = 1e-3,
    seed: int = 0,
    weights: File = "",
    device: str = "",
    trace: bool = True,
    checkpoint_every: int = 0,
    resume: File = "",
    port: int = 0,
) -> Answer[Result]:
    """Train the model of a plan for real, as the plan cuts it, and measure it.

    One process a chip of the plan: on the machine's accelerators, or without any on its
    CPU. What is measured goes to the new folder ``out``, and ends in its
    ``result.json``, which ``tianji.explain`` puts beside the prediction.

    * ``twin=4`` runs the plan scaled down to at most four ranks: a small model, cut
      along the same axes; the answer's notes say what it keeps.
    * ``backend`` computes (torch, mindspore), ``engine`` starts the ranks (local, ray).
    * ``steps`` are optimizer steps, the first ``warmup`` of them not measured.
    * ``data`` is a text, or token numbers (.u16, .u32); empty: a short text that ships.
    * ``weights`` are first weights, of ``tianji migrate twin``; empty: drawn from the
      ``seed``.
    * ``trace`` profiles one more step; ``checkpoint_every=0`` writes no checkpoints,
      and ``resume`` is the folder of a complete one, under any plan of the model.

    Needs the extra ``tianji[run]``. Raises RunError when a worker fails.
    """
    options = RunOptions(
        steps=steps, warmup=min(warmup, steps - 1), data=str(data), out=str(out), seed=seed, weights=str(weights),
        optimizer=optimizer, learning_rate=learning_rate, device=device, trace=trace, checkpoint_every=checkpoint_every,
        resume_from=str(resume), port=port,
    )  # fmt: skip
    whole = plan_of(plan)
    small = None if twin is None else make_twin(whole, parse_count(twin, "--twin"))
    result = run_plan(small.plan if small else whole, options, backend, engine)
    ran_on = f" x {result.measurement.chip}" if result.measurement else ""
    summary = (
        f"run of {result.plan.job.model.name} on {result.plan.strategy.chips:,}{ran_on}:"
        f" {format_duration(result.step_time.nominal)} a step, {result.tokens_per_s:,.0f} tokens/s"
    )
    return Answer(result, summary, partial(run_document, result), notes=_describe_twin(small) if small else ())


def _describe_twin(twin: PlanTwin) -> tuple[str, ...]:
    axes = f", cut along {', '.join(twin.kept)} as the plan is" if twin.kept else ""
    kept = f"this is a twin of the plan{axes}"
    return (kept, *(f"the twin is without {what}" for what in twin.dropped))


def explain(
    result: File | Result | Answer[Result], *, plan: PlanLike | None = None, calibration: CalibrationLike = None
) -> Answer[Explanation]:
    """Put a measured result beside its prediction: what is the gap made of?

    ``result`` is an answer of ``tianji.run``, a ``Result``, a ``result.json``, or its
    folder. ``plan`` is predicted in place of the plan that was run.

    Raises FormatError for a result that was not measured.
    """
    measured = _find_measured(result)
    constants = find_calibration(calibration, plan)
    explanation = explain_gap(measured, predict(plan_of(measured if plan is None else plan), constants))
    times = [format_duration(r.step_time.nominal) for r in (explanation.measured, explanation.predicted)]
    summary = f"explanation: {times[0]} measured, {times[1]} predicted (x {explanation.ratio:.3g})"
    return Answer(explanation, summary, partial(explanation_document, explanation), constants)


def _find_measured(result: File | Result | Answer[Result]) -> Result:
    if isinstance(result, Answer):
        if not isinstance(result.result, Result):
            raise FormatError(f"expected a measured result, got {result!r}; `tianji.run` returns one")
        return result.result
    return result if isinstance(result, Result) else read_result(result)
