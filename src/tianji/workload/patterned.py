"""Models whose layers differ: a ``config.json`` read by its family's file into a pattern of blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tianji.errors import FormatError, UnsupportedModelError
from tianji.workload.blocks import BlockParts, LayerBlock, PartSizes, parts_of
from tianji.workload.expressions import names_in
from tianji.workload.family_files import BLOCK_FIELDS, SWITCHES, WORDS, FamilyFile, part_names
from tianji.workload.keys import LARGEST, LARGEST_BY_KEY, Keys
from tianji.workload.model import Model, MoE
from tianji.workload.ops import Matmul
from tianji.workload.rules import deal_layers

MOST_LAYERS = 10_000
"""The rules of a family deal every layer by itself."""
LARGEST_SIZE = 10**10
"""Of a size or a number of parameters of one part."""
COMMON_KEYS = frozenset(
    {"attention_hidden_size", "hidden_size", "num_attention_heads", "num_hidden_layers", "num_key_value_heads", "head_dim",
     "intermediate_size"}
)  # fmt: skip
"""Keys that models of all families have."""
MOST_PARAMETERS = 10**16
"""Ten thousand times the largest model: sums of bytes stay far inside 64 bits."""


def read_patterned(family: FamilyFile, keys: Keys, name: str) -> Model:
    """Return the model that the keys of a ``config.json`` describe, as a pattern of blocks.

    Raises FormatError for a key that is missing or makes no sense, UnsupportedModelError for a variant that is not understood.
    """
    where = keys.where
    _refuse_variants(family, keys)
    sizes = {word: keys.value(expression) for word, expression in family.model.items()}
    hidden, num_layers = _count(family, keys, sizes, "hidden_size"), _count(family, keys, sizes, "num_layers")
    num_mtp_layers = _number(sizes, "num_mtp_layers", where)
    for word, layers in (("num_layers", num_layers), ("num_mtp_layers", num_mtp_layers)):
        if not 0 <= layers <= MOST_LAYERS:
            raise FormatError(f"{where}: {word}: expected at most {MOST_LAYERS:,}, got {layers:,}")
    blocks, pattern = _looped(*_pattern(family, keys, sizes, num_layers), sizes, where)
    _check_signature(family, keys, blocks)
    norm_bias = bool(sizes.get("norm_bias"))
    parts = [parts_of(block, hidden, norm_bias) for block in blocks]
    attention = [a for p in parts for _, a in p.layer.attention if a.v_dim]
    scans = [s for p in parts for s in p.layer.scans]
    heads = max([a.num_heads for a in attention], default=0) or max((s.num_heads for s in scans), default=1)
    dense = [p.mlp for p in parts if p.mlp and not p.layer.experts]
    _check_parts(parts, where)
    outputs = _number(sizes, "outputs", where) if "outputs" in sizes else None
    vocab = _count(family, keys, sizes, "vocab_size") if outputs is None else _number(sizes, "vocab_size", where)
    model = Model(
        name=name,
        family=str(keys.stated.get("model_type") or next(iter(family.model_types), family.name)),
        hidden_size=hidden,
        num_layers=len(pattern),
        num_attention_heads=heads,
        num_key_value_heads=max([a.num_key_value_heads for a in attention], default=heads),
        head_dim=max([a.qk_dim for a in attention], default=0) or hidden // heads,
        intermediate_size=max((_width(p.matmuls) for p in dense), default=hidden),
        vocab_size=vocab,
        outputs=None if outputs and outputs == vocab else outputs,
        tied_embeddings=bool(sizes.get("tied")),
        moe=_experts(parts),
        num_mtp_layers=num_mtp_layers,
        max_position_embeddings=keys.whole("max_position_embeddings"),
        learned_positions=_number(sizes, "learned_positions", where),
        stem_width=_number(sizes, "stem_width", where),
        stem_tokens=_number(sizes, "stem_tokens", where),
        head_width=_number(sizes, "head_width", where),
        embedding_norm=bool(sizes.get("embedding_norm")),
        embedding_size=_table_width(sizes, hidden, where),
        norm_bias=norm_bias,
        source=where,
        blocks=blocks,
        pattern=pattern,
        embedding_extra=_number(sizes, "embedding_extra", where),
        head_extra=_number(sizes, "head_extra", where)
        - (0 if sizes.get("final_norm", True) else hidden * (1 + norm_bias)),
    )
    if model.num_parameters > MOST_PARAMETERS:
        raise FormatError(f"{where}: {model.num_parameters:.3g} parameters; expected at most {MOST_PARAMETERS:.0e}")
    return model


def _pattern(
    family: FamilyFile, keys: Keys, sizes: Mapping[str, Any], num_layers: int
) -> tuple[tuple[LayerBlock, ...], tuple[int, ...]]:
    """Return the blocks of a model and, for each layer, which it is."""
    overrides = keys.values.get(family.layer_overrides)
    own_keys = any(isinstance(keys.values.get(key), list) for key in family.each.values())
    if own_keys or (isinstance(overrides, Mapping) and overrides):
        made = []
        for i in range(num_layers):
            own = keys.of_layer(family.each, i, family.layer_overrides)
            mixer, mlp = (deal_layers(family.layers[part], own, num_layers)[i] for part in ("mixer", "mlp"))
            made.append(_block(family, own, mixer, mlp, sizes))
        blocks = list(dict.fromkeys(made))
        return tuple(blocks), tuple(blocks.index(block) for block in made)
    names = list(zip(*(deal_layers(family.layers[part], keys, num_layers) for part in ("mixer", "mlp")), strict=True))
    names = _with_layers_before(family, names, _number(sizes, "before_own", keys.where))
    distinct = list(dict.fromkeys(names))
    return (
        tuple(_block(family, keys, mixer, mlp, sizes) for mixer, mlp in distinct),
        tuple(distinct.index(pair) for pair in names),
    )


def _with_layers_before(family: FamilyFile, names: list[tuple[str, str]], num_own: int) -> list[tuple[str, str]]:
    """Return the mixers and MLPs of all layers, those that a family puts before some of them included."""
    whole: list[tuple[str, str]] = []
    count = 0
    for mixer, mlp in names:
        if mixer in family.before:
            own, dense, shared = family.before[mixer]
            whole.append((own if count < num_own else shared, dense))
            count += 1
        whole.append((mixer, mlp))
    return whole


def _looped(
    blocks: tuple[LayerBlock, ...], pattern: tuple[int, ...], sizes: Mapping[str, Any], where: str
) -> tuple[tuple[LayerBlock, ...], tuple[int, ...]]:
    """Return the blocks and the pattern with each pass through looped layers; later passes have no weights of their own.

    Raises FormatError for loops that go beyond the layers.
    """
    start, count, passes = (_number(sizes, word, where) for word in ("loop_start", "loop_layers", "loop_passes"))
    if not count or passes < 2:
        return blocks, pattern
    if start < 0 or not 0 < count <= len(pattern) - start or len(pattern) + (passes - 1) * count > MOST_LAYERS:
        raise FormatError(
            f"{where}: {count} looped layers from layer {start} on, {passes} times; the model has {len(pattern)} layers"
        )
    looped = pattern[start : start + count]
    kinds = list(dict.fromkeys(looped))
    again = tuple(len(blocks) + kinds.index(i) for i in looped) * (passes - 1)
    shared = tuple(replace(blocks[i], is_shared=True) for i in kinds)
    end = start + count
    return (*blocks, *shared), (*pattern[:end], *again, *pattern[end:])


PLAIN_PARTS = ("attention", "cross_attention", "source_attention", "dense", "linear")
"""Parts whose sizes are spelt alike in all families."""


def _check_signature(family: FamilyFile, keys: Keys, blocks: Sequence[LayerBlock]) -> None:
    """Raise UnsupportedModelError for a file that states attention or MLP, and nothing of a part that its family has besides.

    Such a file is of another family: classes write all sizes of their own parts.
    """
    kinds = {part.kind for block in blocks for part in (block.mixer, block.mlp) if part} - set(PLAIN_PARTS)
    tables = [*family.dealt("mixer").values(), *family.dealt("mlp").values()]
    plain = {name for table in tables if table["kind"] in PLAIN_PARTS for name in part_names(table)}
    if not kinds or not (keys.stated.keys() & {"num_attention_heads", "intermediate_size", "num_key_value_heads"}):
        return
    for kind in sorted(kinds):
        own = {name for table in tables if table["kind"] == kind for name in part_names(table)} - plain - COMMON_KEYS
        known = {name for name in own if keys.values.get(name) is not None or name in keys.of_class}
        if own and not any(name.partition("__")[0] in keys.stated for name in own) and known:
            raise UnsupportedModelError(
                f"{keys.where}: models of {family.name} have {kind.replace('_', ' ')}, but the file states none of "
                f"{', '.join(sorted(own))}; set model_type to the family that the model is of, or state them"
            )


def _check_parts(parts: Sequence[BlockParts], where: str) -> None:
    """Raise FormatError for heads and experts that contradict each other."""
    for part in parts:
        for _, a in part.layer.attention:
            if a.v_dim and (not a.num_key_value_heads or a.num_heads % a.num_key_value_heads):
                raise FormatError(
                    f"{where}: {a.num_heads} attention heads do not divide into {a.num_key_value_heads} key-value heads"
                )
        experts = part.layer.experts
        if experts is None:
            continue
        if not 1 <= experts.top_k <= experts.num_experts:
            raise FormatError(
                f"{where}: each token goes to {experts.top_k} experts, but there are only {experts.num_experts}"
            )
        groups, chosen = experts.routing
        if not 1 <= chosen <= groups or experts.num_experts % groups:
            raise FormatError(
                f"{where}: experts from {chosen} of {groups} groups; expected no more than there are, and groups that divide "
                f"the {experts.num_experts} experts"
            )


def _refuse_variants(family: FamilyFile, keys: Keys) -> None:
    for key, wanted in family.must_be.items():
        value = keys.stated.get(key)
        understood = wanted if isinstance(wanted, list) else [wanted]
        if value is not None and value not in understood:
            only = " or ".join(map(repr, understood))
            raise UnsupportedModelError(
                f"{keys.where}: {key} = {value!r:.60} is a variant of {family.name} that is not understood; only {only} is"
            )


def _count(family: FamilyFile, keys: Keys, sizes: Mapping[str, Any], word: str) -> int:
    value = sizes.get(word)
    if value is None:
        raise keys.missing(sorted(names_in(str(family.model[word])), key=lambda name: name not in keys.stated)[:1])
    largest = LARGEST_BY_KEY.get(word, LARGEST)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= largest:
        key = str(family.model[word])
        raise FormatError(f"{keys.where}: {key}: expected a whole number from 1 to {largest:,}, got {value!r:.40}")
    return value


def _table_width(sizes: Mapping[str, Any], hidden: int, where: str) -> int:
    width = _number(sizes, "embedding_size", where)
    return width if width != hidden else 0


def stated_width(keys: Keys) -> int:
    """Return the width of the dense MLP that a file states, whether or not a layer has it; 0 where it states none."""
    width = next(
        (keys.values.get(key) for key in ("intermediate_size", "moe_intermediate_size") if keys.values.get(key)), 0
    )
    return width if isinstance(width, int) and width > 0 else 0


def _number(sizes: Mapping[str, Any], word: str, where: str) -> int:
    value = sizes.get(word) or 0
    if not isinstance(value, int):
        raise FormatError(f"{where}: {word}: expected a whole number, got {value!r:.40}")
    return value


def _block(family: FamilyFile, keys: Keys, mixer: str, mlp: str, sizes: Mapping[str, Any]) -> LayerBlock:
    specs = (_spec(family.mixers, mixer, keys), _spec(family.mlps, mlp, keys))
    norms = _number(sizes, "norms", keys.where)
    extra, streams = _number(sizes, "layer_extra", keys.where), _number(sizes, "residual_streams", keys.where) or 1
    table = family.mixers.get(mixer, {})
    own = {field: keys.whole(table.get(field, 0)) for field in BLOCK_FIELDS}
    if "num_norms" in table:
        norms = own["num_norms"]
    elif not all(specs):
        norms //= 2
    hidden = own["hidden_size"] if own["hidden_size"] != sizes["hidden_size"] else 0
    side = own["side"] + keys.whole(family.mlps.get(mlp, {}).get("side", 0)) + _number(sizes, "side", keys.where)
    return LayerBlock(*specs, norms, extra, hidden, own["tokens"], streams, side, bool(own["is_shared"]))


def _spec(known: Mapping[str, Mapping[str, object]], name: str, keys: Keys) -> PartSizes | None:
    if name == "none":
        return None
    numbers, words = [], []
    for field, expression in known[name].items():
        if field == "kind" or field in BLOCK_FIELDS:
            continue
        if field in WORDS:
            words.append((field, _word(expression, keys)))
            continue
        value = keys.value(expression)
        if value is None and field in SWITCHES:
            value = False
        if value is None:
            raise keys.missing(sorted(names_in(str(expression))))
        if not isinstance(value, int) or not 0 <= value <= LARGEST_SIZE:
            raise FormatError(f"{keys.where}: {expression}: expected a whole number, got {value!r:.40}")
        numbers.append((field, int(value)))
    return PartSizes(str(known[name]["kind"]), tuple(numbers), tuple(words))


def _word(choice: object, keys: Keys) -> str:
    if isinstance(choice, Mapping):
        choice = choice["then"] if keys.value(choice["when"]) else choice["else"]
    return str(choice)


def _width(matmuls: Sequence[Matmul]) -> int:
    return max(m.k for m in matmuls if m.cut == "row")


def _experts(parts: Sequence[BlockParts]) -> MoE | None:
    experts = next((p.layer.experts for p in parts if p.layer.experts), None)
    if experts is None:
        return None
    return MoE(
        num_experts=experts.num_experts,
        top_k=experts.top_k,
        intermediate_size=_width(experts.matmuls),
        num_groups=experts.routing[0],
        groups_per_token=experts.routing[1],
    )
