"""The sizes that a row of a table states: whole numbers, latent attention, experts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tianji.errors import FormatError
from tianji.units import parse
from tianji.workload.model import MLA, MoE


class RowSizes:
    """The whole numbers of a row; an empty cell is a size that is not stated."""

    def __init__(self, row: Mapping[str, str], where: str) -> None:
        self.row, self.where = row, where

    def find(self, column: str) -> int | None:
        """Return the whole number in a column; None where the cell is empty."""
        text = (self.row.get(column) or "").strip()
        if not text:
            return None
        if text.isascii() and text.isdecimal():
            return int(text)  # nearly all cells; the general parser takes ten times as long
        value = parse(text, "count", f"{self.where}: {column}")
        if value != int(value) or value < 0:
            raise FormatError(f"{self.where}: {column}: expected a whole number, got {text!r}")
        return int(value)

    def require(self, column: str) -> int:
        """Return the whole number in a column; raises FormatError where none is stated."""
        value = self.find(column)
        if not value:
            raise FormatError(f"{self.where}: {column} is not stated, and the shape of the model needs it")
        return value


def read_mla(size: RowSizes) -> MLA | None:
    """Return the row's latent attention; None where it states no rank of keys and values."""
    rank = size.find("mla_kv_lora")
    if not rank:
        return None
    return MLA(
        q_lora_rank=size.find("mla_q_lora") or 0,
        kv_lora_rank=rank,
        qk_nope_head_dim=size.require("mla_qk_nope"),
        qk_rope_head_dim=size.require("mla_qk_rope"),
        v_head_dim=size.require("mla_v"),
    )


def read_moe(size: RowSizes) -> MoE | None:
    """Return the row's experts; None where it states none."""
    experts = size.find("n_experts")
    if not experts:
        return None
    width = size.require("moe_ffn")
    shared = size.find("shared_ffn_total")
    return MoE(
        num_experts=experts,
        top_k=size.require("top_k"),
        intermediate_size=width,
        shared_intermediate_size=(size.find("shared_experts") or 0) * width if shared is None else shared,
        num_leading_dense=size.find("first_k_dense_layers") or 0,
        layer_step=size.find("moe_every_n_layers") or 1,
    )


def override_moe(known: MoE | None, size: RowSizes, layers: int) -> MoE | None:
    """Return the experts that the row states, with what it leaves out from the known architecture."""
    if known is None:
        return read_moe(size)
    width = size.find("moe_ffn") or known.intermediate_size
    experts_shared = size.find("shared_experts")
    shared = known.shared_intermediate_size
    if experts_shared is not None and (experts_shared == 0 or width != known.intermediate_size):
        shared = experts_shared * width
    return replace(
        known,
        num_experts=size.find("n_experts") or known.num_experts,
        top_k=size.find("top_k") or known.top_k,
        intermediate_size=width,
        shared_intermediate_size=shared,
        num_leading_dense=min(known.num_leading_dense, layers - 1),
    )
