"""Towers: the layers of a vision-language model that see the images, set before those that see the text.

A ``config.json`` says how many layers a tower has and how wide they are, and not how many images a sequence holds or how large
they are: that is the job's. :func:`with_tower` takes both and returns one model of blocks, the tower's first. Files of
``data/towers`` say what the keys of ``vision_config`` mean, as those of families do; ``[names]`` are computed on the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from tianji.errors import FormatError, UnsupportedModelError
from tianji.workload.expressions import names_in
from tianji.workload.family_files import FamilyFile, complete_table, load_tables, make_family
from tianji.workload.huggingface import read_config
from tianji.workload.keys import Keys
from tianji.workload.model import Model
from tianji.workload.patterned import read_patterned

MOST_IMAGES = 100_000
"""In one sequence."""
MOST_IMAGE_TOKENS = 1_000_000
"""Of one image."""


@dataclass(frozen=True)
class TowerFile:
    """What the keys of a vision_config mean: a family, and names that are computed from keys, in their order."""

    family: FamilyFile
    names: Mapping[str, object]
    classes: tuple[str, ...]
    """The ``model_type`` of the vision_configs that are understood."""


@cache
def load_towers() -> dict[str, TowerFile]:
    """Return all towers by the ``model_type`` of the whole file."""
    tables = load_tables("towers")
    whole = {name: complete_table(name, tables) for name in tables}
    towers = {
        name: TowerFile(make_family(name, table), table["names"], tuple(table["architectures"]))
        for name, table in whole.items()
    }
    return {kind: towers[name] for name, table in whole.items() for kind in table["model_types"]}


def with_tower(data: Mapping[str, object], name: str, where: str, images: int, image_tokens: int = 0) -> Model:
    """Return the model of a ``config.json`` with its tower's layers before the text's, all of them trained.

    ``images`` is how many a sequence holds, ``image_tokens`` how many tokens of the sequence one of them is; 0 where the tower
    takes images of one size alone. An image's patches see each other, not those of other images.

    Raises UnsupportedModelError for a tower that no file describes, FormatError for numbers that make no sense.
    """
    if not 1 <= images <= MOST_IMAGES:
        raise FormatError(f"images: expected 1 to {MOST_IMAGES:,} in a sequence, got {images:,}")
    text = read_config(data, name, where, as_blocks=True)
    tower, keys = _keys(data, where, text.hidden_size, images, image_tokens)
    layers = read_patterned(tower.family, keys, name)
    tokens = keys.whole("image_tokens")
    outside = {word: keys.whole(tower.family.model[word]) for word in ("patch_embedding", "projection", "other")}
    patches = keys.whole("patches") * layers.hidden_size * keys.whole("patch_width")
    macs = patches + tokens * keys.whole(tower.family.model["projection_macs"])
    blocks = tuple(replace(block, hidden_size=layers.hidden_size) for block in layers.blocks)
    return replace(
        text,
        num_layers=layers.num_layers + text.num_layers,
        blocks=blocks + text.blocks,
        pattern=layers.pattern + tuple(len(blocks) + i for i in text.pattern),
        embedding_extra=text.embedding_extra + sum(outside.values()),
        stem_width=max(1, round(macs / (tokens * text.hidden_size))),
        stem_tokens=images * tokens,
        remark=f"{layers.num_layers} layers of a tower before {text.num_layers} of text: {images} images a sequence, "
        f"{keys.whole('patches'):,} patches and {tokens:,} tokens each; all of it trained",
    )


def _keys(
    data: Mapping[str, object], where: str, text_width: int, images: int, image_tokens: int
) -> tuple[TowerFile, Keys]:
    """Return the tower of a file, and its keys with the names that are computed from them."""
    kind, vision = data.get("model_type"), data.get("vision_config")
    tower = load_towers().get(str(kind))
    if not isinstance(vision, Mapping):
        raise FormatError(f"{where}: no vision_config in it: it describes no tower")
    if tower is None or str(vision.get("model_type", kind)) not in (*tower.classes, kind):
        raise UnsupportedModelError(
            f"{where}: the tower {vision.get('model_type', '')!s:.60} of {kind!s:.60} is not understood; understood are those of "
            f"{', '.join(sorted(load_towers()))}"
        )
    stated = {k: v for k, v in vision.items() if not isinstance(v, Mapping)}
    file = {k: v for k, v in data.items() if isinstance(v, int | float | str)}
    read = Keys.of(tower.family, {**stated, "text_config": {"hidden_size": text_width}, "file": file}, where, {})
    values: dict[str, Any] = dict(read.values)
    keys = Keys(values, read.stated, where, read.used)
    _compute("own_tokens", tower.names, keys, values)
    own = int(values["own_tokens"])
    if not own and not 1 <= image_tokens <= MOST_IMAGE_TOKENS:
        raise FormatError(
            f"{where}: images of this tower keep their size: expected how many tokens one of them is (--image-tokens), 1 to "
            f"{MOST_IMAGE_TOKENS:,}; got {image_tokens:,}"
        )
    if own and image_tokens not in (0, own):
        raise FormatError(f"{where}: each image is {own:,} tokens in this model, not {image_tokens:,}")
    values |= {"images": images, "image_tokens": own or image_tokens}
    for word in tower.names:
        _compute(word, tower.names, keys, values)
    return tower, keys


def _compute(word: str, names: Mapping[str, object], keys: Keys, values: dict[str, Any]) -> None:
    """Put what a name comes to among the values, after the names that it hangs on."""
    for needed in sorted(names_in(str(names[word])) & names.keys() - {word}):
        _compute(needed, names, keys, values)
    values[word] = keys.value(names[word])
