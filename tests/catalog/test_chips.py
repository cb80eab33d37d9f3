"""Chips: all there, with the figures of their public sheets, and a user's own beside them."""

from pathlib import Path

import pytest

from tianji.catalog import list_chips, load_chip
from tianji.catalog.entries import DATA, ENVIRONMENT, read_text
from tianji.errors import FormatError, UnknownFigureError, UnknownNameError
from tianji.units import GB, GIB, MB, TB, TERA

MINE = """
name = "mine"
title = "A chip of my own"
vendor = "Me"
ecosystem = "other"
status = "announced"

[peak]
bf16 = { value = "100 TFLOP/s", source = "my data sheet", confidence = "user" }

[memory]
value = "32 GB"
source = "my data sheet"
confidence = "user"
"""


@pytest.mark.parametrize("name", list_chips())
def test_every_chip_loads_under_its_own_name(name: str) -> None:
    chip = load_chip(name)
    assert chip.name == name
    assert chip.title
    assert (DATA / "chips" / f"{name}.toml").is_file()


def test_the_catalog_has_the_chips_of_its_table() -> None:
    names = list_chips()
    assert len(names) >= 63
    assert set(names) >= {
        *(f"ascend-910b{i}" for i in (1, 2, 3, 4)), "ascend-910c", "ascend-910c-die", "ascend-950pr", "ascend-950dt",
        "ascend-950dt-96",
        "ascend-960dt", "ascend-980", "a100-80", "h100-sxm", "h100-96-500w", "h800", "h20", "h200", "b200", "b300", "gb200",
        "gb300", "rubin", "mi300x", "mi355x", "tpu-v5p", "tpu-v7", "trainium2", "mlu590", "kunlun-p800",
        "gh200", "h200-nvl", "mi350x", "rtx-3090", "rtx-4090", "rtx-a6000", "l40", "v100-32", "a800-80", "a100-64", "ascend-910a",
    }  # fmt: skip


# Dense bf16 or fp8 peaks in TFLOP/s, memory in GiB, memory rate in TB/s and one direction of the links in GB/s, as the
# vendors' sheets and papers print them.
SHEETS = [
    ("a100-80", "bf16", 312, 80, 2.039, 300),
    ("h100-sxm", "bf16", 989, 80, 3.35, 450),
    ("h100-sxm", "fp8", 1979, 80, 3.35, 450),
    ("h800", "bf16", 989, 80, 3.35, 200),
    ("h20", "bf16", 148, 96, 4.0, 450),
    ("h200", "fp8", 1979, 141, 4.8, 450),
    ("b200", "bf16", 2250, 180, 8.0, 900),
    ("gb200", "fp8", 5000, 186, 8.0, 900),
    ("rubin", "fp4", 35_000, 288, 22.0, 1800),
    ("mi300x", "bf16", 1307, 192, 5.3, 448),
    ("ascend-910b2", "bf16", 353.9, 64, 1.6, 196),
    ("ascend-910b3", "fp16", 313, 64, 1.6, 196),
    ("ascend-910c", "fp16", 752, 128, 3.2, 392),
    ("ascend-910c-die", "fp16", 376, 64, 1.6, 224),
    ("ascend-950pr", "fp8", 865, 128, 1.6, 1008),
    ("ascend-950dt", "fp8", 973, 144, 4.0, 840),
    ("ascend-950dt-96", "fp8", 919, 96, 4.0, 840),
    ("ascend-960dt", "fp4", 4000, 288, 9.6, 1100),
    ("h100-96-500w", "bf16", 989, 96, 2.4, 450),
    ("gh200", "bf16", 990, 96, 4.0, 450),
    ("h200-nvl", "fp8", 1670, 141, 4.8, 450),
    ("mi350x", "bf16", 2310, 288, 8.0, 535.5),
    ("rtx-3090", "bf16", 71, 24, 0.936, 56.25),
    ("rtx-4090", "bf16", 165.2, 24, 1.008, 32),
    ("rtx-a6000", "bf16", 154.8, 48, 0.768, 56.25),
    ("l40", "fp8", 362, 48, 0.864, 32),
    ("v100-32", "fp16", 125, 32, 0.9, 150),
    ("a800-80", "bf16", 312, 80, 2.039, 200),
    ("a100-64", "bf16", 358, 64, 1.64, 300),
    ("ascend-910a", "fp16", 256, 32, 1.2, 90),
]


