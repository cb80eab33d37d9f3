"""Why a run took another time than was predicted: the two results term by term, and what the gap is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from tianji.backends.support import V_SHAPED
from tianji.errors import FormatError
from tianji.formatting import format_percent
from tianji.parallel.grid import Grid
from tianji.parallel.plan import Plan
from tianji.perf.segments import sent_bytes
from tianji.prediction.traffic import predict_traffic
from tianji.result import Result
from tianji.units import Bytes, Seconds

GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("matrix multiplications", ("matmul",)),
    ("attention", ("attention",)),
    ("elementwise work", ("vector",)),
    ("recomputation", ("recompute",)),
    ("tensor parallel communication", ("tp_comm",)),
    ("context parallel communication", ("cp_comm",)),
    ("expert communication", ("ep_comm",)),
    ("data parallel communication", ("dp_comm",)),
    ("pipeline: sends and bubble", ("pp_comm", "bubble")),
    ("optimizer", ("optimizer",)),
    ("overhead and waiting", ("overhead", "waiting")),
)
"""What can be told apart in both: a run sees a rank wait in its pipeline, but not whether for a link or for another stage."""

HOSTS = ("host", "cpu")
"""Vendors of chips that are this machine's own processes."""
COMPUTED = ("matmul", "attention", "vector", "recompute")


@dataclass(frozen=True, slots=True)
class Term:
    """One part of a step in both results; ``gap`` is measured less predicted."""

    name: str
    predicted: Seconds
    measured: Seconds

    @property
    def gap(self) -> Seconds:
        """Seconds that the run took longer."""
        return self.measured - self.predicted


@dataclass(frozen=True, slots=True)
class Explanation:
    """A measured result beside a predicted one. Terms add up to the two step times."""

    measured: Result
    predicted: Result
    terms: tuple[Term, ...]
    traffic: dict[str, tuple[Bytes, Bytes]]
    """Bytes that one chip sends in a step by axis: as the cost model counts them, and as the run did."""
    remarks: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Explanation({self.measured.plan!r}: {self.ratio:.3f} of the prediction)"

    @property
    def ratio(self) -> float:
        """Measured over predicted step time."""
        return self.measured.step_time.nominal / self.predicted.step_time.nominal


def explain_gap(measured: Result, predicted: Result) -> Explanation:
    """Return a measured result beside the prediction for it, largest gap first.

    The measured terms are those of the profiled step, scaled to the step time, because a profiler slows a step down.
    Raises FormatError for a result that was not measured.
    """
    facts = measured.measurement
    if measured.kind != "measured" or facts is None:
        raise FormatError("only a measured result can be explained; `tianji run` makes one")
    scale = measured.step_time.nominal / facts.profiled_time if facts.profiled_time else 0.0
    seen = {kind: seconds * scale for kind, seconds in measured.breakdown.items()}
    groups = _groups(measured.plan.strategy.recompute != "none")
    terms = [Term(name, _sum(predicted.breakdown, kinds), _sum(seen, kinds)) for name, kinds in groups]
    terms = [term for term in terms if term.predicted or term.measured]
    if not seen:
        terms = [Term("whole step", predicted.step_time.nominal, measured.step_time.nominal)]
    counted = count_sends(measured.plan)
    traffic = {
        axis: (counted[axis], facts.traffic[axis].bytes if axis in facts.traffic else 0.0)
        for axis in counted
        if counted[axis] or axis in facts.traffic
    }
    ordered = tuple(sorted(terms, key=lambda term: -abs(term.gap)))
    return Explanation(
        measured, predicted, ordered, traffic if facts.traffic else {}, _remarks(measured, predicted, ordered)
    )


def count_sends(plan: Plan) -> dict[str, Bytes]:
    """Return the bytes that one chip sends in a step under this trainer, by axis: the chip that sends most.

    Its all_to_all carries every copy of a token, whatever dispatcher the plan is priced with. A pipeline rank sends activations
    forward and their gradients back, for each micro-batch and each of its chunks that has a neighbour on another rank.
    """
    counted = predict_traffic(replace(plan, strategy=replace(plan.strategy, ep_kind="all_to_all")))
    s = plan.strategy
    if s.pp == 1:
        return counted
    is_v = s.schedule in V_SHAPED
    num_stages = s.pp * (2 if is_v else s.vpp)
    rank_of = [2 * s.pp - 1 - i if is_v and i >= s.pp else i % s.pp for i in range(num_stages)]
    sends: Counter[int] = Counter()
    for one, other in pairwise(rank_of):
        if one != other:
            sends.update((one, other))
    passed = plan.num_microbatches * float(np.ravel(sent_bytes(plan.job, Grid.of(s)))[0])
    return counted | {"pp": passed * max(sends.values())}


def _groups(recomputed: bool) -> list[tuple[str, tuple[str, ...]]]:
    """With recomputation a run cannot tell first from second computation: all of it is one term."""
    if not recomputed:
        return list(GROUPS)
    rest = [(name, kinds) for name, kinds in GROUPS if not set(kinds) & set(COMPUTED)]
    return [("computation, once and again", COMPUTED), *rest]


def _sum(terms: Mapping[str, Seconds], kinds: tuple[str, ...]) -> Seconds:
    return sum(terms.get(kind, 0.0) for kind in kinds)


def _remarks(measured: Result, predicted: Result, terms: tuple[Term, ...]) -> tuple[str, ...]:
    facts, chip = measured.measurement, predicted.plan.pool.chip
    if facts is None:
        return ()
    remarks = []
    gap = measured.step_time.nominal - predicted.step_time.nominal
    if facts.chip == "cpu" and chip.vendor.lower() not in HOSTS:
        remarks.append(
            f"the ranks ran on CPU processes, and the plan is for {chip.name}: the gap is first of all that of the chips;"
            " a pool that describes this machine gives a prediction to hold against it"
        )
    if predicted.plan.job.tokens_per_step != measured.plan.job.tokens_per_step:
        remarks.append(
            f"the predicted step has {predicted.plan.job.tokens_per_step:,} tokens and the measured one"
            f" {measured.plan.job.tokens_per_step:,}: compare tokens/s, not steps"
        )
    if abs(gap) <= facts.noise * measured.step_time.nominal:
        remarks.append(f"the gap is within the run's own noise (step times spread by {format_percent(facts.noise, 0)})")
    elif gap and terms:
        largest = [term for term in terms if term.gap * gap > 0][:3]
        shares = ", ".join(f"{term.name} {format_percent(term.gap / gap, 0)}" for term in largest)
        remarks.append(f"of the gap: {shares}")
    low, high = predicted.step_time.low, predicted.step_time.high
    if low < high:
        inside = low <= measured.step_time.nominal <= high
        remarks.append(f"the measured step lies {'inside' if inside else 'outside'} the predicted 80 % range")
    if measured.plan.strategy.recompute != "none" and facts.traffic:
        remarks.append("predicted sends leave out those of the second forward pass")
    strategy = measured.plan.strategy
    if strategy.ep > 1 and strategy.ep_kind == "deduplicated" and "ep" in facts.traffic:
        priced = predict_traffic(measured.plan)["ep"] / count_sends(measured.plan)["ep"]
        remarks.append(
            "predicted ep sends are those of this trainer, which sends every copy of a token; the plan is priced for a"
            f" dispatcher that sends a token once to each rank: {format_percent(priced, 0)} of these bytes"
        )
    if facts.profiled_time:
        slower = facts.profiled_time / measured.step_time.nominal - 1.0
        remarks.append(
            f"terms are of one profiled step ({slower * 100:+.0f} % on the median step), scaled to the median"
        )
    return tuple(remarks)
