"""The number formats of a job as options of Megatron-LM and MindSpeed-LLM."""

from __future__ import annotations

from tianji.exporters.contract import Limits
from tianji.exporters.formats.arguments import Argument, Tree
from tianji.exporters.megatron_family.dialect import Dialect
from tianji.parallel.plan import Plan
from tianji.workload import PRECISIONS, Precision
from tianji.workload.formats import MAIN_WEIGHTS

MOMENTS = {12.0: "fp32", 8.0: "bf16", 6.0: "fp8"}
"""Dtype of Adam's moments by bytes of optimizer state for a parameter, with an fp32 master copy."""

NARROW = ("fp8", "fp4")
"""Formats of linear layers that are scaled by a recipe."""


def narrow_recipe(precision: Precision) -> str:
    """Return Transformer Engine's name for the scaling of fp8 linear layers."""
    if precision.name.startswith("mxfp8"):
        return "mxfp8"
    return "blockwise" if precision.block_scaled else "tensorwise"


def precision_arguments(plan: Plan, limits: Limits, dialect: Dialect) -> Tree:
    """Return the options of the number formats; sizes that the framework does not have are refused."""
    p = plan.job.precision
    arguments: list[Argument] = []
    if p.linear != "fp32":
        arguments.append(Argument("--fp16" if p.high == "fp16" else "--bf16"))
    if p.linear == "fp8":
        kind = dialect.fp8_formats.get(p.name, "hybrid")
        comment = "e4m3 forward, e5m2 for gradients" if kind == "hybrid" else ""
        arguments.append(Argument("--fp8-format", kind, comment))
        arguments.append(Argument("--fp8-recipe", narrow_recipe(p)))
    elif p.linear == "fp4":
        arguments.append(Argument("--fp4-format", "e2m1"))
        arguments.append(Argument("--fp4-recipe", "nvfp4"))
    elif p.linear not in ("bf16", "fp16", "fp32"):
        limits.refuse(f"precision {p.name}: it has no recipe with linear layers in {p.linear}")
    arguments += _gradients(p, limits)
    return (
        *arguments,
        *_moments(plan, limits, dialect),
        *dialect.main_weights.get(p.main, ()),
        *dialect.losses.get(p.loss, ()),
    )


def _gradients(p: Precision, limits: Limits) -> list[Argument]:
    if p.gradient_size == 4.0:
        if p.linear == "fp16":
            return [Argument("--accumulate-allreduce-grads-in-fp32", None, "as the plan counts gradients")]
        return []
    if p.gradient_size == 2.0 and p.linear == "fp16":
        return []
    if p.gradient_size == 2.0:
        return [Argument("--grad-reduce-in-bf16", None, "gradients of 2 bytes")]
    limits.refuse(f"gradients of {p.gradient_size:g} bytes: it keeps them in 4 or 2")
    return []


def _moments(plan: Plan, limits: Limits, dialect: Dialect) -> Tree:
    p, s = plan.job.precision, plan.strategy
    if p.optimizer != "adamw" or p.main not in ("fp32", *dialect.main_weights):
        return ()
    usual = PRECISIONS["fp32"].optimizer_size if p.linear == "fp32" else PRECISIONS["bf16"].optimizer_size
    if p.optimizer_size in (usual, usual - (MAIN_WEIGHTS["fp32"] - MAIN_WEIGHTS[p.main])):
        return ()
    dtype = MOMENTS.get(p.optimizer_size, "")
    if dtype not in dialect.moments or p.linear == "fp32" or s.zero == 0:
        offered = " or ".join(dialect.moments)
        limits.refuse(
            f"{p.optimizer_size:g} bytes of optimizer state for a parameter: it offers moments in {offered}, and only beside a"
            " distributed optimizer with fp32 master weights"
        )
        return ()
    # Offloading brings the optimizer that knows dtypes by itself.
    given = {option.name for option in dialect.offload(plan)}
    return tuple(option for option in dialect.moments[dtype] if option.name not in given)
