"""Towers: the layers of a model that see images or hear sound, set before those that see the text.

A ``config.json`` says how many layers a tower has and how wide they are, and not how many images or clips of sound a sequence
holds or how large they are: that is the job's. :func:`with_tower` takes both and returns one model of blocks, the towers' first.
Files of ``data/towers`` say what the keys of ``vision_config`` or ``audio_config`` (their ``part``) mean, as those of families
do; ``[names]`` are computed on the way. In all of them an image or a clip is an ``image``, a patch or a frame a ``patch``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

from tianji.errors import FormatError, UnsupportedModelError
from tianji.workload.expressions import names_in
from tianji.workload.family_files import FamilyFile, complete_table, load_tables, make_family
from tianji.workload.huggingface import read_config
from tianji.workload.keys import Keys
from tianji.workload.model import Model
from tianji.workload.patterned import read_patterned

MOST_IMAGES = 100_000
"""In one sequence; of clips, too."""
MOST_IMAGE_TOKENS = 1_000_000
"""Of one image or clip."""
VISION = "vision_config"


class Sense(NamedTuple):
    """What a tower takes in, in words."""

    one: str
    many: str
    patch: str
    option: str


SENSES = {
    VISION: Sense("image", "images", "patches", "--image-tokens"),
    "audio_config": Sense("clip", "clips", "frames", "--clip-tokens"),
}
"""By the key that holds a tower's own keys."""


@dataclass(frozen=True)
class TowerFile:
    """What the keys of a vision_config or an audio_config mean: a family, and names that are computed, in their order."""

    family: FamilyFile
    names: Mapping[str, object]
    classes: tuple[str, ...]
    """The ``model_type`` of the parts that are understood."""


@cache
def load_towers(part: str = VISION) -> dict[str, TowerFile]:
    """Return all towers of a part by the ``model_type`` of the whole file."""
    tables = load_tables("towers")
    whole = {name: complete_table(name, tables) for name in tables}
    whole = {name: table for name, table in whole.items() if table.get("part", VISION) == part}
    towers = {
        name: TowerFile(make_family(name, table), table["names"], tuple(table["architectures"]))
        for name, table in whole.items()
    }
    return {kind: towers[name] for name, table in whole.items() for kind in table["model_types"]}


def with_tower(
    data: Mapping[str, object], name: str, where: str, images: int = 0, image_tokens: int = 0, clips: int = 0,
    clip_tokens: int = 0,
) -> Model:  # fmt: skip
    """Return the model of a ``config.json`` with its towers' layers before the text's, all of them trained.

    ``images`` is how many a sequence holds, ``image_tokens`` how many tokens of the sequence one of them is; 0 where the tower
    takes images of one size alone. An image's patches see each other, not those of other images. ``clips`` and ``clip_tokens``
    are the same of sound; the tower of what a sequence holds none of is left out.

    Raises UnsupportedModelError for a tower that no file describes, FormatError for numbers that make no sense.
    """
    if not images and not clips:
        raise FormatError("expected how many images or clips of sound a sequence holds (--images, --clips)")
    model = read_config(data, name, where, as_blocks=True)
    part = _thinker(data)
    for key, count, tokens in (("audio_config", clips, clip_tokens), (VISION, images, image_tokens)):
        if not 0 <= count <= MOST_IMAGES:
            raise FormatError(f"{SENSES[key].many}: expected 1 to {MOST_IMAGES:,} in a sequence, got {count:,}")
        if count:
            model = _set_before(model, part, key, where, count, tokens)
    return model


def _thinker(data: Mapping[str, object]) -> Mapping[str, object]:
    """Return the part of a file that holds towers and text, where a talker stands beside it."""
    inner = data.get("thinker_config")
    if not isinstance(inner, Mapping):
        return data
    return {"model_type": f"{data.get('model_type')}_thinker", **inner}


