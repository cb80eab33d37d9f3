"""The worked example of the documentation, computed.

Run `python -m docs.generators.comparison_example > docs/example-deepseek-v3.md`.
"""

from __future__ import annotations

from docs.generators.claims import recompute_claims
from tianji.catalog import load_calibration, load_pool, make_job
from tianji.comparison import Assessment, Assumptions, Replacement, compare, replace_pool
from tianji.comparison.measures import MEASURES
from tianji.comparison.replacement import describe_answer
from tianji.comparison.side_by_side import format_pool
from tianji.formatting import format_days, format_percent, format_range
from tianji.hardware.calibration import Calibration
from tianji.parallel import Strategy
from tianji.parallel.layouts import abbreviate_layout
from tianji.parallel.plan import Plan
from tianji.prediction import predict
from tianji.ranges import Range
from tianji.result import Result
from tianji.units import DAY, GB, HOUR, MEGA
from tianji.workload import Job

PUBLISHED_HOURS = 2.664e6
"""H800-hours of pre-training on 14.8 T tokens (DSV3, table 1)."""
MAKERS = Strategy(
    tp=1, pp=16, vpp=1, cp=1, ep=64, etp=1, dp=128, micro_batch_size=1, zero=1, zero_group=0, sequence_parallel=True,
    recompute="selective", recompute_layers=1.0, schedule="dualpipe", stages="", cp_kind="ring", ep_kind="deduplicated",
    weight_gather="hidden", overlap_dp=True, overlap_tp=True, overlap_pp=True, overlap_ep=True, flash_attention=True,
    offload_optimizer=0.0, offload_activations=0.0, offload_weights=False, offload_overlap=False, offload_update="host",
    recompute_modules="", zero_kind="layers", placement="dp-inside",
)  # fmt: skip
"""The layout of the technical report, section 3.2."""


def write_example(calibration: Calibration) -> str:
    """Return the page."""
    h800 = load_pool("hgx-h800", 2048)
    fp8, bf16 = (make_job("deepseek-v3", tokens="14.8T", precision=p) for p in ("fp8", "bf16"))
    made = make_job("deepseek-v3", tokens="14.8T", precision="fp8", optimizer_dtype="bf16")
    cm, atlas = load_pool("cloudmatrix384", 1536), load_pool("atlas-950-superpod")
    given = Assumptions(site="china")
    comparison = compare([(fp8, h800), (bf16, cm), (fp8, atlas)], calibration, given)
    pools = tuple(a for a in comparison.assessments if isinstance(a, Assessment))  # none is a mixture
    answers = [
        replace_pool((fp8, h800), (job, pool), calibration, given, match=match)
        for job, pool in ((bf16, load_pool("cloudmatrix384")), (fp8, atlas))
        for match in ("throughput", "power")
    ]
    parts = (
        HEAD.format(name=calibration.name, date=calibration.date),
        _makers(made, calibration, pools[0]),
        "## Side by side\n\n"
        + COMPARE
        + _side_by_side(pools)
        + "\n"
        + "\n".join(f"* {v}" for v in comparison.verdicts),
        "## How many replace the 2,048 H800\n\n" + REPLACE + "\n".join(_answer(a) for a in answers),
        "## Huawei's headline claims\n\n" + CLAIMS + _claims(),
        TAIL,
    )
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _makers(job: Job, calibration: Calibration, best: Assessment) -> str:
    plan = Plan(job, best.pool, MAKERS)
    as_made = predict(plan, calibration)
    rows = [
        ("published (DSV3)", f"{PUBLISHED_HOURS / MEGA:.3f}", f"{PUBLISHED_HOURS / 2048 / 24:.1f}", "", ""),
        _run_row("predicted, the makers' layout", as_made),
        _run_row(f"predicted, the best found: {abbreviate_layout(best.result.plan.strategy)}", best.result),
    ]
    off = _hours(as_made).nominal / PUBLISHED_HOURS
    worst = max(as_made.breakdown, key=lambda kind: as_made.breakdown[kind])
    share = as_made.breakdown[worst] / as_made.step_time.nominal
    holds = _hours(as_made).low <= PUBLISHED_HOURS <= _hours(as_made).high
    text = (
        f"The prediction of the makers' layout is {off:.2f} times the published time; the published figure lies"
        f" {'inside' if holds else '**outside**'} its 80 % range. The largest part of the predicted step is {worst}"
        f" ({format_percent(share, 0)}). The makers routed a token to at most four nodes, wrote"
        " their own dispatch kernels on 20 of the 132 multiprocessors and trained the first part in smaller batches: the formulas"
        f" know none of that. {_memory(as_made)} No correction was made for this page."
    )
    head = "| | M GPU-hours | days | tokens/s of a chip | memory |\n|---|---|---|---|---|\n"
    table = head + "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return f"## The run as it was made\n\n{MADE}{table}\n\n{text}"


