"""Strategies as people write them: ``tp=8,pp=16`` in, short words out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tianji.errors import FormatError, IllegalStrategyError
from tianji.parallel.stages import read_stages
from tianji.parallel.strategy import DEGREES, FIELDS, Strategy, read_field

_DEFAULT = Strategy()
ROOM = 60
"""Letters that a table has for stages."""
SHORT = {"mbs": "micro_batch_size", "layout": "stages"}
"""Spellings that are understood beside the fields' own."""


def read_layout(text: str, where: str = "layout") -> dict[str, Any]:
    """Return the strategy fields that a text like ``tp=8,pp=4`` gives; commas or spaces part them.

    >>> read_layout("tp=8, recompute=full,overlap-ep=on")
    {'tp': 8, 'recompute': 'full', 'overlap_ep': True}

    Raises FormatError for a part without ``=``, an unknown field, a field given twice or a value out of its range.
    """
    given: dict[str, Any] = {}
    for part in _split_fields(text):
        key, equals, value = part.partition("=")
        if not equals or not key or not value:
            raise FormatError(f"{where}: expected field=value, like tp=8 or tp=8,pp=4, got {part!r}")
        name = key.strip().lower().replace("-", "_")
        name = SHORT.get(name, name)
        read = read_field(name, value)
        if name in given and given[name] != read:
            raise FormatError(f"{where}: {name} is given twice, as {given[name]} and as {read}")
        given[name] = read
    Strategy(**given)
    return given


def _split_fields(text: str) -> list[str]:
    """Return the parts of a layout; the commas of ``stages=3,4,4,3`` part no fields."""
    parts: list[str] = []
    for part in re.split(r"[,\s]+", re.sub(r"\s*=\s*", "=", text.strip())):
        if parts and "=" not in part and parts[-1].lower().startswith(("stages=", "layout=")):
            parts[-1] += f",{part}"
        else:
            parts.append(part)
    return parts


def complete_layout(given: Mapping[str, Any], chips: int) -> Strategy:
    """Return the strategy of some fields: ``dp`` takes the chips that tp·pp·cp leave, vpp above 1 means interleaving.

    Stages without a pp are as many as are written.

    >>> complete_layout({"tp": 8, "pp": 4}, chips=64).dp
    2

    Raises IllegalStrategyError when the chips do not divide, and FormatError for a value out of its range.
    """
    fields = dict(given)
    if fields.get("stages") and "pp" not in fields and "schedule" not in fields:
        fields["pp"] = len(read_stages(fields["stages"]).layers) // fields.get("vpp", 1)
    if "schedule" not in fields and fields.get("vpp", 1) > 1:
        fields["schedule"] = "interleaved"
    strategy = Strategy(**fields)
    if "dp" in fields:
        return strategy
    inner = strategy.tp * strategy.pp * strategy.cp
    dp, rest = divmod(chips, inner)
    if rest or not dp:
        product = f"tp·pp·cp = {strategy.tp}·{strategy.pp}·{strategy.cp} = {inner:,}"
        if not dp:
            raise IllegalStrategyError(f"{product} is more than the {chips:,} chips of the pool; take smaller degrees")
        raise IllegalStrategyError(
            f"{product} does not divide {chips:,} chips; take other degrees, --chips {chips - rest}, or give --dp {dp}"
            f" and leave {rest:,} {'chip' if rest == 1 else 'chips'} idle"
        )
    return replace(strategy, dp=dp)


def format_layout(strategy: Strategy) -> str:
    """Return a strategy as :func:`read_layout` reads it: all degrees above 1, and what differs from the _DEFAULT.

    >>> format_layout(Strategy(tp=8, dp=4))
    'tp=8,dp=4,micro_batch_size=1,zero=1'
    """
    always = ("dp", "micro_batch_size", "zero")
    shown = [n for n in FIELDS if n in always or getattr(strategy, n) != getattr(_DEFAULT, n)]
    return ",".join(f"{name}={_format_value(getattr(strategy, name))}" for name in shown)


def abbreviate_layout(strategy: Strategy) -> str:
    """Return a strategy in as few words as a table has room for.

    >>> abbreviate_layout(Strategy(tp=8, pp=4, vpp=2, schedule="interleaved", recompute="full", dp=64))
    'tp8 pp4 vpp2 dp64 mbs1 zero1 interleaved full-recompute'
    """
    words = [f"{n}{getattr(strategy, n)}" for n in DEGREES if n == "dp" or getattr(strategy, n) > 1]
    words.append(f"mbs{strategy.micro_batch_size}")
    words.append(f"zero{strategy.zero}" + (f"/{strategy.zero_group}" if strategy.zero_group else ""))
    if strategy.zero_kind != _DEFAULT.zero_kind:
        words.append(f"zero-{strategy.zero_kind}")
    if strategy.pp > 1:
        words.append(strategy.schedule)
    if strategy.stages:
        words.append(strategy.stages if len(strategy.stages) <= ROOM else "named-stages")
    if strategy.recompute != "none":
        share = "" if strategy.recompute_layers == 1 else f"-{strategy.recompute_layers:.0%}"
        modules = f"-{strategy.recompute_modules}" if strategy.recompute_modules else ""
        words.append(f"{strategy.recompute}-recompute{share}{modules}")
    if strategy.cp > 1:
        words.append(strategy.cp_kind)
    if strategy.pp > 1 and strategy.placement != _DEFAULT.placement:
        words.append(strategy.placement)
    if strategy.ep > 1 and strategy.ep_kind != _DEFAULT.ep_kind:
        words.append(f"ep-{strategy.ep_kind}")
    if strategy.zero in (1, 2) and strategy.weight_gather != _DEFAULT.weight_gather:
        words.append(f"weight-gather-{strategy.weight_gather}")
    for name in ("sequence_parallel", "flash_attention", "overlap_dp", "overlap_tp"):
        words += _switch(name, strategy)
    words += _offloading(strategy)
    return " ".join([*words, *_switch("overlap_pp", strategy), *_switch("overlap_ep", strategy)])


def _offloading(strategy: Strategy) -> list[str]:
    words = []
    for name in ("offload_optimizer", "offload_activations"):
        if share := getattr(strategy, name):
            words.append(name.replace("_", "-") + ("" if share == 1 else f"-{share:.0%}"))
    words += _switch("offload_weights", strategy)
    if strategy.offload_optimizer and strategy.offload_update != _DEFAULT.offload_update:
        words.append("swapped")
    return [*words, *_switch("offload_overlap", strategy)]


def _switch(name: str, strategy: Strategy) -> list[str]:
    value = getattr(strategy, name)
    return [] if value == getattr(_DEFAULT, name) else [("" if value else "no-") + name.replace("_", "-")]


def _format_value(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
