"""The reader refuses what it cannot use with a place and a way out, and never ends in anything else."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tianji.catalog import load_chip, load_pool
from tianji.catalog.entries import DATA
from tianji.catalog.reader import MAX_SIZE, TomlTable, read_toml, span
from tianji.errors import FormatError, InputError
from tianji.units import GB

FIGURE = {"value": "80 GB", "source": "its own page", "confidence": "user"}


def table(**content: object) -> TomlTable:
    return TomlTable(content, "my.toml")


def test_a_figure_keeps_all_that_its_entry_says() -> None:
    entry = {**FIGURE, "low": "70 GB", "high": "90 GB", "note": "a note", "alternatives": ["96 GB: elsewhere"]}
    found = table(memory=entry).figure("memory", *span("bytes", "1 MB", "1 PB"))
    assert found is not None
    assert (found.value, found.low, found.high) == (80 * GB, 70 * GB, 90 * GB)
    assert (found.source, found.confidence, found.note) == ("its own page", "user", "a note")
    assert found.alternatives == ("96 GB: elsewhere",)
    assert found.text == "80 GB"


def test_a_span_without_a_value_has_its_middle() -> None:
    entry = {"low": "60 GB", "high": "100 GB", "source": "press", "confidence": "press"}
    found = table(memory=entry).figure("memory", *span("bytes", "1 MB", "1 PB"))
    assert found is not None
    assert found.value == 80 * GB
    assert found.text == "60 GB to 100 GB"


def test_an_absent_figure_is_none() -> None:
    assert table().figure("memory", *span("bytes", "1 MB", "1 PB")) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": "80 GB/s"}, "my.toml: memory.value: '80 GB/s' has the unit 'GB/s'; expected a size with a unit"),
        ({"value": 80}, "my.toml: memory.value: 80 has no unit"),
        ({"value": "-80 GB"}, 'my.toml: memory.value: expected a figure above zero, got "-80 GB"'),
        ({"value": "0 GB"}, "expected a figure above zero"),
        ({"value": "80 EB"}, "is absurd; expected 1 MB to 1,000 TB (is the unit right?)"),
        ({"value": ["80 GB"]}, "expected a size with a unit"),
        ({"value": None}, "my.toml: memory.value: missing; expected a figure with its unit"),
        ({"low": "81 GB"}, "expected low <= value <= high"),
        ({"high": "79 GB"}, "expected low <= value <= high"),
        ({"source": None}, "my.toml: memory.source: missing; expected a text"),
        ({"source": "  "}, "my.toml: memory.source: expected a text, got an empty one"),
        ({"source": None, "sourse": "a page"}, "is 'sourse' a slip for it?"),
        ({"confidence": None}, "my.toml: memory.confidence: missing"),
        ({"confidence": "offical"}, "'offical' is not known; did you mean 'official'?"),
        ({"nota": "x"}, "my.toml: memory.nota: unknown key; did you mean 'note'?"),
        ({"alternatives": "96 GB"}, "expected a list of texts"),
        ({"note": 7}, "expected a text in quotes, got 7"),
    ],
)
def test_a_figure_is_refused_for_what_is_wrong_with_it(change: dict[str, object], message: str) -> None:
    entry = {key: value for key, value in {**FIGURE, **change}.items() if value is not None}
    with pytest.raises(FormatError) as caught:
        table(memory=entry).figure("memory", *span("bytes", "1 MB", "1 PB"))
    assert message in str(caught.value)


def test_a_bare_figure_is_asked_for_its_source() -> None:
    with pytest.raises(FormatError, match=r'a figure needs its source.*memory = \{ value = "80 GB", source ='):
        table(memory="80 GB").figure("memory", *span("bytes", "1 MB", "1 PB"))


def test_a_shipped_entry_may_name_listed_sources_only() -> None:
    entry = {"memory": {**FIGURE, "source": "MSMODEL, MSMODLE"}}
    with pytest.raises(FormatError, match=r"'MSMODLE' is not a key of sources.toml; did you mean 'MSMODEL'"):
        TomlTable(entry, "my.toml", sources={"MSMODEL"}).figure("memory", *span("bytes", "1 MB", "1 PB"))


@pytest.mark.parametrize(
    ("value", "expected"), [("300 PFLOP/s", 300e15), (6912, 6912.0), ("99.8 %", 0.998), ("550 kW", 550e3)]
)
def test_a_fact_has_the_dimension_of_its_unit(value: object, expected: float) -> None:
    assert table(x={**FIGURE, "value": value}).fact("x").value == pytest.approx(expected)


@pytest.mark.parametrize("value", ["300 PFLOPs", "many", [], None])
def test_a_fact_without_a_known_unit_is_refused(value: object) -> None:
    with pytest.raises(FormatError, match="expected a figure with a unit"):
        table(x={**FIGURE, "value": value}).fact("x")


def test_words_and_counts_are_typed() -> None:
    given = table(name="a", node=8, chips="8k", kind="scale-up", tiers=[{}], chip={})
    assert (given.text("name"), given.count("node"), given.count("chips")) == ("a", 8, 8000)
    assert given.choice("kind", ("scale-up", "scale-out")) == "scale-up"
    assert [part.path for part in given.children("tiers")] == ["tiers[0]"]
    inside = given.child("chip")
    assert inside is not None
    assert inside.where("name") == "my.toml: chip.name"
    given.finish()


@pytest.mark.parametrize("value", [0, -8, 2.5, "eight", True, 10**12, []])
def test_a_count_is_whole_and_sane(value: object) -> None:
    with pytest.raises(FormatError):
        table(node=value).count("node")


def test_an_unknown_key_names_the_nearest() -> None:
    given = table(memory_bandwith=1)
    given.get("memory_bandwidth")
    with pytest.raises(FormatError, match="unknown key; did you mean 'memory_bandwidth'"):
        given.finish()


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'name = "a"\n[memory\n', "bad.toml, line 2, column 8"),
        (b'name = "a"\ntitle = "b', "line 2"),
        (b'name = "a"\n\xff\xfe', "bad.toml, line 2: not UTF-8 text"),
        (b"\x00\x01\x02", "line 1"),
        (b"x" * (MAX_SIZE + 1), "1.05 MB is too big"),
        (b"x = " + b"[" * 100_000, "bad.toml"),
        (b"name." + b"a." * 5_000 + b"a = 1", "nested too deeply"),
        (b"x = 0x" + b"f" * 5_000, "has a number of 20,000 bits"),
        (b"x = " + b"9" * 5_000, "bad.toml"),
    ],
)
def test_a_file_that_is_not_toml_is_refused_with_its_place(tmp_path: Path, raw: bytes, message: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(raw)
    with pytest.raises(FormatError) as caught:
        read_toml(path)
    assert message in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path, Path("\x00.toml")):
        with pytest.raises(FormatError, match="cannot be read"):
            read_toml(path)


def test_files_of_any_editor_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b'\xef\xbb\xbfname = "a"\r\nnode = 8\r\n')
    assert read_toml(path) == {"name": "a", "node": 8}


def refuses_or_reads(path: Path) -> None:
    for load in (load_chip, load_pool):
        try:
            load(path)
        except InputError as error:
            assert str(error)


STEADY = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@STEADY
@given(raw=st.binary(max_size=400))
def test_any_bytes_end_in_a_value_or_in_an_input_error(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "random.toml"
    path.write_bytes(raw)
    refuses_or_reads(path)


VALUES = st.sampled_from(
    ['""', '"x"', "0", "-1", "1e400", "nan", "inf", "true", "[]", "{}", "[[1]]", "1979-05-27", '"-5 GB"', '"1e300 EB"',
     '"0 W"', '"../../x.toml"', '"a/b"', '"\\u0000"', '"\\n"', "[{}]", "{ value = 1 }", "0x" + "f" * 300]
)  # fmt: skip
SAMPLES = [
    DATA / "chips" / "ascend-950dt.toml",
    DATA / "pools" / "cloudmatrix384.toml",
    DATA / "pools" / "dgx-h100.toml",
]


@STEADY
@given(data=st.data())
def test_any_slip_in_an_entry_ends_in_a_value_or_in_an_input_error(tmp_path: Path, data: st.DataObject) -> None:
    lines = data.draw(st.sampled_from(SAMPLES)).read_text(encoding="utf-8").splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        key = lines[at].partition("=")[0]
        lines[at] = data.draw(
            st.one_of(
                st.just(""),
                VALUES.map(lambda value, key=key: f"{key}= {value}"),  # type: ignore[misc]
                st.integers(0, 40).map(lambda n, at=at: lines[at][:n]),  # type: ignore[misc]
                st.sampled_from(lines),
            )
        )
    text = "\n".join(lines)
    path = tmp_path / "mutated.toml"
    path.write_text(text[: data.draw(st.integers(0, len(text)))] if data.draw(st.booleans()) else text, "utf-8")
    refuses_or_reads(path)
