"""A model read from the modules of its own class: built by transformers on the meta device, so without weights.

Never remote code, never a network: the class must be one that the installed transformers has. Needs the extra ``tianji[hf]``.
What is not understood is said in the model's remark, and no shape is guessed.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from tianji.errors import FormatError, MissingExtraError, UnsupportedModelError
from tianji.workload.blocks import LayerBlock, PartSizes
from tianji.workload.model import Model

TOP_K = ("num_experts_per_tok", "num_experts_per_token", "moe_topk", "top_k", "moe_k", "top_k_experts")
CUTS = {"colwise": "column", "rowwise": "row"}
"""How the class's own tensor-parallel plan calls what :class:`tianji.workload.ops.Matmul` calls a cut."""
RECURRENT = ("A_log", "dt_bias", "conv1d", "decay", "time_decay")
"""Parts of names of parameters that a recurrence or a convolution over the tokens has."""


@dataclass(slots=True)
class _Layer:
    """What one layer of the class comes to."""

    matrices: Counter[str] = field(default_factory=Counter)
    attention: dict[str, int] = field(default_factory=dict)
    experts: dict[str, int] = field(default_factory=dict)
    small: int = 0

    def block(self) -> LayerBlock:
        """Return the layer as a block."""
        sizes = tuple({**self.attention, "small": self.small, **dict(sorted(self.matrices.items()))}.items())
        experts = PartSizes("experts", tuple(self.experts.items())) if self.experts else None
        return LayerBlock(PartSizes("traced", sizes), experts, num_norms=0)


def trace_config(data: Mapping[str, Any], name: str, where: str) -> Model:
    """Return the model of a ``config.json`` as the modules of its class in transformers say it.

    Raises MissingExtraError without transformers, UnsupportedModelError for a class that it does not have or cannot build.
    """
    config, model = _build(data, where)
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    prefix, layers = _layer_list(model, where)
    notes: list[str] = []
    plan = {pattern: str(style) for pattern, style in (getattr(model, "_tp_plan", None) or {}).items()}
    if not plan:
        notes.append("the class has no tensor-parallel plan: no matrix is cut")
    hidden = int(getattr(text, "hidden_size", 0) or 0)
    if hidden < 1:
        raise UnsupportedModelError(
            f"{where}: its class names no hidden_size, which all layers share; a model of unlike widths is not described"
        )
    traced = [_read_layer(layer, f"{prefix}.{i}", plan, text, hidden, notes) for i, layer in enumerate(layers)]
    made = [layer.block() for layer in traced]
    blocks = list(dict.fromkeys(made))
    vocab = int(getattr(text, "vocab_size", 0) or 0)
    tables, head, rest, outside = _outside(model, prefix, vocab)
    if rest > 4 * hidden:
        notes.append(f"outside the layers, counted and not priced: {rest:,} parameters ({', '.join(outside[:6])})")
    heads = max((layer.attention.get("num_heads", 0) for layer in traced), default=0) or 1
    tied = not head and hasattr(model, "get_output_embeddings") and model.get_output_embeddings() is not None
    traced_model = Model(
        name=name,
        family=str(data.get("model_type", "traced")),
        hidden_size=hidden,
        num_layers=len(made),
        num_attention_heads=heads,
        num_key_value_heads=max((layer.attention.get("num_key_value_heads", heads) for layer in traced), default=heads),
        head_dim=max((layer.attention.get("qk_dim", 0) for layer in traced), default=0) or hidden,
        intermediate_size=hidden,
        vocab_size=vocab,
        tied_embeddings=tied,
        outputs=None if head or tied else 0,
        max_position_embeddings=int(getattr(text, "max_position_embeddings", 0) or 0),
        source=where,
        blocks=tuple(blocks),
        pattern=tuple(blocks.index(block) for block in made),
        embedding_extra=tables - vocab * hidden + rest - hidden,
        head_extra=head - vocab * hidden if head else 0,
        remark="; ".join(dict.fromkeys(notes)),
    )
    in_class = sum(parameter.numel() for parameter in model.parameters())
    surplus = traced_model.num_parameters - in_class
    if not surplus:
        return traced_model
    notes.append(f"layers share {surplus:,} parameters: counted once, priced in each")
    extra = traced_model.embedding_extra - surplus
    return replace(traced_model, embedding_extra=extra, remark="; ".join(dict.fromkeys(notes)))


