"""Pools: all there, with tiers that nest, and a user's own beside them."""

from dataclasses import replace
from pathlib import Path

import pytest

from tianji.catalog import list_pools, load_pool
from tianji.catalog.entries import DATA
from tianji.catalog.failures import failures_of
from tianji.economics.space import find_floor_space
from tianji.errors import FormatError, IllegalStrategyError, UnknownNameError
from tianji.reliability.hazards import find_hazards
from tianji.units import GB, US

MINE = """
name = "mine"
title = "A pool of my own"
vendor = "Me"
chip = "h20"
node = 8

[[tiers]]
name = "NVLink"
topology = "switch"
span = 8
bandwidth = { value = "450 GB/s", source = "its page", confidence = "user" }

[[tiers]]
name = "network"
topology = "clos"
oversubscription = 2
kind = "scale-out"
bandwidth = { value = "400 Gbit/s", source = "its page", confidence = "user" }
"""


@pytest.mark.parametrize("name", list_pools())
def test_every_pool_loads_under_its_own_name(name: str) -> None:
    pool = load_pool(name)
    assert pool.name == name
    assert (DATA / "pools" / f"{name}.toml").is_file()


@pytest.mark.parametrize("name", list_pools())
def test_tiers_nest_and_hosts_fill_units(name: str) -> None:
    pool = load_pool(name)
    spans = pool.spans()
    assert list(spans) == sorted(spans)
    assert spans[-1] == pool.chips
    assert pool.unit % pool.node == 0
    assert pool.chips % pool.unit == 0
    for inner, outer in zip(pool.tiers, pool.tiers[1:], strict=False):
        assert outer.span == 0 or outer.span % inner.span == 0
        assert (inner.kind, outer.kind) != ("scale-out", "scale-up")
    assert all(tier.span for tier in pool.tiers[:-1])
    assert 0 < pool.usable_memory <= 1


@pytest.mark.parametrize("name", list_pools())
def test_no_tier_gives_a_chip_more_than_its_links(name: str) -> None:
    pool = load_pool(name)
    for tier in pool.tiers:
        links = pool.chip.scale_up_bandwidth if tier.kind == "scale-up" else pool.chip.scale_out_bandwidth
        assert tier.bandwidth is not None
        assert links is not None
        assert tier.bandwidth.value <= links.value


def test_the_catalog_has_the_pools_that_scripts_rely_on() -> None:
    assert set(list_pools()) >= {
        "dgx-a100", "hgx-a100", "dgx-h100", "hgx-h100", "hgx-h800", "hgx-h20", "hgx-h200", "hgx-b200", "dgx-b200",
        "dgx-b300", "hgx-b300", "gb200-nvl72", "gb300-nvl72", "vr-nvl72", "mi300x-node", "mi355x-node",
        "rtx-pro-6000-box", "atlas-900-a2", "cloudmatrix384", "atlas-900-a3-superpod", "atlas-900-a3-dies", "atlas-950-superpod",
        "atlas-950-superpod-1024", "atlas-950-supercluster", "atlas-960-superpod", "atlas-960e-superpod",
        "tpu-v5p-pod", "tpu-v6e-pod", "ironwood-pod", "h100-superpod",
        "gh200-quad", "h200-nvl-box", "mi350x-node", "rtx-3090-box", "rtx-4090-box", "rtx-a6000-box", "l40-box", "dgx1-v100",
        "hgx-a800", "leonardo", "atlas-800-910a",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "chip", "chips", "spans"),
    [
        ("atlas-900-a2", "ascend-910b2", 8, (8, 8)),
        ("cloudmatrix384", "ascend-910c", 384, (8, 384, 384)),
        ("atlas-900-a3-dies", "ascend-910c-die", 768, (2, 16, 768, 768)),
        ("atlas-950-superpod", "ascend-950dt", 8192, (8, 64, 8192)),
        ("atlas-950-superpod-1024", "ascend-950dt-96", 1024, (8, 64, 1024, 1024)),
        ("atlas-950-supercluster", "ascend-950dt", 524_288, (8, 64, 8192, 524_288)),
        ("atlas-960-superpod", "ascend-960-2025roadmap", 15_488, (8, 64, 15_488)),
        ("atlas-960e-superpod", "ascend-960dt", 4096, (4096,)),
        ("gb200-nvl72", "gb200", 72, (72, 72)),
        ("h100-superpod", "h100-sxm", 1016, (8, 1016)),
        ("tpu-v5p-pod", "tpu-v5p", 8960, (8960,)),
    ],
)
def test_sizes_are_those_announced(name: str, chip: str, chips: int, spans: tuple[int, ...]) -> None:
    pool = load_pool(name)
    assert (pool.chip.name, pool.chips, pool.spans()) == (chip, chips, spans)