def _memory(result: Result) -> str:
    if result.fits:
        return "It fits the memory."
    return (
        f"By the formulas it needs {result.memory_total / GB:.0f} GB of {result.memory_limit / GB:.0f} on a chip; the makers kept"
        " more of their activations in FP8 (of the inputs of SwiGLU, for one) than the formulas have it."
    )


def _hours(result: Result) -> Range:
    steps = result.plan.job.tokens / result.plan.job.tokens_per_step
    step = result.step_time
    return step * (steps * result.plan.strategy.chips / HOUR)


def _run_row(name: str, result: Result) -> tuple[str, ...]:
    hours = _hours(result)
    days = hours * (HOUR / DAY / result.plan.strategy.chips)
    return (
        name,
        format_range(hours * (1 / MEGA), "{:.3f}".format),
        format_range(days, format_days),
        f"{result.tokens_per_s_per_chip:,.0f}",
        f"{format_percent(result.memory_total / result.memory_limit, 0)} of the usable",
    )


def _side_by_side(assessments: tuple[Assessment, ...]) -> str:
    lines = ["| | " + " | ".join(format_pool(a) for a in assessments) + " |", "|---" * (len(assessments) + 1) + "|"]
    for m in MEASURES:
        spans = [m.of(a) for a in assessments]
        name = f"{m.title}, {m.unit}" if m.unit else m.title
        lines.append(f"| {name} | " + " | ".join(_cell(s, m.scale) for s in spans) + " |")
    layouts = [f"`{abbreviate_layout(a.result.plan.strategy)}`" for a in assessments]
    lines.append("| layout | " + " | ".join(layouts) + " |")
    lines.append(
        "| power stands on | " + " | ".join(a.power.basis if a.power else "nothing" for a in assessments) + " |"
    )
    return "\n".join(lines) + "\n"


def _cell(value: Range | None, scale: float) -> str:
    return "not published" if value is None else format_range(value * scale)


def _answer(replacement: Replacement) -> str:
    widest = replacement.sensitivities[0]
    flips = ", ".join(s.assumption for s in replacement.sensitivities if s.flips) or "none of them"
    return (
        f"* {describe_answer(replacement)} Widest swing: {widest.assumption}, {widest.at_low:.2f} to {widest.at_high:.2f}"
        f" ({replacement.answer}). What flips it: {flips}."
    )


def _claims() -> str:
    lines = ["| claim | recomputed | verdict | why |", "|---|---|---|---|"]
    for claim in recompute_claims():
        computed = "" if claim.computed is None else f"{claim.computed:.2f}"
        lines.append(f"| {claim.text} | {computed} | {claim.verdict} | {claim.why} |")
    return "\n".join(lines)


HEAD = """\
# Worked example: DeepSeek-V3 on 2,048 H800, on CloudMatrix384, on an Atlas 950 SuperPoD

Every figure below is computed by

    python -m docs.generators.comparison_example > docs/example-deepseek-v3.md

under the calibration *{name}* of {date}; run it again when the calibration changes. Ranges are low to high. Nobody measured
training on an Atlas 950, and no H800 run is in the calibration: both lean on relatives, which makes the ranges wide.
[economics.md](economics.md) says how the figures come about.
"""
MADE = """\
`tianji predict deepseek-v3 hgx-h800 --chips 2048 --precision fp8 --tokens 14.8T --pp 16 --ep 64 --zero 1 --schedule dualpipe
--overlap-ep --recompute selective --optimizer-dtype bf16`

"""
COMPARE = """\
`tianji compare deepseek-v3 2048xhgx-h800@fp8 1536xcloudmatrix384 atlas-950-superpod@fp8 --tokens 14.8T --site china`. The 910C
has no FP8 and runs in bf16. A price of an Atlas 950 is not published.

"""
REPLACE = """\
`tianji replace deepseek-v3 --from 2048xhgx-h800@fp8 --with cloudmatrix384@bf16 --tokens 14.8T --site china`, the same with
`--match power`, and both again with `atlas-950-superpod@fp8`.

"""
CLAIMS = """\
Said at HUAWEI CONNECT 2025 of the Atlas 950 SuperPoD against NVIDIA's NVL144 (since called Vera Rubin NVL72); the model behind
the tokens was not named.

"""
TAIL = """\
## What this does not say

A prediction here is an extrapolation for two of the three pools. No verdict is given where ranges overlap, and a nominal ratio
between such pools is not one either.
"""


def main() -> None:
    """Print the page."""
    print(write_example(load_calibration("default")), end="")


if __name__ == "__main__":
    main()
