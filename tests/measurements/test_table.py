"""A row becomes a job on a pool under a strategy; what cannot be used says why, what is wrong says where."""

import ast
from pathlib import Path

import pytest
from tables import GOOD, MOE, write_rows

from tianji.errors import FormatError
from tianji.measurements import layouts
from tianji.measurements.rows import NATURAL_IMBALANCE
from tianji.measurements.table import hint_columns, read_table
from tianji.parallel.strategy import FIELDS
from tianji.units import GIB, KB, MIB


def test_a_row_becomes_a_job_on_a_pool_under_a_strategy(tmp_path: Path) -> None:
    (row,) = read_table(write_rows(tmp_path, GOOD)).rows
    assert (row.strategy.tp, row.strategy.dp, row.strategy.zero) == (2, 4, 1)
    # 64 sequences of 1,024 tokens at 16,384 tokens a second on each of 8 chips.
    assert row.measured_step_time == pytest.approx(64 * 1024 / (16384 * 8))
    assert row.traits[0] == "megatron-lm" and {"launch=eager", "loss=plain"} <= set(row.traits)
    assert row.plan.strategy is row.strategy


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"pool": ""}, "pool is not stated"),
        ({"pool": "h1000-sxm"}, "did you mean"),
        ({"recompute": ""}, "recompute is not stated"),
        ({"precision": "-"}, "precision is not stated"),
        ({"zero": "n/a"}, "zero is not stated"),
        ({"tokens_per_s_per_chip": ""}, "neither step_time_s nor tokens_per_s_per_chip"),
        ({"tp": "3"}, "does not divide n_chips"),
        ({"dp": "8"}, "dp is not"),
        ({"pp": "4", "tp": "1", "layers": "2"}, "only 2 layers"),
        ({"global_batch_size": "63"}, "does not divide by dp"),
        ({**MOE, "ep": "3", "etp": "1"}, "ep·etp does not divide"),
        ({"recompute": "full", "recompute_modules": "mlp", "kept_modules": "qkv"}, "exclude each other"),
    ],
)
def test_what_cannot_be_predicted_is_skipped_with_the_reason(
    changes: dict[str, str], reason: str, tmp_path: Path
) -> None:
    table = read_table(write_rows(tmp_path, {**GOOD, **changes}))
    assert not table.rows
    assert reason in table.skipped[0].reason and sum(table.reasons().values()) == 1


@pytest.mark.parametrize(
    ("column", "cell", "expected"),
    [
        ("recompute", "sel", "none, selective or full"),
        ("launch", "graphs", "full_graph"),
        ("tp", "two", "a whole number"),
        ("tp", "-1", "whole number"),
        ("overlap_dp", "maybe", "true or false"),
        ("recompute_modules", "mlp attn", "core_attn"),
        ("recompute_share", "3/2", "3/8"),
        ("scale_out", "400", "unit"),
        ("framework", "Megatron LM", "letters, digits"),
        ("step_time_s", "0", "above 0"),
        ("zero", "4", "0, 1, 2 or 3"),
    ],
)
def test_a_cell_that_its_column_never_holds_is_named_by_row_and_column(
    column: str, cell: str, expected: str, tmp_path: Path
) -> None:
    path = write_rows(tmp_path, GOOD, {**GOOD, "id": "bad", column: cell})
    with pytest.raises(FormatError) as caught:
        read_table(path)
    message = str(caught.value)
    assert f"runs.csv, line 3 (bad), column {column}" in message
    assert expected in message and cell in message and "validate --columns" in message


def test_many_wrong_cells_are_named_at_once_and_the_rest_counted(tmp_path: Path) -> None:
    rows = [{**GOOD, "id": str(i), "precision": "bf17"} for i in range(9)]
    with pytest.raises(FormatError, match="4 more cells") as caught:
        read_table(write_rows(tmp_path, *rows))
    assert str(caught.value).count("bf17") == 5


def test_the_same_name_twice_counts_once(tmp_path: Path) -> None:
    table = read_table(write_rows(tmp_path, GOOD, GOOD))
    assert len(table.rows) == len(table.skipped) == 1


def test_cells_that_stand_under_no_column_or_contradict_their_twin_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("id,pool,n_chips,n_chips\na,hgx-h100,8,8\n")
    assert len(read_table(path).skipped) == 1
    path.write_text("id,pool,n_chips,n_chips\na,hgx-h100,8,16\n")
    with pytest.raises(FormatError, match="line 2: two columns n_chips hold '8' and '16'"):
        read_table(path)
    path.write_text("id,pool,n_chips,source\na,hgx-h100,8,us, in May\n")
    with pytest.raises(FormatError, match="line 2: 5 cells under 4 columns"):
        read_table(path)


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("hello")
    with pytest.raises(FormatError, match="names the columns"):
        read_table(tmp_path / "x.csv")


def test_a_column_that_nothing_reads_is_told_and_a_slip_of_the_pen_is_recognised(tmp_path: Path) -> None:
    table = read_table(write_rows(tmp_path, {**GOOD, "recompte": "full", "colour": "red", "as_published_words": "x"}))
    assert table.ignored == ("recompte", "colour")
    (hint,) = hint_columns(table.ignored)
    assert "'recompte'" in hint and "recompute" in hint


def test_no_switch_of_a_row_is_left_to_the_defaults_of_a_strategy() -> None:
    tree = ast.parse(Path(layouts.__file__).read_text("utf-8"))
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "Strategy"]
    assert len(calls) == 1
    assert {keyword.arg for keyword in calls[0].keywords} == set(FIELDS)


@pytest.mark.parametrize(("ep", "imbalance"), [("2", NATURAL_IMBALANCE), ("1", 1.0)])
def test_natural_routing_is_uneven_only_where_experts_are_spread(ep: str, imbalance: float, tmp_path: Path) -> None:
    (row,) = read_table(write_rows(tmp_path, {**GOOD, **MOE, "routing": "natural", "ep": ep})).rows
    assert row.job.moe_imbalance == imbalance


@pytest.mark.parametrize(("framework", "unit"), [("megatron-lm", GIB), ("bigscience", KB * MIB)])
def test_memory_is_in_what_the_framework_prints(framework: str, unit: float, tmp_path: Path) -> None:
    (row,) = read_table(write_rows(tmp_path, {**GOOD, "framework": framework, "memory_gb_per_chip": "40"})).rows
    assert row.measured_memory == 40 * unit


def test_what_is_not_stated_is_told_as_assumed(tmp_path: Path) -> None:
    bare = {**GOOD, **MOE, "overlap_dp": ""}
    whole = {**bare, "id": "b", "overlap_dp": "true", "etp": "1", "sequence_parallel": "true"}
    first, second = read_table(write_rows(tmp_path, bare, whole)).rows
    assert first.job.assumed == ("overlap", "etp", "sequence_parallel")
    assert second.job.assumed == ()