@pytest.mark.parametrize(("name", "dtype", "peak", "memory", "rate", "links"), SHEETS)
def test_figures_are_those_of_the_public_sheets(
    name: str, dtype: str, peak: float, memory: float, rate: float, links: float
) -> None:
    chip = load_chip(name)
    assert chip.matrix_peak(dtype) == pytest.approx(peak * TERA)
    assert chip.memory_size() == pytest.approx(memory * GIB)
    assert chip.memory_rate() == pytest.approx(rate * TB)
    assert chip.scale_up_bandwidth is not None
    assert chip.scale_up_bandwidth.value == pytest.approx(links * GB)


# GB/s of the link to the host, GB of its memory and GB/s of that for each chip.
HOSTS = [
    ("h100-sxm", 64, 256, 76.8),
    ("a100-80", 32, 256, 51.2),
    ("gb200", 225, 236, 255),
    ("gh200", 450, 480, 512),
    ("ascend-910b2", 32, 192, 70),
]


@pytest.mark.parametrize(("name", "link", "memory", "rate"), HOSTS)
def test_hosts_are_given_for_each_chip(name: str, link: float, memory: float, rate: float) -> None:
    chip = load_chip(name)
    assert chip.host_bandwidth and chip.host_memory and chip.host_memory_bandwidth
    figures = (chip.host_bandwidth, chip.host_memory, chip.host_memory_bandwidth)
    assert [f.value / GB for f in figures] == pytest.approx([link, memory, rate])


def test_no_link_to_a_host_is_faster_than_the_chips_memory() -> None:
    for chip in map(load_chip, list_chips()):
        if chip.host_bandwidth and chip.memory_bandwidth:
            assert chip.host_bandwidth.value < chip.memory_bandwidth.value


def test_links_are_given_in_bytes_of_one_direction() -> None:
    network = load_chip("h100-sxm").scale_out_bandwidth
    assert network is not None
    assert network.value == 50 * GB


def test_a_bin_is_never_its_neighbour() -> None:
    faster, slower = (load_chip(name).matrix_peak("bf16") for name in ("ascend-910b2", "ascend-910b3"))
    assert faster / slower == pytest.approx(1.2, abs=1e-4)


def test_no_peak_is_the_sparse_one() -> None:
    # Where a chip has bf16 and fp8 units, data sheets double the rate with each halving of the width, and again if sparse.
    for name in ("h100-sxm", "h200", "b200", "gb200", "mi300x", "ascend-950dt", "ascend-950pr", "tpu-v7"):
        chip = load_chip(name)
        assert chip.matrix_peak("fp8") / chip.matrix_peak("bf16") == pytest.approx(2, rel=0.01)


def test_contradictions_are_kept_beside_the_default() -> None:
    chip = load_chip("ascend-950dt")
    assert chip.memory is not None
    assert any("96 GB" in text for text in chip.memory.alternatives)
    assert len(chip.peak["fp8"].alternatives) == 4
    assert load_chip("ascend-910c").peak["fp16"].alternatives


def test_the_unknown_stays_unknown_and_says_why() -> None:
    chip = load_chip("ascend-910c")
    assert chip.power is None
    assert "peak.fp8 is not published: There is no native FP8." in chip.notes
    with pytest.raises(UnknownFigureError, match="ascend-910c has no published dense fp8 peak"):
        chip.matrix_peak("fp8")


def test_a_price_span_has_its_middle() -> None:
    price = load_chip("h100-sxm").price
    assert price is not None
    assert (price.low, price.value, price.high) == (25_000, 35_950, 46_900)


@pytest.mark.parametrize("name", list_chips())
def test_a_relative_is_a_chip_of_the_same_ecosystem_or_none(name: str) -> None:
    seen, chip = {name}, load_chip(name)
    while chip.relative:
        relative = load_chip(chip.relative)
        assert relative.ecosystem == chip.ecosystem
        assert relative.name not in seen, f"{name}: relatives go in a circle"
        seen.add(relative.name)
        chip = relative


def test_a_known_name_is_found_in_any_case() -> None:
    assert load_chip(" H100-SXM ").name == "h100-sxm"


@pytest.mark.parametrize("name", ["h100", "..", "", "a\x00b", "h100 sxm"])
def test_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(UnknownNameError, match="unknown chip"):
        load_chip(name)


def test_an_unknown_name_comes_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean .*ascend-950dt"):
        load_chip("ascend-950td")


