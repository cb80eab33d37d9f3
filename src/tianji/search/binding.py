"""What binds a plan: the largest parts of its step, each with the lever that would shorten it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tianji.formatting import format_percent
from tianji.result import Result
from tianji.units import show

NOTABLE = 0.1
"""Share of a step from which on a part is named; the largest is always."""
MOST = 3
"""Parts of a step that are named at most."""
FULL = 0.9
"""Share of the usable memory from which on memory binds too."""
REFUSED = 0.5
"""Share of the legal strategies that do not fit from which on memory binds too."""
OVERLAPPED = {"tp_comm": "overlap_tp", "pp_comm": "overlap_pp", "dp_comm": "overlap_dp", "ep_comm": "overlap_ep"}
"""The switch that hides a kind of communication."""


def find_binding(best: Result, feasible: int, candidates: int) -> tuple[str, ...]:
    """Return what keeps a plan from being faster, the largest part of its step first: ``"launches: 48 % of the step; ..."``.

    Memory follows where it is nearly full, or where most of the legal strategies did not fit.
    """
    shares = {kind: seconds / best.step_time.nominal for kind, seconds in best.breakdown.items()}
    ordered = sorted(shares, key=lambda kind: -shares[kind])
    named = [kind for kind in ordered[:MOST] if shares[kind] >= NOTABLE] or ordered[:1]
    parts = [f"{NAMES[kind]}: {format_percent(shares[kind], 0)} of the step; {LEVERS[kind](best)}" for kind in named]
    return (*parts, *_memory(best, feasible, candidates))


def _memory(best: Result, feasible: int, candidates: int) -> Iterator[str]:
    filled, refused = best.memory_total / best.memory_limit, 1.0 - feasible / max(candidates, 1)
    if filled > FULL or refused > REFUSED:
        yield (
            f"memory: the fullest chip holds {show(best.memory_total, 'bytes')} of {show(best.memory_limit, 'bytes')} usable;"
            f" {format_percent(refused, 0)} of the legal strategies do not fit"
        )


def _hide(kind: str, otherwise: str) -> Callable[[Result], str]:
    def lever(best: Result) -> str:
        switch = OVERLAPPED[kind]
        return otherwise if getattr(best.plan.strategy, switch) else f"hide it ({switch}=on), or {otherwise}"

    return lever


def _launches(best: Result) -> str:
    s, moe = best.plan.strategy, best.plan.job.model.moe
    levers = [
        "graphs (of the whole iteration, where the software has them)",
        f"a larger micro-batch (now {s.micro_batch_size})",
    ]
    if moe is not None and moe.num_experts > s.ep:
        levers.append(f"fewer experts on a rank (now {-(-moe.num_experts // s.ep)}: a larger ep)")
    return " or ".join([", ".join(levers[:-1]), levers[-1]])


def _work(best: Result) -> str:
    wide = best.plan.job.precision.linear in ("bf16", "fp16", "fp32")
    return "the work itself: a narrower --precision or more chips" if wide else "the work itself: more chips"


def _bubble(best: Result) -> str:
    plan = best.plan
    few = f"{plan.num_microbatches} micro-batches for {plan.strategy.pp} stages"
    return f"{few}: a larger --batch, fewer stages or more chunks (vpp)"


def _say(text: str) -> Callable[[Result], str]:
    return lambda _: text


NAMES = {
    "matmul": "compute", "attention": "attention", "vector": "memory bandwidth", "recompute": "recomputation",
    "tp_comm": "tensor links", "cp_comm": "context links", "ep_comm": "expert links", "waiting": "waiting",
    "overhead": "launches", "optimizer": "optimizer", "dp_comm": "data links", "pp_comm": "pipeline links",
    "bubble": "batch", "offload": "host link",
}  # fmt: skip
"""What binds, by kind of time."""
LEVERS: dict[str, Callable[[Result], str]] = {
    "matmul": _work,
    "attention": _say("the work itself: shorter sequences or more chips"),
    "vector": _say("norms and activations move bytes: fused or compiled kernels"),
    "recompute": _say("more memory for activations: more chips, a larger tp, cp or pp, or offload"),
    "tp_comm": _hide("tp_comm", "a smaller tp"),
    "cp_comm": _say("a smaller cp, or the other cp_kind"),
    "ep_comm": _hide("ep_comm", "a smaller ep, or a dispatcher that sends each token once to a node"),
    "waiting": _say("all wait for the slowest chip: even clocks, fewer chips in one step"),
    "overhead": _launches,
    "optimizer": _say("a larger --batch, or more chips that share it (zero)"),
    "dp_comm": _hide("dp_comm", "a larger --batch, or fewer replicas"),
    "pp_comm": _hide("pp_comm", "a smaller pp, or fewer chunks (vpp)"),
    "bubble": _bubble,
    "offload": _say("a smaller share on the host, or copies that overlap (offload_overlap=on)"),
}
"""What shortens each kind of time."""
