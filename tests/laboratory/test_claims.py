import pytest

from docs.generators.claims import FOLLOWS, MISSES, UNKNOWABLE, recompute_claims


def test_the_headlines_by_hand() -> None:
    """8,192/144; 8 EF / 1.2 EF; 1,152 TB / 20.7 TB; 16.3 PB/s / 260 TB/s."""
    chips, compute, memory, links, rate, times = recompute_claims()
    assert chips.computed == pytest.approx(8192 / 144)
    assert compute.computed == pytest.approx(8 / 1.2)
    assert memory.computed == pytest.approx(1152 / 20.7)
    assert links.computed == pytest.approx(16.3e15 / 260e12)
    assert (rate.claimed, rate.computed) == (4.91e6, None)
    assert times.computed == pytest.approx(4.91e6 / (914.97 * 384))
    verdicts = [c.verdict for c in (chips, compute, memory, links, rate, times)]
    assert verdicts == [FOLLOWS, FOLLOWS, MISSES, FOLLOWS, UNKNOWABLE, UNKNOWABLE]


def test_what_a_chip_would_do_is_said() -> None:
    rate, times = recompute_claims()[4:]
    assert "599 tokens/s of a chip" in rate.why
    assert "752 tokens/s of a 910C" in times.why