def test_a_node_of_910b_is_a_mesh_of_seven_links() -> None:
    inner, outer = load_pool("atlas-900-a2").tiers
    assert (inner.topology, outer.topology) == ("mesh", "clos")
    assert inner.rate("x") == 7 * 28 * GB
    assert outer.rate("x") == 25 * GB
    assert inner.delay() == pytest.approx(0.5 * US)


@pytest.mark.parametrize(("name", "ports"), [("atlas-950-superpod", (7, 7, 4)), ("atlas-950-superpod-1024", (7, 8, 4))])
def test_the_tiers_of_an_atlas_950_share_the_ports_of_a_chip(name: str, ports: tuple[int, ...]) -> None:
    tiers = load_pool(name).tiers[:3]
    assert [tier.rate(name) for tier in tiers] == pytest.approx([n * 56 * GB for n in ports])
    for tier in tiers:
        assert tier.bandwidth is not None
        assert tier.bandwidth.low is not None
        assert tier.bandwidth.high is not None
        assert tier.bandwidth.low <= tier.bandwidth.value <= tier.bandwidth.high


def test_any_size_may_be_asked_for() -> None:
    assert load_pool("atlas-900-a2", chips=7968).spans() == (8, 7968)
    assert load_pool("cloudmatrix384", chips=3840).spans() == (8, 384, 3840)
    assert load_pool("atlas-950-superpod", chips=64).spans() == (8, 64, 64)
    assert load_pool("cloudmatrix384").chips == 384


@pytest.mark.parametrize(("name", "chips"), [("atlas-950-superpod", 8193), ("dgx-h100", 0)])
def test_a_size_that_cannot_be_joined_is_refused(name: str, chips: int) -> None:
    with pytest.raises(IllegalStrategyError):
        load_pool(name, chips=chips)


def test_the_same_hardware_has_two_names() -> None:
    ours, theirs = load_pool("cloudmatrix384"), load_pool("atlas-900-a3-superpod")
    assert (ours.tiers, ours.chip, ours.power, ours.facts) == (theirs.tiers, theirs.chip, theirs.power, theirs.facts)


def test_published_figures_go_along() -> None:
    pool = load_pool("cloudmatrix384")
    facts = dict(pool.facts)
    assert pool.optics is not None
    assert pool.optics.value == 6912
    assert facts["memory bandwidth"].text == "1.229 PB/s"
    assert facts["usable memory"].value == pool.usable_memory == 0.94
    assert pool.power is not None
    assert pool.power.value == pytest.approx(559_000)
    assert pool.power.alternatives


def test_an_unknown_name_comes_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown pool 'gb200-nvl71'; did you mean .*gb200-nvl72"):
        load_pool("gb200-nvl71")


def test_a_file_of_ones_own_loads(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINE)
    pool = load_pool(path, chips=64)
    assert (pool.chip.name, pool.unit, pool.chips, pool.max_chips) == ("h20", 8, 64, 0)
    assert pool.tiers[1].rate("mine") == 25 * GB, "400 Gbit/s are 50 GB/s, halved by the oversubscription"
    assert pool.tiers[1].kind == "scale-out"


def test_chips_of_a_host_may_be_taken_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINE.replace("node = 8", "node = 8\nunit = 1"))
    assert load_pool(path, chips=3).chips == 3


