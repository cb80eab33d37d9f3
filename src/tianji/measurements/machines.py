"""What a measurement ran on: a chip as tables spell it, and its links, as a pool of the catalog."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from tianji.catalog import list_chips, list_pools, load_pool
from tianji.errors import FormatError, UnknownNameError
from tianji.hardware import Figure, Pool, Tier
from tianji.units import BytesPerSecond, parse

SPELLINGS: tuple[tuple[str, str], ...] = (
    (r"\bh100\b.*(96 ?gb|500 ?w)", "hgx-h100-96-500w"),
    (r"\bh100\b", "hgx-h100"),
    (r"\bh200\b", "hgx-h200"),
    (r"\bh800\b", "hgx-h800"),
    (r"\bh20\b", "hgx-h20"),
    (r"\ba100\b.*\b40 ?gb", "hgx-a100-40"),
    (r"\ba[18]00\b", "hgx-a100"),
    (r"\bgb300\b", "gb300-nvl72"),
    (r"\bgb200\b", "gb200-nvl72"),
    (r"\bb300\b", "hgx-b300"),
    (r"\bb200\b", "hgx-b200"),
    (r"\bmi300x\b", "mi300x-node"),
    (r"\bmi325x\b", "mi325x-node"),
    (r"\bmi355x\b", "mi355x-node"),
    (r"\bl40s\b", "l40s-box"),
    (r"\bcloudmatrix", "cloudmatrix384"),
    (r"\b910c\b|\b900 a3\b|\b800t a3\b", "atlas-900-a3-superpod"),
    (r"\b910b2\b|\b910b\b.*\b900 a2\b", "atlas-900-a2"),
    (r"\b910b3\b|\b910b\b.*\b800t a2\b", "atlas-900-a2-b3"),
)
"""Spelling of a chip, lower case, and the pool that it stands in; the first that is found counts.

The two servers with an Ascend 910B hold different bins. The same jobs ran 1.12 to 1.20 times as fast on an Atlas 900 A2 PODc
as on an Atlas 800T A2 (MindFormers r1.3.0: 747/667, 1945/1691, 404/337 and 1640/1465 tokens/s); the bins 910B2 and 910B3 lie
376/313 = 1.20 apart, 910B1 and 910B3 400/313 = 1.28. So the PODc is taken for the 910B2 and the 800T for the 910B3.
"""

VAGUE = re.compile(r"not stated|-class\b|unreleased|\bpcie\b|\bpci-e\b|\bnvl\b(?!\d)")
"""Chips of another bin, form or board than those of SPELLINGS, or of none that is known."""

A800 = Figure(
    parse("200 GB/s", "bandwidth"), "A800 datasheet: NVLink 400 GB/s, both directions", "official", text="200 GB/s"
)
"""The A800 is an A100 with eight of its twelve NVLinks."""


def find_machine(chip: str, chips_per_node: int = 0, scale_out: str = "") -> Pool:
    """Return the pool of a chip as a table spells it, or by its name in the catalog.

    ``chips_per_node`` narrows a node that was used in part or is smaller than usual (0: as in the catalog); ``scale_out`` is
    the table's description of the network (see :func:`read_scale_out`), the catalog's figure where it gives none.

    >>> find_machine("Ascend 910B (Atlas 800T A2)").chip.name
    'ascend-910b3'

    Raises UnknownNameError for a chip that the catalog lacks, FormatError for a text that does not say which chip it is.
    """
    return _find(" ".join(chip.split()), chips_per_node, scale_out)


@lru_cache(maxsize=512)
def _find(chip: str, chips_per_node: int, scale_out: str) -> Pool:
    pool = load_pool(_find_name(chip))
    tiers = list(pool.tiers)
    if re.search(r"\ba800\b", chip.lower()):
        tiers[0] = replace(tiers[0], bandwidth=A800)
    # Nodes of an NVL72 or of a SuperPod are joined by the same links as the chips inside: only the tier counts there.
    if 1 < chips_per_node < pool.node and tiers[0].span == pool.node:
        tiers[0] = replace(tiers[0], span=chips_per_node)
        pool = replace(pool, node=chips_per_node, unit=chips_per_node)
    if tiers[-1].kind == "scale-out":
        tiers[-1] = _with_rate(tiers[-1], scale_out, chips_per_node or pool.node)
    return replace(pool, tiers=tuple(tiers))


def _with_rate(tier: Tier, scale_out: str, chips_per_node: int) -> Tier:
    rate = read_scale_out(scale_out, chips_per_node)
    if rate is None or (tier.bandwidth is not None and rate == tier.bandwidth.value):
        return tier
    return replace(tier, bandwidth=Figure(rate, scale_out, "secondary", "Stated for this run.", text=scale_out))


def _find_name(chip: str) -> str:
    text = chip.lower()
    if text in list_pools():
        return text
    if text in list_chips():
        homes = [name for name in list_pools() if load_pool(name).chip.name == text]
        if not homes:
            raise FormatError(f"chip: no pool of the catalog holds {chip!r}; name a pool file in its place")
        return min(homes, key=lambda name: (load_pool(name).unit, name))
    if VAGUE.search(text):
        raise FormatError(f"chip: {chip!r} does not say which chip of the catalog it is")
    for pattern, name in SPELLINGS:
        if re.search(pattern, text):
            return name
    raise UnknownNameError("chip", chip, list_chips())


_RATE = re.compile(r"\b(?:hdr|ndr|xdr|edr)?\s?(\d{2,4})\s?(?:gb/s|gbit/s|gbps|g\b)|\b(?:hdr|ndr|xdr|edr)(\d{2,4})\b")
_LINKS = re.compile(r"\b(\d{1,2})\s?x\b|\b(\d{1,2})x(?=\d)")
_EACH = re.compile(r"(?:/|per |a )\s?(?:gpu|npu|chip|card|device)\b")


def read_scale_out(text: str, chips_per_node: int) -> BytesPerSecond | None:
    """Return bytes per second of one chip, one direction, from a description of the network, or None when it gives none.

    Tables write ``400G/GPU``, ``1600 Gb/s RoCE per node`` or ``4x HDR200 = 800 Gb/s IB per node``. A rate counts as one
    chip's only where it says so; a number of links or ``per node`` makes it the node's, shared by the node's chips; a bare
    rate with neither is left alone.

    >>> read_scale_out("4x Omni-Path 100 Gb/s per node", 8)
    6250000000.0
    >>> read_scale_out("RDMA 400 Gb/s per GPU", 8)
    50000000000.0
    >>> read_scale_out("NDR400-class", 8) is None
    True
    """
    words = text.lower()
    total = "=" in words
    words = words.rsplit("=", 1)[-1]
    rate = _RATE.search(words)
    if rate is None:
        return None
    one = parse(f"{rate[1] or rate[2]} Gbit/s", "bandwidth")
    if _EACH.search(words):
        return one
    links = _LINKS.search(words)
    if links is None or total:
        return one / chips_per_node if total or "per node" in words else None
    return one * int(links[1] or links[2]) / chips_per_node
