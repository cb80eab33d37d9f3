"""Rows are predicted in stacks, here or elsewhere."""

from samples import travel
from tianji.validation import predict_rows, read_runs


def test_stacks_priced_elsewhere_give_what_they_give_here() -> None:
    rows, _ = read_runs(split="check", quality="A")
    here = predict_rows(rows)
    assert predict_rows(rows, mapper=travel) == here
    assert [p.row for p in here] == rows