def test_a_chip_may_lie_beside_its_pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "chip.toml").write_text('like = "h20"\nname = "h20-of-ours"\n')
    (tmp_path / "mine.toml").write_text(MINE.replace('"h20"', '"parts/chip.toml"'))
    (tmp_path / "parts" / "theirs.toml").write_text('like = "../mine.toml"\nname = "theirs"\n')
    assert load_pool(tmp_path / "mine.toml").chip.name == "h20-of-ours"
    assert load_pool(tmp_path / "parts" / "theirs.toml").chip.name == "h20-of-ours"
    monkeypatch.chdir(tmp_path / "parts")
    assert load_pool("../mine.toml").chip.name == "h20-of-ours"
    assert load_pool("theirs.toml").chip.name == "h20-of-ours"


def test_a_chip_may_be_written_into_its_pool(tmp_path: Path) -> None:
    chip = '[chip]\nlike = "ascend-960dt"\nname = "filled"\n[chip.peak.bf16]\nvalue = "1000 TFLOP/s"\n'
    chip += 'source = "a guess"\nconfidence = "user"\n'
    path = tmp_path / "mine.toml"
    path.write_text(MINE.replace('chip = "h20"', "") + chip)
    pool = load_pool(path)
    assert pool.chip.matrix_peak("bf16") == pytest.approx(1000e12)
    assert pool.chip.memory_size() == load_pool("atlas-960e-superpod").chip.memory_size()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('chip = "h20"', "", "mine.toml: chip: missing; expected a text"),
        ('"h20"', '"h21"', "unknown chip 'h21'; did you mean"),
        ('"h20"', '"none.toml"', "none.toml: cannot be read"),
        ('"h20"', "[]", "chip: expected a text in quotes"),
        ('topology = "clos"', 'topology = "fat-tree"', "tiers[1].topology: 'fat-tree' is not known"),
        ("span = 8\n", "", "tiers[0].span: missing; expected a whole number"),
        ("span = 8\n", "span = 0\n", "tiers[0].span: expected 2 to"),
        (
            'topology = "clos"',
            'topology = "clos"\nspan = 4',
            "tiers[1].span: 4 chips do not reach beyond the tier 'NVLink'",
        ),
        (
            'topology = "clos"',
            'topology = "clos"\nspan = 20',
            "tiers[1].span: 20 chips are no whole number of units of the tier 'NVLink' (8); expected a multiple of 8",
        ),
        ("node = 8", "node = 3\nunit = 8", "node: hosts of 3 chips and units of 8 cut through each other"),
        ("node = 8", "node = 12", "node: hosts of 12 chips and units of 8 of the tier 'NVLink' cut through each other"),
        ("oversubscription = 2", "oversubscription = 0.5", "is absurd; expected 1 to"),
        ("node = 8", "node = 8\nchips = 16\nmax_chips = 8", "16 are over max_chips = 8"),
        ("node = 8", "node = 0", "node: expected 1 to"),
        ("[[tiers]]", "[[tires]]", "tires: unknown key; did you mean 'tiers'?"),
        ("node = 8", "nodes = 8", "node: missing; expected a whole number; is 'nodes' a slip for it?"),
        ("400 Gbit/s", "400 Gbit", "tiers[1].bandwidth.value: '400 Gbit' has the unit 'Gbit'"),
        ("node = 8", 'node = 8\nfacts = "many"', "facts: expected a table [facts]"),
    ],
)
def test_a_slip_is_named_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINE.replace(old, new, 1))
    with pytest.raises((FormatError, UnknownNameError)) as caught:
        load_pool(path)
    assert message in str(caught.value)


def test_the_outermost_tier_is_the_limit_where_none_is_stated(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINE.replace("oversubscription = 2", "span = 64"))
    with pytest.raises(IllegalStrategyError, match="joins at most 64 chips"):
        load_pool(path, 128)
    path.write_text(MINE.replace("oversubscription = 2", "span = 64").replace("node = 8", "node = 8\nmax_chips = 128"))
    with pytest.raises(FormatError, match="more than the 64 that the outermost tier 'network' joins"):
        load_pool(path)


def test_a_pool_without_tiers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINE.partition("[[tiers]]")[0])
    with pytest.raises(FormatError, match="expected at least one table"):
        load_pool(path)


