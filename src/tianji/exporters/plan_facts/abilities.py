"""What a plan keeps where and in which format, against what a framework can keep: one value for each framework."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tianji.exporters.contract import Limits
from tianji.parallel.plan import Plan
from tianji.parallel.strategy import read_modules
from tianji.workload.formats import LOSSES

Condition = Callable[[Plan], bool]

ANY_LOSS = tuple(LOSSES)
"""Of a framework whose loss is the model's own code."""


def never(plan: Plan) -> bool:
    """Return False: a framework has no setting for it."""
    return False


def always(plan: Plan) -> bool:
    """Return True: a framework takes it from any plan."""
    return True


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a framework offloads, recomputes by name, and keeps in which format; the defaults are what every one has."""

    optimizer: Condition = never
    """Plans whose optimizer's state it keeps in host memory."""
    fraction: Condition = never
    """Plans of which it keeps a part of that there."""
    updates: tuple[str, ...] = ("host",)
    """Who may update it."""
    overlap: Condition = never
    """Plans whose copies it runs beside the update."""
    activations: Condition = never
    """Plans whose activations it keeps there."""
    why_activations: str = "it has no setting for it"
    """Why it refuses the others."""
    weights: Condition = never
    """Plans whose sharded weights it keeps there."""
    modules: Callable[[tuple[str, ...]], bool] = lambda modules: False
    """Sets of modules that it recomputes by name."""
    zero_kinds: tuple[str, ...] = ("layers",)
    optimizers: tuple[str, ...] = ("adamw",)
    main_weights: tuple[str, ...] = ("fp32",)
    losses: tuple[str, ...] = ("plain",)

    def apply(self, plan: Plan, limits: Limits) -> None:
        """Refuse what the framework would run otherwise than the plan is priced."""
        for reason in (*self._offloading(plan), *self._formats(plan)):
            limits.refuse(reason)

    def _offloading(self, plan: Plan) -> Iterator[str]:
        s = plan.strategy
        if s.offload_weights and not self.weights(plan):
            yield "offload_weights: it has no setting for it"
        if s.offload_activations and not self.activations(plan):
            yield f"offload_activations={s.offload_activations:g}: {self.why_activations}"
        if not s.offload_optimizer or (s.offload_weights and self.weights(plan)):
            return
        if not self.optimizer(plan):
            yield "offload_optimizer: it has no setting for it"
            return
        if s.offload_optimizer < 1 and not self.fraction(plan):
            yield f"offload_optimizer={s.offload_optimizer:g}: it offloads all of the state or none"
        if s.offload_update not in self.updates:
            known = " or ".join(self.updates)
            yield f"offload_update={s.offload_update}: the {known} updates what it offloads (take offload_update={known})"
        if s.offload_overlap and not self.overlap(plan):
            yield "offload_overlap: it has no setting for it"

    def _formats(self, plan: Plan) -> Iterator[str]:
        s, p = plan.strategy, plan.job.precision
        if s.recompute_modules and not self.modules(named_modules(plan)):
            yield f"recompute_modules={s.recompute_modules}: it has no setting for exactly these"
        if s.zero and s.cp * s.dp > 1 and s.zero_kind not in self.zero_kinds:
            own = " or ".join(self.zero_kinds)
            yield f"zero_kind={s.zero_kind}: it gathers {own} (take zero_kind={self.zero_kinds[0]})"
        kept = (("optimizer", self.optimizers), ("main", self.main_weights), ("loss", self.losses))
        for name, known in kept:
            if getattr(p, name) not in known:
                yield f"{name} {getattr(p, name)}: the files written here set {' or '.join(known)}"


def named_modules(plan: Plan) -> tuple[str, ...]:
    """Return the modules that a plan names, those left out that its model does not have."""
    model = plan.job.model
    idle = {"moe_act", "moe", "shared_experts"} if model.moe is None else set()
    idle |= {"shared_experts"} if model.moe and not model.moe.shared_intermediate_size else set()
    idle |= {"mla_up_proj"} if model.mla is None else set()
    return tuple(module for module in read_modules(plan.strategy.recompute_modules) if module not in idle)
