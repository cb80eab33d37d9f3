"""Rows are predicted in stacks, here or elsewhere."""

import pytest

from samples import travel
from tianji.catalog import load_calibration
from tianji.prediction import predict
from tianji.validation import predict_rows, read_runs
from tianji.validation.pricing import forecast


def test_stacks_priced_elsewhere_give_what_they_give_here() -> None:
    rows, _ = read_runs(split="check", quality="A")
    here = predict_rows(rows)
    assert predict_rows(rows, mapper=travel) == here
    assert [p.row for p in here] == rows


# --- one job, one number --------------------------------------------------------------------------------------------
# A model cut down to four layers is no mixture that anybody knows by its shape; one run has experts under tensor parallelism
# without sequence parallelism, which no framework that is sold allows.
APART = ("deepseek_v3_dense1", "deepseek_v2")


@pytest.mark.parametrize("split", ["fit", "check"])
def test_a_published_run_is_predicted_as_it_is_validated(split: str) -> None:
    """Under the software that ran, `predict` and `validate` say the same: time and range."""
    every = read_runs(split=split, quality="A")[0]
    runs = [row for row in every if "single node" not in row.source and row.arch_key not in APART][::13]
    calibration, equal = load_calibration(), 0
    for row, said in zip(runs, forecast([row.setup for row in runs], calibration), strict=True):
        if said.step_time is None:
            continue
        found = predict(row.setup.plan, calibration.under(row.software, row.pool.chip.name)).step_time
        assert (found.nominal, found.high) == pytest.approx((said.step_time, said.high)), row.id
        assert found.low >= said.low * (1 - 1e-9), row.id
        equal += 1
    assert equal > 30
