"""Architectures of published measurements: what a row of a measurement table ran.

A row states the sizes it ran; the table of architectures beside it knows the rest (latent attention, leading dense
layers, gating, tying) by ``arch_key``. The row wins where both speak: some runs cut a model down to a few layers.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import product

from tianji.catalog.entries import DATA
from tianji.catalog.models import list_aliases, list_models, load_model
from tianji.catalog.row_sizes import RowSizes, override_moe, read_mla, read_moe
from tianji.errors import FormatError, UnknownNameError, UnsupportedModelError
from tianji.units import parse
from tianji.workload.model import Model

FILE = DATA / "architectures.csv"
WINDOWS = {"gpt_oss_20b": 128, "gpt_oss_120b": 128, "gemma2_9b": 4096, "gemma2_27b": 4096}
"""Sliding windows of every second layer, by the makers' ``config.json``; the table has no column for them."""
LEARNED_POSITIONS = "learned pos emb"
"""What the notes of an architecture say whose table of positions has as many rows as the run's sequences have tokens."""


@lru_cache(maxsize=1)
def read_architectures() -> dict[str, dict[str, str]]:
    """Return the rows of the table of architectures by ``arch_key``."""
    with FILE.open(newline="", encoding="utf-8") as file:
        return {row["arch_key"]: row for row in csv.DictReader(file)}


def list_architectures() -> tuple[str, ...]:
    """Return the keys of all architectures whose shape is known; a model of the catalog is named like them."""
    known = read_architectures().items()
    return tuple(sorted(key for key, row in known if row["catalog_model"] or row["params_total_b_formula"]))


def load_architecture(arch_key: str) -> Model | None:
    """Return an architecture by its key, or the model of the catalog that has this name; None for any other word.

    >>> load_architecture("llama3_8b").num_key_value_heads
    8

    A hybrid of attention and state-space layers is named in the table and described in the catalog.

    Raises UnsupportedModelError for an architecture whose shape nobody has looked up.
    """
    if arch_key in read_architectures():
        return _load_row(arch_key)
    return load_model(arch_key) if arch_key in list_models() else None


@lru_cache(maxsize=1024)
def _load_row(arch_key: str) -> Model:
    row = read_architectures()[arch_key]
    if row["catalog_model"]:
        return replace(load_model(row["catalog_model"]), name=arch_key)
    if not row["params_total_b_formula"]:
        raise UnsupportedModelError(f"architecture {arch_key}: {row['notes'] or 'its shape is not stated'}")
    size = RowSizes(row, f"architecture {arch_key}")
    expert_size, layers = size.find("moe_ffn"), size.require("layers")
    return Model(
        name=arch_key,
        family="architecture table",
        hidden_size=size.require("hidden"),
        num_layers=layers,
        num_attention_heads=size.require("heads"),
        num_key_value_heads=size.require("kv_heads"),
        head_dim=size.require("head_dim"),
        intermediate_size=size.find("ffn_dense") or expert_size or size.require("ffn_dense"),
        vocab_size=size.require("vocab"),
        gated_mlp=row["gated_mlp"] == "1",
        tied_embeddings=row["tied_embeddings"] == "1",
        mla=read_mla(size),
        moe=read_moe(size),
        num_mtp_layers=size.find("mtp_layers") or 0,
        sliding_window=WINDOWS.get(arch_key, 0),
        num_sliding_layers=layers - layers // 2 if arch_key in WINDOWS else 0,
        source=row["source"],
    )


ROW_COLUMNS = (
    "arch_key", "model", "mla", "params_total_b", "url", "source", "layers", "seq_len", "hidden", "heads", "kv_heads", "head_dim",
    "ffn", "vocab", "n_experts", "top_k", "moe_ffn", "shared_experts", "shared_ffn_total", "first_k_dense_layers",
    "moe_every_n_layers",
)  # fmt: skip
"""Columns of a measurement table that say what model a row ran."""


def find_mixture(model: Model) -> str | None:
    """Return the key that the tables of measured runs know a mixture of experts by; empty: none does; None: no mixture.

    Its shape tells, whatever its file calls it.

    >>> from tianji.catalog.models import load_model
    >>> find_mixture(load_model("qwen3-30b-a3b")), find_mixture(load_model("llama-3.1-8b"))
    ('qwen3_30b_a3b', None)
    """
    if model.moe is None:
        return None
    alike = _mixtures_by_shape().get(_shape_of(model), [])
    nearest = max(alike, key=lambda known: _count_equals(known, model), default=None)
    return nearest.name if nearest else model.name if model.name in list_models() else ""


def _shape_of(model: Model) -> tuple[int, ...]:
    moe = model.moe
    experts = (moe.num_experts, moe.top_k, moe.intermediate_size) if moe else ()
    return model.num_layers, model.hidden_size, model.num_attention_heads, *experts


def _count_equals(known: Model, model: Model) -> int:
    """Return how many of the sizes that architectures of one shape differ by are the same."""
    leading = [m.moe.num_leading_dense for m in (known, model) if m.moe]
    same_leading = leading[0] == leading[-1]
    return (known.vocab_size == model.vocab_size) + (known.num_mtp_layers == model.num_mtp_layers) + same_leading


