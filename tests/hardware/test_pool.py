"""Nested tiers, and how many chips each joins."""

from dataclasses import replace

import pytest

from samples import figure, pool, tier
from tianji.errors import IllegalStrategyError, UnknownFigureError
from tianji.units import GB


def test_spans_end_with_the_whole_pool() -> None:
    three = pool(1000, tier("node", 8, 1.0), tier("rack", 64, 1.0), tier("all", 0, 1.0))
    assert three.spans() == (8, 64, 1000)


def test_a_tier_larger_than_the_pool_joins_the_pool() -> None:
    assert pool(4).spans() == (4, 4)
    three = pool(16, tier("node", 8, 1.0), tier("rack", 64, 1.0), tier("all", 0, 1.0))
    assert three.spans() == (8, 16, 16)


def test_oversubscription_divides_the_rate() -> None:
    assert replace(tier("up", 8, 100 * GB), oversubscription=4.0).rate("x") == 25 * GB


def test_an_unknown_bandwidth_is_named() -> None:
    with pytest.raises(UnknownFigureError, match="mine has no published bandwidth of the tier 'up'"):
        replace(tier("up", 8, 1.0), bandwidth=None).rate("mine")


def test_latency_is_published_or_unknown() -> None:
    assert tier("up", 8, 1.0).delay() is None
    assert replace(tier("up", 8, 1.0), latency=figure(2e-6)).delay() == 2e-6


def test_any_size() -> None:
    assert pool(64).with_chips(100).chips == 100
    with pytest.raises(IllegalStrategyError, match="at least 1 chip"):
        pool(64).with_chips(0)


def test_no_larger_than_the_architecture() -> None:
    small = replace(pool(64), max_chips=64)
    with pytest.raises(IllegalStrategyError, match="joins at most 64 chips, but 65 were asked for"):
        small.with_chips(65)
    with pytest.raises(IllegalStrategyError, match=r"take fewer \(--chips 64\) or rows-of-them"):
        replace(small, larger="rows-of-them").with_chips(65)


def test_what_is_assumed_of_more_than_one_unit_is_said() -> None:
    small = replace(pool(16), beyond="Units are joined somehow.", unit=8)
    assert small.caveat == "16 chips are more than one unit of 8. Units are joined somehow."
    assert replace(small, chips=8).caveat == ""
    assert replace(small, beyond="").caveat == ""