def _build(data: Mapping[str, Any], where: str) -> tuple[Any, Any]:
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        import torch
        import transformers
        from transformers.models.auto import modeling_auto
    except ImportError:
        raise MissingExtraError("hf", "transformers") from None
    kind = data.get("model_type")
    if kind not in transformers.CONFIG_MAPPING:
        raise UnsupportedModelError(
            f"{where}: transformers {transformers.__version__} has no model_type {kind!r:.60}, and remote code is never run"
        )
    transformers.logging.set_verbosity_error()
    try:
        config = transformers.CONFIG_MAPPING[kind].from_dict(dict(data))
        named = [getattr(transformers, str(n), None) for n in data.get("architectures") or []]
        mappings = (
            getattr(modeling_auto, m) for m in dir(modeling_auto) if m.startswith("MODEL_FOR_CAUSAL_LM_MAPPING")
        )
        classes = [*named, *(mapping.get(type(config), None) for mapping in mappings if hasattr(mapping, "get"))]
        classes += [modeling_auto.MODEL_MAPPING.get(type(config), None)]
        chosen = next((c for c in classes if isinstance(c, type)), None)
        if chosen is None:
            raise UnsupportedModelError(
                f"{where}: transformers {transformers.__version__} has no class for {kind!r:.60}"
            )
        with torch.device("meta"):
            return config, chosen(config)
    except UnsupportedModelError:
        raise
    except Exception as error:  # whatever the class makes of a file that it does not like
        raise FormatError(f"{where}: {kind} cannot be built from it: {type(error).__name__}: {error}"[:400]) from None


def _layer_list(model: Any, where: str) -> tuple[str, Any]:
    """Return the list of layers that holds the most parameters, with its path."""
    import torch

    lists = {
        path: module
        for path, module in model.named_modules()
        if isinstance(module, torch.nn.ModuleList) and ".experts" not in path and len(module)
    }
    if not lists:
        raise UnsupportedModelError(f"{where}: {type(model).__name__} has no list of layers")
    outer = {p: m for p, m in lists.items() if not any(p.startswith(f"{q}.") for q in lists)}
    path = max(outer, key=lambda p: sum(x.numel() for x in outer[p].parameters()))
    return path, outer[path]


def _outside(model: Any, prefix: str, vocab: int) -> tuple[int, int, int, list[str]]:
    """Return the parameters outside the layers: of tables of words, of the head, of the rest, and the names of the rest."""
    import torch

    tables, head, rest, names = 0, 0, 0, []
    for path, parameter in model.named_parameters():
        if path.startswith(f"{prefix}."):
            continue
        module = model.get_submodule(path.rpartition(".")[0])
        if isinstance(module, torch.nn.Embedding) and parameter.shape[0] == vocab and not tables:
            tables = parameter.numel()
        elif isinstance(module, torch.nn.Linear) and parameter.shape[0] == vocab:
            head += parameter.numel()
        else:
            rest += parameter.numel()
            names.append(path)
    return tables, head, rest, names