def test_a_file_of_ones_own_loads_and_may_say_its_source_in_words(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINE)
    chip = load_chip(path)
    assert chip.matrix_peak("bf16") == 100 * TERA
    assert chip.memory is not None
    assert chip.memory.source == "my data sheet"
    assert load_chip(str(path)) is chip, "the second load is the first"
    path.write_text(MINE.replace("32 GB", "320 MB"))
    assert load_chip(path).memory_size() == 320 * MB, "a changed file is read anew"


def test_folders_of_ones_own_are_looked_through_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "chips").mkdir()
    (tmp_path / "chips" / "mine.toml").write_text(MINE)
    (tmp_path / "chips" / "h20.toml").write_text(MINE.replace("A chip", "An H20").replace('"mine"', '"h20"'))
    assert "mine" not in list_chips()
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
    assert "mine" in list_chips()
    assert load_chip("mine").title == "A chip of my own"
    assert load_chip("h20").title == "An H20 of my own"
    assert read_text("chips", "mine") == MINE


def test_an_entry_stands_on_another_one(tmp_path: Path) -> None:
    path = tmp_path / "filled.toml"
    path.write_text(
        'like = "ascend-910c"\nname = "filled"\n[peak.fp8]\nvalue = "700 TFLOP/s"\nsource = "a guess"\nconfidence = "user"\n'
    )
    chip, base = load_chip(path), load_chip("ascend-910c")
    assert chip.matrix_peak("fp8") == 700 * TERA
    assert chip.matrix_peak("bf16") == base.matrix_peak("bf16")
    assert chip.memory == base.memory
    assert not any(note.startswith("peak.fp8 is not") for note in chip.notes)
    assert any(note.startswith("power is not") for note in chip.notes)


def test_entries_in_a_circle_are_refused(tmp_path: Path) -> None:
    for name, other in (("a", "b"), ("b", "a")):
        (tmp_path / f"{name}.toml").write_text(f'like = "./{other}.toml"\n' + MINE)
    with pytest.raises(FormatError, match="is it a circle"):
        load_chip(tmp_path / "a.toml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "mine"', "", "mine.toml: name: missing; expected a text"),
        ('ecosystem = "other"', 'ecosystem = "rocn"', "'rocn' is not known; did you mean 'rocm'"),
        ("[memory]", "[memori]", "memori: unknown key; did you mean 'memory'"),
        ("bf16", "bf61", "peak.bf61: unknown key; did you mean 'bf16'"),
        ("100 TFLOP/s", "100 EFLOP/s", 'peak.bf16.value: "100 EFLOP/s" is absurd'),
        ("32 GB", "32 Gbit/s", "memory.value: '32 Gbit/s' has the unit 'Gbit/s'"),
        ('status = "announced"', 'status = "announced"\nlike = 7', "like: expected the name or the path of a chip"),
        ("[memory]", '[unknown]\nmemory = "no"\n[memory]', "this figure is given above, so it is not unknown"),
        ("[memory]", '[unknown]\nmemori = "no"\n[memory]', "unknown.memori: unknown key"),
    ],
)
def test_a_slip_is_named_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINE.replace(old, new, 1))
    with pytest.raises(FormatError) as caught:
        load_chip(path)
    assert message in str(caught.value)


def test_two_dies_are_a_package() -> None:
    die, package = load_chip("ascend-910c-die"), load_chip("ascend-910c")
    assert set(die.peak) == set(package.peak)
    for name, figure in package.peak.items():
        assert 2 * die.peak[name].value == pytest.approx(figure.value)
    for name, figure in package.vector_peak.items():
        assert 2 * die.vector_peak[name].value == pytest.approx(figure.value)
    for name in ("memory", "memory_bandwidth", "scale_out_bandwidth"):
        assert 2 * getattr(die, name).value == pytest.approx(getattr(package, name).value)


def test_a_folder_that_is_not_there_and_a_file_of_another_name_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "nowhere"))
    with pytest.raises(FormatError, match=r"TIANJI_CATALOG: .*nowhere is no folder"):
        list_chips()
    (tmp_path / "chips").mkdir()
    (tmp_path / "chips" / "other.toml").write_text(MINE)
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
    with pytest.raises(FormatError, match="expected 'other', as the file is called, got 'mine'"):
        load_chip("other")


def test_more_memory_than_any_chip_has_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINE.replace("32 GB", "9600 GB"))
    with pytest.raises(FormatError, match="memory"):
        load_chip(path)
