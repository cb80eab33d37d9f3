"""Hybrids of attention and Mamba-2 against runs that set no constant: what the documents say of them is what comes out."""

import re
from collections import defaultdict
from pathlib import Path
from statistics import median

from tianji.catalog import load_calibration
from tianji.validation import predict_rows, read_runs

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