def _read_layer(layer: Any, path: str, plan: Mapping[str, str], config: Any, hidden: int, notes: list[str]) -> _Layer:
    import torch

    taken, counted = _Layer(), set()
    for name, module in layer.named_modules():
        full = f"{path}.{name}"
        if isinstance(module, torch.nn.Linear) or type(module).__name__ == "Conv1D":
            n, k = (
                (module.out_features, module.in_features)
                if isinstance(module, torch.nn.Linear)
                else module.weight.shape[::-1]
            )
            taken.matrices[f"{_cut(full, plan)}_{k}_{n}"] += 1
            counted.add(f"{name}.weight")
        if "Attention" in type(module).__name__ and not taken.attention:
            taken.attention = _attention(module, config, full, notes)
    for name, parameter in layer.named_parameters():
        if name in counted:
            continue
        if parameter.dim() == 3 and "experts" in name:
            _add_experts(taken, name, tuple(parameter.shape), config, hidden, notes)
        elif parameter.dim() == 2 and name.endswith("weight") and parameter.shape[1] == hidden:
            taken.matrices[f"none_{parameter.shape[1]}_{parameter.shape[0]}"] += 1  # a router
        else:
            taken.small += parameter.numel()
            kind = type(layer.get_submodule(name.rpartition(".")[0])).__name__
            if any(word in name for word in RECURRENT):
                notes.append(f"{kind}: its recurrence or convolution is not priced")
            elif parameter.dim() > 1 and parameter.numel() > hidden * 16:
                notes.append(f"{kind}: {name.rpartition('.')[2]} {list(parameter.shape)} is counted and not priced")
    if taken.experts and {"num_experts", "width"} - set(taken.experts):
        raise UnsupportedModelError(f"{path}: experts whose matrices are not understood")
    if taken.experts:
        # The router is among the traced matrices; the part called experts brings one of its own.
        router = f"none_{hidden}_{taken.experts['num_experts']}"
        if not taken.matrices.get(router):
            raise UnsupportedModelError(f"{path}: experts without a router of {router.removeprefix('none_')}")
        taken.matrices = taken.matrices - Counter({router: 1})
    return taken


def _cut(path: str, plan: Mapping[str, str]) -> str:
    for pattern, style in plan.items():
        if fnmatchcase(path, pattern) or fnmatchcase(path, f"*.{pattern}"):
            return next((cut for word, cut in CUTS.items() if word in style), "none")
    return "none"


def _attention(module: Any, config: Any, path: str, notes: list[str]) -> dict[str, int]:
    """Return the sizes of softmax attention, from the module's own attributes and matrices."""
    heads = int(getattr(module, "num_heads", 0) or getattr(config, "num_attention_heads", 0) or 0)
    names = ("o_proj", "out_proj", "dense", "c_proj", "wo")
    out = next((_inputs(getattr(module, n)) for n in names if hasattr(getattr(module, n, None), "weight")), 0)
    qk = int(getattr(module, "qk_head_dim", 0) or getattr(module, "head_dim", 0) or 0)
    if not heads or not out or not qk or out % heads:
        notes.append(f"{type(module).__name__}: its heads are not understood, so its scores are not priced")
        return {}
    groups = int(getattr(module, "num_key_value_groups", 1) or 1)
    window = getattr(module, "sliding_window", None)
    sizes = {"num_heads": heads, "num_key_value_heads": heads // groups, "qk_dim": qk, "v_dim": out // heads}
    return sizes | ({"window": int(window)} if isinstance(window, int) and window > 0 else {})


def _inputs(module: Any) -> int:
    inputs = getattr(module, "in_features", None)
    return int(module.weight.shape[0] if inputs is None else inputs)


def _add_experts(taken: _Layer, name: str, shape: tuple[int, ...], config: Any, hidden: int, notes: list[str]) -> None:
    count, *sides = shape
    if hidden not in sides:
        taken.small += count * sides[0] * sides[1]
        notes.append(f"experts: {name} {list(shape)} is counted and not priced")
        return
    width = sides[0] if sides[1] == hidden else sides[1]
    taken.experts.setdefault("num_experts", count)
    taken.experts.setdefault("extra", 0)
    top_k = next((getattr(config, key) for key in TOP_K if isinstance(getattr(config, key, None), int)), None)
    if top_k is None:
        raise UnsupportedModelError(
            "a layer of experts, but nothing in the configuration says how many each token goes to"
        )
    taken.experts["top_k"] = top_k
    if "down" in name or "output" in name or name.endswith("w2"):
        taken.experts["width"] = width
    else:
        taken.experts["gated"] = 1