def _set_before(
    text: Model, data: Mapping[str, object], part: str, where: str, images: int, image_tokens: int
) -> Model:
    """Return a model with one tower's layers before those that it has."""
    sense = SENSES[part]
    tower, keys = _keys(data, part, where, text.hidden_size, images, image_tokens)
    layers = read_patterned(tower.family, keys, text.name)
    tokens = keys.whole("image_tokens")
    outside = {word: keys.whole(tower.family.model[word]) for word in ("patch_embedding", "projection", "other")}
    patches = keys.whole("patches") * layers.hidden_size * keys.whole("patch_width")
    macs = images * (patches + tokens * keys.whole(tower.family.model["projection_macs"]))
    macs += text.stem_tokens * text.stem_width * text.hidden_size
    stem_tokens = text.stem_tokens + images * tokens
    blocks = tuple(replace(block, hidden_size=layers.hidden_size) for block in layers.blocks)
    of = f"{images} {sense.many} a sequence, {keys.whole('patches'):,} {sense.patch} and {tokens:,} tokens each"
    first = "a tower" if text.stem_tokens else f"a tower before {text.num_layers} of text"
    after = text.remark if text.stem_tokens else "all of it trained"
    return replace(
        text,
        num_layers=layers.num_layers + text.num_layers,
        blocks=blocks + text.blocks,
        pattern=layers.pattern + tuple(len(blocks) + i for i in text.pattern),
        embedding_extra=text.embedding_extra + sum(outside.values()),
        stem_width=max(1, round(macs / (stem_tokens * text.hidden_size))),
        stem_tokens=stem_tokens,
        remark=f"{layers.num_layers} layers of {first}: {of}; {after}",
    )


def _keys(
    data: Mapping[str, object], part: str, where: str, text_width: int, images: int, image_tokens: int
) -> tuple[TowerFile, Keys]:
    """Return the tower of a file, and its keys with the names that are computed from them."""
    kind, own_keys, sense, known = data.get("model_type"), data.get(part), SENSES[part], load_towers(part)
    tower = known.get(str(kind))
    if not isinstance(own_keys, Mapping):
        raise FormatError(f"{where}: no {part} in it: it describes no tower for {sense.many}")
    if tower is None or str(own_keys.get("model_type", kind)) not in (*tower.classes, kind):
        raise UnsupportedModelError(
            f"{where}: the tower {own_keys.get('model_type', '')!s:.60} of {kind!s:.60} is not understood; understood are those "
            f"of {', '.join(sorted(known))}"
        )
    stated = {k: v for k, v in own_keys.items() if not isinstance(v, Mapping)}
    file = {k: v for k, v in data.items() if isinstance(v, int | float | str)}
    read = Keys.of(tower.family, {**stated, "text_config": {"hidden_size": text_width}, "file": file}, where, {})
    values: dict[str, Any] = dict(read.values)
    keys = Keys(values, read.stated, where, read.used)
    _compute("own_tokens", tower.names, keys, values)
    own = int(values["own_tokens"])
    if not own and not 1 <= image_tokens <= MOST_IMAGE_TOKENS:
        raise FormatError(
            f"{where}: {sense.many} of this tower keep their size: expected how many tokens one of them is ({sense.option}), "
            f"1 to {MOST_IMAGE_TOKENS:,}; got {image_tokens:,}"
        )
    if own and image_tokens not in (0, own):
        raise FormatError(f"{where}: each {sense.one} is {own:,} tokens in this model, not {image_tokens:,}")
    values |= {"images": images, "image_tokens": own or image_tokens}
    for word in tower.names:
        _compute(word, tower.names, keys, values)
    return tower, keys


def _compute(word: str, names: Mapping[str, object], keys: Keys, values: dict[str, Any]) -> None:
    """Put what a name comes to among the values, after the names that it hangs on."""
    for needed in sorted(names_in(str(names[word])) & names.keys() - {word}):
        _compute(needed, names, keys, values)
    values[word] = keys.value(names[word])
