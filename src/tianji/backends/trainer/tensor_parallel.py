"""Tensor and sequence parallelism: what DTensor does with each module of a layer.

With sequence parallelism the stream between the modules is cut by tokens: it is gathered before a column-cut matmul and
reduce-scattered after a row-cut one. Without, it is whole, and all-reduced. Gathering at the module's door
(``PrepareModuleInput``) instead of at each matmul keeps q, k and v, or gate and up, down to one collective.
"""

from __future__ import annotations

from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import Replicate, Shard, distribute_tensor
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    ParallelStyle,
    PrepareModuleInput,
    RowwiseParallel,
    SequenceParallel,
    parallelize_module,
)
from torch.distributed.tensor.placement_types import Placement

from tianji.backends.trainer.attention import LatentAttention, SelfAttention
from tianji.backends.trainer.moe import MixtureOfExperts, SwiGLU
from tianji.backends.trainer.recurrent import RecurrentMixer
from tianji.backends.trainer.transformer import Transformer, TransformerLayer

Styles = dict[str, ParallelStyle]


def cut_tensors(part: Transformer, tp: DeviceMesh, *, sequence_parallel: bool) -> None:
    """Cut a part's matrices over the tensor ranks of a one-dimensional mesh."""
    if tp.size() == 1:
        return
    stream: Placement = Shard(1) if sequence_parallel else Replicate()
    for _, layer in part.named_layers():
        parallelize_module(layer, tp, _layer_styles(layer, stream, tp.size()), src_data_rank=None)
        if isinstance(layer.attention, RecurrentMixer):
            _cut_heads(layer.attention, tp)
        for module in (layer,) if sequence_parallel else (layer.attention,):
            _replicate_rest(module, tp)
    ends: Styles = {"norm": _norm()} if sequence_parallel else {}
    ends["embedding"] = RowwiseParallel(input_layouts=Replicate(), output_layouts=stream)
    ends["head"] = ColwiseParallel(input_layouts=stream, output_layouts=Shard(-1), use_local_output=False)
    here = {name: style for name, style in ends.items() if getattr(part, name) is not None}
    parallelize_module(part, tp, here, src_data_rank=None)


def cut_experts(part: Transformer, ep: DeviceMesh) -> None:
    """Spread each layer's experts over the expert ranks of a one-dimensional mesh."""
    if ep.size() == 1:
        return
    for _, layer in part.named_layers():
        if isinstance(layer.mlp, MixtureOfExperts):
            layer.mlp.group = ep.get_group()
            for name, weight in list(layer.mlp.experts.named_parameters()):
                cut = distribute_tensor(weight.data, ep, [Shard(0)], src_data_rank=None)
                layer.mlp.experts.register_parameter(name, nn.Parameter(cut))


def _layer_styles(layer: TransformerLayer, stream: Placement, size: int) -> Styles:
    styles: Styles = {}
    if stream.is_shard():
        # What follows a norm in front turns its output into what it needs; a norm behind adds to the stream.
        doors = {"attention_norm": False, "mlp_norm": False, "attention_post_norm": True, "mlp_post_norm": True}
        styles = {name: _norm(is_local=doors[name]) for name in doors if getattr(layer, name) is not None}
    if layer.attention is not None:
        styles |= _mixer_styles(layer.attention, stream, size)
    return styles | (_mlp_styles(layer.mlp, "mlp", stream) if layer.mlp is not None else {})


def _mixer_styles(mixer: nn.Module, stream: Placement, size: int) -> Styles:
    if isinstance(mixer, SelfAttention):
        return _head_styles(mixer, stream, size)
    if isinstance(mixer, LatentAttention):
        return _latent_styles(stream)
    if isinstance(mixer, RecurrentMixer):
        columns = {f"attention.{name}": ColwiseParallel() for name in mixer.columns}
        return {"attention": _gathered(stream), "attention.wo": RowwiseParallel(output_layouts=stream), **columns}
    raise TypeError(f"no cut is known for {type(mixer).__name__}")


def _norm(*, is_local: bool = False) -> ParallelStyle:
    return SequenceParallel(sequence_dim=1, use_local_output=is_local)


def _gathered(stream: Placement) -> ParallelStyle:
    return PrepareModuleInput(input_layouts=(stream, None), desired_input_layouts=(Replicate(), None))


def _head_styles(attention: SelfAttention, stream: Placement, size: int) -> Styles:
    """Each rank has some of the heads; the norms of queries and keys see a stream cut by heads.

    Key-value heads that are fewer than the ranks are computed by all of them.
    """
    styles: Styles = {"attention": _gathered(stream), "attention.wo": RowwiseParallel(output_layouts=stream)}
    columns = ["wq", *(("wk", "wv") if attention.num_key_value_heads % size == 0 else ())]
    columns += ["wg"] if attention.wg is not None else []
    styles |= {f"attention.{name}": ColwiseParallel() for name in columns}
    if isinstance(attention.q_norm, nn.RMSNorm):
        for name in ("q_norm", "k_norm"):
            styles[f"attention.{name}"] = SequenceParallel(sequence_dim=2, use_local_output=True)
    return styles


def _latent_styles(stream: Placement) -> Styles:
    """The down projections work on each rank's own tokens; the latents, not the stream, are gathered."""
    enter = PrepareModuleInput(input_layouts=(stream, None), desired_input_layouts=(stream, None))
    styles: Styles = {"attention": enter, "attention.wo": RowwiseParallel(output_layouts=stream)}
    return styles | {f"attention.{name}": ColwiseParallel(input_layouts=stream) for name in ("q_up", "kv_up")}


def _cut_heads(mixer: RecurrentMixer, tp: DeviceMesh) -> None:
    """Cut what a mixer with a recurrence holds beside its projections: a row for each head or channel."""
    mixer.group = tp.get_group()
    for name, weight in list(mixer.named_parameters(recurse=False)):
        placement = Replicate() if name in mixer.shared else Shard(0)
        mixer.register_parameter(
            name, nn.Parameter(distribute_tensor(weight.data, tp, [placement], src_data_rank=None))
        )


def _mlp_styles(mlp: nn.Module, path: str, stream: Placement) -> Styles:
    if isinstance(mlp, MixtureOfExperts):
        enter = PrepareModuleInput(input_layouts=(stream,), desired_input_layouts=(stream,))
        return {path: enter, **(_mlp_styles(mlp.shared, f"{path}.shared", stream) if mlp.shared else {})}
    if not isinstance(mlp, SwiGLU):
        raise TypeError(f"no cut is known for {type(mlp).__name__}")
    enter = PrepareModuleInput(input_layouts=(stream,), desired_input_layouts=(Replicate(),))
    columns = {f"{path}.{name}": ColwiseParallel() for name in ("up", "gate") if getattr(mlp, name) is not None}
    return {path: enter, f"{path}.down": RowwiseParallel(output_layouts=stream), **columns}


def _replicate_rest(part: nn.Module | None, tp: DeviceMesh) -> None:
    """Make what no style touched replicated DTensors, so that the gradients of ranks with different tokens are summed."""
    for name, module in part.named_modules() if part is not None else ():
        own = dict(module.named_parameters(recurse=False))
        if own and "experts" not in name.split(".") and not any(hasattr(p, "placements") for p in own.values()):
            for key, weight in own.items():
                copy = distribute_tensor(weight.data, tp, [Replicate()], src_data_rank=None)
                module.register_parameter(key, nn.Parameter(copy))
