"""Low-rank adapters: what they add to a layer. A frozen matrix w of k by n becomes w + a b, with a of k by r and b of r by n."""

from __future__ import annotations

from typing import NamedTuple

from tianji.workload.layer_widths import layer_sizes
from tianji.workload.layers import model_layers
from tianji.workload.model import Model
from tianji.workload.ops import LayerOps, Matmul, Role
from tianji.workload.task import TrainingTask

_OF_ROLE = {
    Role.PROJECTION: "qkv",
    Role.EXPANSION: "qkv",
    Role.ATTENTION_OUTPUT: "proj",
    Role.MLP_IN: "mlp",
    Role.MLP_OUT: "mlp",
    Role.SHARED_EXPERT: "mlp",
}
_OF_CUT = {"column": "qkv", "row": "proj"}
"""What a matrix without a role is: parts of mixers that are not softmax attention."""


class AdapterSize(NamedTuple):
    """The adapters of one layer of a kind."""

    parameters: int
    """Of matrices that all tokens visit; a tensor cut divides them."""
    expert_parameters: int
    """Of all routed experts."""
    saved: float
    """Elements that one token leaves for their backward pass, in routed experts those of one choice left out."""
    expert_saved: float
    """The same for one choice of an expert."""
    targets: frozenset[str]
    """Of the layer's matrices those that have adapters."""


def target_of(matmul: Matmul) -> str:
    """Return which target a matrix that all tokens visit belongs to; an empty text where it never gets an adapter.

    Routers, logits and what has no weights never do, nor what a tensor cut leaves whole without a role.
    """
    if matmul.role is Role.PLAIN:
        return _OF_CUT.get(matmul.cut, "")
    return _OF_ROLE.get(matmul.role, "")


def adapted(layer: LayerOps, task: TrainingTask) -> tuple[Matmul, ...]:
    """Return the matrices of a layer that get adapters, those of routed experts left out."""
    return tuple(m for m in layer.matmuls if target_of(m) in task.adapter_targets)


def adapted_experts(layer: LayerOps, task: TrainingTask) -> tuple[Matmul, ...]:
    """Return the matrices of a routed expert that get adapters."""
    return layer.experts.matmuls if layer.experts and "experts" in task.adapter_targets else ()


def adapter_sizes(model: Model, task: TrainingTask) -> dict[str, AdapterSize]:
    """Return the adapters of one layer of each kind, by the names of :func:`tianji.workload.layers.model_layers`."""
    layers, rank = model_layers(model), task.adapter_rank
    sizes: dict[str, AdapterSize] = {}
    for kind in layer_sizes(model):
        layer = layers[kind]
        own, routed = adapted(layer, task), adapted_experts(layer, task)
        count = layer.experts.num_experts if layer.experts else 0
        words = {target_of(m) for m in own} | ({"experts"} if routed else set())
        sizes[kind] = AdapterSize(
            sum(rank * (m.k + m.n) for m in own),
            count * sum(rank * (m.k + m.n) for m in routed),
            1.0 * rank * len(own),
            1.0 * rank * len(routed),
            frozenset(words),
        )
    return sizes


def num_trained(model: Model, task: TrainingTask) -> int:
    """Return the parameters that a task trains."""
    if task.is_forward_only:
        return 0
    if not task.adapter_rank:
        return model.num_parameters
    sizes = adapter_sizes(model, task)
    if model.blocks:
        counts = {
            name: n for name, n in zip(sizes, (model.block_counts[i] for i in range(len(model.blocks))), strict=True)
        }
    else:
        counts = {"dense": model.num_dense_layers, "moe": model.num_moe_layers}
    return sum(
        n * (sizes[kind].parameters + sizes[kind].expert_parameters) for kind, n in counts.items() if kind in sizes
    )


def adapter_flops(layer: LayerOps, task: TrainingTask) -> float:
    """Return the FLOPs of a layer's adapters for one token, forward."""
    own = sum(2.0 * task.adapter_rank * (m.k + m.n) for m in adapted(layer, task))
    experts = layer.experts
    if experts is None:
        return own
    routed = sum(2.0 * task.adapter_rank * (m.k + m.n) for m in adapted_experts(layer, task))
    return own + experts.top_k * experts.computing * routed
