"""Hybrids of attention and Mamba-2 against runs that set no constant: what the documents say of them is what comes out."""

import re
from collections import defaultdict
from pathlib import Path
from statistics import median

from tianji.catalog import load_calibration
from tianji.measurements.cells import Cells
from tianji.measurements.rows import read_row
from tianji.validation import predict_rows, read_runs
from tianji.validation.published_runs import read_shipped

PAGE = Path(__file__).parents[2] / "docs" / "models.md"
LINE = re.compile(r"\| (?P<chip>[a-z0-9-]+) \| (?P<runs>\d+) \| (?P<median>[+-][\d.]+) % \| (?P<worst>[+-][\d.]+) % \|")


def test_the_page_says_how_hybrids_are_predicted() -> None:
    rows = [row for row in read_runs()[0] if row.job.model.name.startswith("nemotron3_") and row.job.model.blocks]
    predictions = predict_rows(rows, load_calibration())
    errors: dict[str, list[float]] = defaultdict(list)
    for prediction in predictions:
        assert prediction.error is not None
        errors[prediction.row.pool.chip.name].append(100.0 * prediction.error)
    made = {
        (chip, len(found), f"{median(found):+.1f}", f"{max(found, key=abs):+.1f}") for chip, found in errors.items()
    }
    table = PAGE.read_text(encoding="utf-8").split("<!-- hybrids -->")[1].split("<!-- end hybrids -->")[0]
    assert {(m["chip"], int(m["runs"]), m["median"], m["worst"]) for m in LINE.finditer(table)} == made
    assert all(p.is_covered for p in predictions)


def test_the_page_says_what_a_dense_hybrid_takes_if_nothing_was_recomputed() -> None:
    stated = [cells for cells in read_shipped() if cells.text("arch_key") == "nemotronh_56b"]
    assert {cells.text("recompute") for cells in stated} == {""}
    rows = [read_row(Cells({**c.row, "recompute": "none"}, c.line), c.text("id")) for c in stated]
    errors = [prediction.error for prediction in predict_rows(rows, load_calibration()) if prediction.error is not None]
    low, high = (round(-100.0 * error) for error in (max(errors), min(errors)))
    assert f"Without recomputation it comes out {low} to {high} % too fast." in PAGE.read_text(encoding="utf-8")
    assert {row.strategy.chips for row in rows} == {32 * 2**i for i in range(7)}
