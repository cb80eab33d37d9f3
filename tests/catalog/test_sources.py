"""Sources are listed once, and a figure's words lead to them."""

from tianji.catalog import Source, find_sources, list_chips, list_pools, load_chip, load_pool, load_sources
from tianji.catalog.sources import KINDS
from tianji.hardware import CONFIDENCES, Figure


def figures() -> list[tuple[str, Figure]]:
    found = []
    for name in list_chips():
        chip = load_chip(name)
        parts = [*chip.peak.values(), *chip.vector_peak.values(), chip.memory, chip.memory_bandwidth, chip.power]
        parts += [chip.scale_up_bandwidth, chip.scale_out_bandwidth, chip.price, chip.year]
        found += [(name, part) for part in parts if part is not None]
    for name in list_pools():
        pool = load_pool(name)
        parts = [
            pool.power,
            pool.price,
            pool.cabinets,
            pool.area,
            pool.optics,
            *(figure for _, figure in (*pool.rents, *pool.facts)),
        ]
        parts += [figure for tier in pool.tiers for figure in (tier.bandwidth, tier.latency)]
        found += [(name, part) for part in parts if part is not None]
    return found


def test_every_figure_leads_to_listed_sources_and_has_a_confidence() -> None:
    every = figures()
    assert len(every) > 500
    for name, figure in every:
        assert figure.value > 0, name
        assert figure.text, name
        assert figure.confidence in CONFIDENCES[:-1], name
        assert all(source.key for source in find_sources(figure.source)), f"{name}: {figure.source}"


def test_an_estimate_says_how_it_was_made() -> None:
    assert not [(name, figure.text) for name, figure in figures() if figure.source == "DERIVED" and not figure.note]


def test_every_source_is_complete() -> None:
    for key, source in load_sources().items():
        assert source.key == key
        assert source.title
        assert source.kind in KINDS


def test_a_figure_of_two_sources_leads_to_both() -> None:
    assert [source.key for source in find_sources("MSMODEL, EPOCH")] == ["MSMODEL", "EPOCH"]


def test_a_users_words_are_a_source_without_a_key() -> None:
    assert find_sources("our test, of May") == (Source("", "our test, of May"),)
    assert find_sources("CM384, our test")[1] == Source("", "our test")