@pytest.mark.parametrize("name", ["cloudmatrix384", "atlas-950-superpod-1024", "atlas-950-supercluster"])
def test_superpods_say_what_joins_several_of_them(name: str) -> None:
    pool = load_pool(name)
    assert load_pool(name, pool.unit).caveat == ""
    caveat = load_pool(name, 2 * pool.unit).caveat
    assert "assumption" in caveat or "not published" in caveat


SIZED = """
name = "sized"
title = "Chips that share cores"
vendor = "Me"
node = 8
chips = 8
max_chips = 8

[chip]
{crowded}

[[tiers]]
name = "memory"
topology = "switch"
span = 0
bandwidth = {{ value = "1 GB/s", source = "measured", confidence = "user" }}

[[sizes]]
chips = {count}

[sizes.chip]
{alone}

[[sizes.tiers]]
name = "memory"
topology = "switch"
span = 0
bandwidth = {{ value = "4 GB/s", source = "measured", confidence = "user" }}
"""


def sized(tmp_path: Path, count: int = 2) -> Path:
    path = tmp_path / "sized.toml"
    rest = '\ntitle = "t"\nvendor = "v"\necosystem = "other"\nstatus = "shipping"'
    crowded, alone = (f'name = "{name}"{rest}' for name in ("crowded", "alone"))
    path.write_text(SIZED.format(crowded=crowded, alone=alone, count=count))
    return path


def test_a_pool_whose_chips_share_is_what_it_is_at_the_number_that_works(tmp_path: Path) -> None:
    path = sized(tmp_path)
    found = {chips: load_pool(path, chips) for chips in (1, 2, 3, 8)}
    assert {chips: pool.chip.name for chips, pool in found.items()} == {
        1: "alone", 2: "alone", 3: "crowded", 8: "crowded",
    }  # fmt: skip
    assert [found[2].tiers[0].rate("x"), found[3].tiers[0].rate("x")] == [4 * GB, 1 * GB]
    assert [pool.chips for pool in found.values()] == [1, 2, 3, 8]
    assert load_pool(path) == found[8]


def test_a_size_that_is_not_smaller_than_the_pool_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"sizes\[0\].chips: expected fewer than the pool's own"):
        load_pool(sized(tmp_path, 8))


def test_a_superpod_in_dies_is_the_superpod_in_packages() -> None:
    dies, packages = load_pool("atlas-900-a3-dies"), load_pool("cloudmatrix384")
    assert (dies.chips, dies.node) == (2 * packages.chips, 2 * packages.node)
    for mine, theirs in zip(dies.tiers[1:], packages.tiers, strict=True):
        assert (mine.name, mine.span) == (theirs.name, 2 * theirs.span)
        assert 2 * mine.bandwidth.value == pytest.approx(theirs.bandwidth.value)
        assert mine.latency == theirs.latency


@pytest.mark.parametrize("name", list_pools())
def test_no_tier_gives_a_chip_more_than_its_datasheet_says(name: str) -> None:
    pool = load_pool(name)
    for tier in pool.tiers:
        most = pool.chip.scale_up_bandwidth if tier.kind == "scale-up" else pool.chip.scale_out_bandwidth
        if tier.bandwidth and most:
            assert tier.bandwidth.value <= most.value * (1 + 1e-9), tier.name


def test_facts_are_for_people_only() -> None:
    pool = load_pool("cloudmatrix384")
    bare = replace(pool, facts=())
    assert find_floor_space(bare) == find_floor_space(pool)
    settings = failures_of(pool.chip)
    assert find_hazards(settings, bare, 384) == find_hazards(settings, pool, 384)
    rented = load_pool("hgx-h100")
    assert rented.rents[0][0].startswith("rent of one chip-hour")


def test_a_larger_pool_is_of_the_catalog_and_joins_more_of_the_same_units() -> None:
    pools = [load_pool(name) for name in list_pools()]
    named = [pool for pool in pools if pool.larger]
    assert named
    for pool in named:
        larger = load_pool(pool.larger)
        assert (larger.chip, larger.unit) == (pool.chip, pool.unit)
        assert larger.max_chips > pool.max_chips