@lru_cache(maxsize=1)
def _mixtures_by_shape() -> dict[tuple[int, ...], list[Model]]:
    """Return all mixtures whose shape is known, those of one shape together."""
    known: dict[tuple[int, ...], list[Model]] = {}
    for key, row in read_architectures().items():
        if row["n_experts"] and row["params_total_b_formula"]:
            model = _load_row(key)
            known.setdefault(_shape_of(model), []).append(model)
    return known


def model_from_row(row: Mapping[str, str]) -> Model:
    """Return the model that a row of a measurement table ran.

    Where the table of architectures lacks the row's ``arch_key``, a model of the catalog counts that has this name or the name
    in ``model``, signs between letters apart, and the row's sizes. Else gating and tying are the combination whose parameter
    count comes nearest to ``params_total_b`` (a SwiGLU of its own head where the row states no count).

    Raises FormatError for a row without the sizes of a model, UnsupportedModelError for a hybrid.
    """
    where = f"row {row.get('id') or row.get('arch_key') or '?'}"
    size = RowSizes(row, where)
    known = load_architecture(row.get("arch_key") or "") or _find_by_name(size, row)
    if known is None:
        return _guess(size, row)
    if known.blocks:
        return _same_blocks(known, size)
    layers = size.find("layers") or known.num_layers
    notes = read_architectures().get(known.name, {}).get("notes", "")
    positions = size.find("seq_len") if LEARNED_POSITIONS in notes else None
    model = replace(
        known,
        num_layers=layers,
        hidden_size=size.find("hidden") or known.hidden_size,
        num_attention_heads=size.find("heads") or known.num_attention_heads,
        num_key_value_heads=size.find("kv_heads") or known.num_key_value_heads,
        head_dim=size.find("head_dim") or known.head_dim,
        intermediate_size=size.find("ffn") or known.intermediate_size,
        vocab_size=size.find("vocab") or known.vocab_size,
        num_sliding_layers=layers - layers // 2 if known.num_sliding_layers else 0,
        learned_positions=positions or known.learned_positions,
    )
    return replace(model, moe=override_moe(known.moe, size, layers))


def _find_by_name(size: RowSizes, row: Mapping[str, str]) -> Model | None:
    """Return the model of the catalog that a row names in its own spelling; None where its sizes are others.

    A row that speaks of layers in its ``model`` ran some of them: its sizes are not the model's, whatever it states.
    """
    if "layers" in (row.get("model") or ""):
        return None
    for column in ("arch_key", "model"):
        name = _names_by_letters().get(_letters(row.get(column) or ""))
        if name is not None:
            model = load_model(name)
            sizes = {"hidden": model.hidden_size, "heads": model.num_attention_heads, "layers": model.num_layers}
            if all(size.find(column) in (None, expected) for column, expected in sizes.items()):
                return model
    return None


@lru_cache(maxsize=1)
def _names_by_letters() -> dict[str, str]:
    return {_letters(name): name for name in (*list_aliases(), *list_models())}


def _letters(name: str) -> str:
    """Return a name without the signs that publishers put where they like: ``Qwen3.5_27B`` is ``qwen3527b``."""
    return "".join(filter(str.isalnum, name.lower()))


def _same_blocks(known: Model, size: RowSizes) -> Model:
    """Return a model of several kinds of layers as the catalog has it.

    Raises UnsupportedModelError for a row that ran other sizes: which layers it left out is not known.
    """
    sizes = {"layers": known.num_layers, "hidden": known.hidden_size, "heads": known.num_attention_heads}
    for column, expected in sizes.items():
        if (stated := size.find(column)) not in (None, expected):
            raise UnsupportedModelError(
                f"{size.where}: {column} {stated}, but {known.name} has {expected}; which of its layers ran is not known"
            )
    return known


def _guess(size: RowSizes, row: Mapping[str, str]) -> Model:
    if (key := row.get("arch_key")) and not size.find("layers"):
        raise UnknownNameError("architecture", key, [*list_architectures(), *list_models()])
    heads, hidden, moe = size.require("heads"), size.require("hidden"), read_moe(size)
    if (row.get("mla") or "").strip().lower() in ("true", "1", "yes"):
        raise FormatError(f"{size.where}: latent attention of an unknown architecture; its ranks are not stated")
    model = Model(
        name=row.get("arch_key") or row.get("model") or "model",
        family="measurement row",
        hidden_size=hidden,
        num_layers=size.require("layers"),
        num_attention_heads=heads,
        num_key_value_heads=size.find("kv_heads") or heads,
        head_dim=size.find("head_dim") or hidden // heads,
        intermediate_size=size.find("ffn") or (moe.intermediate_size if moe else size.require("ffn")),
        vocab_size=size.require("vocab"),
        moe=moe,
        source=row.get("url") or row.get("source") or "",
    )
    stated = (row.get("params_total_b") or "").strip()
    if not stated:
        return model
    # The column counts in billions, which is what a count's suffix B says.
    wanted = parse(f"{stated} B", "count", f"{size.where}: params_total_b")
    choices = [replace(model, gated_mlp=g, tied_embeddings=t) for g, t in product((True, False), repeat=2)]
    return min(choices, key=lambda choice: abs(choice.num_parameters - wanted))
