"""Records: made from the shipped tables, and found for a chip, a class and a size of model."""

from dataclasses import replace

import pytest

from docs.generators.records import find_mfu, write_records
from tianji.catalog import load_model
from tianji.measurements.records import FILE, class_of, find_highest_mfu, find_largest_micro_batch, load_records
from tianji.measurements.rows import Row
from tianji.validation.verdict import read_runs


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return read_runs()[0]


def test_the_table_is_what_the_shipped_tables_say(rows: list[Row]) -> None:
    made = write_records(rows)
    assert FILE.read_text("utf-8") == made, "run `python docs/generators/records.py`"


def test_no_kept_run_exceeds_a_record(rows: list[Row]) -> None:
    kept = [row for row in rows if row.quality == "A" and not row.source.startswith("vTrain ground truth, single")]
    for row in kept[::7]:
        record = find_highest_mfu(row.pool.chip.name, row.job.model, row.job.precision.linear)
        assert record is not None
        assert find_mfu(row) <= record.value + 5e-5
        largest = find_largest_micro_batch(row.job.model, row.job.seq_len)
        assert largest is not None
        assert row.strategy.micro_batch_size <= largest.value


def test_a_chip_without_runs_has_no_record() -> None:
    assert find_highest_mfu("ascend-970", load_model("llama-3.1-8b"), "bf16") is None


def test_small_models_and_short_sequences_say_nothing_of_large_ones() -> None:
    model = load_model("deepseek-v3")
    record = find_largest_micro_batch(model, 4096)
    assert record is not None
    assert record.model_class == "moe" == class_of(model)
    assert record.parameters >= 0.5 * model.num_parameters
    longer = find_largest_micro_batch(model, 131_072)
    assert longer is None or longer.value <= record.value
    assert find_largest_micro_batch(replace(model, num_layers=10**4), 4096) is None


def test_every_record_names_its_run() -> None:
    assert all(r.run and r.source and r.chips > 0 for r in load_records())
