"""Cells by type: what is stated, what is empty, and what is refused."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import cells

from tianji.measurements.cells import EMPTY, CellError, Cells
from tianji.measurements.columns import COLUMNS


@pytest.mark.parametrize("text", [*EMPTY, " N/A ", "Not Stated"])
def test_an_empty_cell_states_nothing(text: str) -> None:
    row = Cells({"tp": text, "launch": text, "packed": text, "mfu": text, "scale_out": text, "offload": text}, 2)
    assert row.count("tp", default=7) == 7
    assert row.word("launch") == "" and row.words("offload") == ()
    assert row.switch("packed") is row.number("mfu") is row.bandwidth("scale_out") is None


@given(st.integers(1, 999), st.integers(1, 999))
def test_a_fraction_is_its_quotient(above: int, below: int) -> None:
    row = cells(recompute_share=f"{above}/{below}")
    if above > below:
        with pytest.raises(CellError, match="up to 1"):
            row.fraction("recompute_share", 1.0)
    else:
        assert row.fraction("recompute_share", 1.0) == float(Fraction(above, below)) == above / below


@given(st.sampled_from([c.name for c in COLUMNS.values() if c.type == "word"]), st.data())
def test_each_allowed_word_is_read_as_it_is_written(column: str, data: st.DataObject) -> None:
    word = data.draw(st.sampled_from(COLUMNS[column].words))
    assert Cells({column: word.upper()}, 2).word(column) == word


@given(st.sampled_from([c.name for c in COLUMNS.values() if c.type == "word"]), st.text(min_size=1, max_size=12))
def test_any_other_word_is_refused(column: str, text: str) -> None:
    known = {word.lower() for word in COLUMNS[column].words} | set(EMPTY)
    if text.strip().lower() not in known:
        with pytest.raises(CellError, match=f"{column}: expected"):
            Cells({column: text}, 2).word(column)


@pytest.mark.parametrize("text", ["0", "1.5", "-2", "1e12", "inf", "x"])
def test_a_count_is_a_whole_number_from_one(text: str) -> None:
    with pytest.raises(CellError, match="tp"):
        cells(tp=text).count("tp")


def test_a_bandwidth_has_a_unit() -> None:
    assert cells(scale_out="400 Gbit/s").bandwidth("scale_out") == 50e9
    with pytest.raises(CellError, match="unit"):
        cells(scale_out="400").bandwidth("scale_out")


@pytest.mark.parametrize(
    ("column", "says"),
    [
        ("step_time_s", "step_time_s: expected a number above 0, in s, got 'fast'"),
        ("n_chips", "n_chips: expected a whole number from 1, got 'fast'"),
        (
            "recompute_share",
            "recompute_share: expected a number above 0 and up to 1, or a fraction like 3/8, got 'fast'",
        ),
    ],
)
def test_a_wrong_cell_is_told_what_its_column_holds(column: str, says: str) -> None:
    read = {
        "step_time_s": Cells.number,
        "n_chips": Cells.count,
        "recompute_share": lambda c, n: Cells.fraction(c, n, 1.0),
    }
    with pytest.raises(CellError) as raised:
        read[column](Cells({column: "fast"}, 2), column)
    assert str(raised.value) == says
