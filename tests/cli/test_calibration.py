"""`tianji calibrate`: a file that other commands take, the same each time, and clear ends for bad tables."""

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tianji.catalog import load_calibration
from tianji.cli import main
from tianji.hardware.calibration import Calibration
from tianji.measurements.columns import COLUMNS

ROW = {
    "chip": "h100-sxm", "n_chips": "8", "layers": "32", "hidden": "4096", "ffn": "14336", "heads": "32", "kv_heads": "8",
    "head_dim": "128", "vocab": "128256", "seq_len": "8192", "global_batch_size": "64", "pp": "1", "fsdp_zero": "ZeRO-1",
    "precision": "bf16", "recompute": "full", "framework": "ours", "source": "our log",
}  # fmt: skip
LAYOUTS = [(1, 1, 11.0), (2, 1, 12.0), (4, 2, 13.5), (8, 1, 16.0), (2, 2, 11.8), (4, 1, 13.8)]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = [
        ROW | {"id": f"run {i}", "tp": str(tp), "micro_batch_size": str(mbs), "step_time_s": str(time)}
        for i, (tp, mbs, time) in enumerate(LAYOUTS)
    ]
    path = tmp_path / "runs.csv"
    with path.open("w", newline="") as file:
        out = csv.DictWriter(file, fieldnames=list(rows[0]))
        out.writeheader()
        out.writerows(rows)
    return path


def test_ones_own_runs_give_a_calibration_that_fits_them_better(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.toml"
    document = json.loads(
        run("calibrate", str(table), "--base", "none", "--out", str(out), "--date", "2026-01-01", "--json").stdout
    )
    assert document["added"] is None
    assert document["rows"] == len(LAYOUTS)
    # Micro-benchmarks hold the chip's constants: six runs of an own stack tell of the stack.
    own = document["software"]["ours"]["software"]
    assert own["rows"] == len(LAYOUTS)
    assert 0 < own["standard_error"] < 0.3
    assert own["factor"] > 1.1
    found = load_calibration(out)
    assert isinstance(found, Calibration)
    assert (found.name, found.date) == ("mine", "2026-01-01")

    def median(calibration: str) -> float:
        done = run("validate", str(table), "--calibration", calibration, "--json")
        return float(json.loads(done.stdout)["summary"]["step_time"]["median_error"])

    assert median(str(out)) < 0.05 < median("none")


def test_the_same_runs_give_the_same_file(table: Path, tmp_path: Path) -> None:
    texts = []
    for name in ("one", "two"):
        out = tmp_path / f"{name}.toml"
        done = run("calibrate", str(table), "--base", "none", "--out", str(out), "--name", "x", "--date", "2026-01-01")
        assert done.exit_code == 0
        assert "standard error" in done.stdout
        texts.append(out.read_text())
    assert texts[0] == texts[1]


def test_a_split_that_no_row_has_is_named(table: Path, tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    lines = table.read_text().splitlines()
    path.write_text("\n".join([f"{lines[0]},split", *(f"{line},check" for line in lines[1:])]) + "\n")
    done = run("calibrate", str(path), "--out", str(tmp_path / "out.toml"))
    assert done.exit_code == 2
    assert "fit" in done.stderr
    assert not (tmp_path / "out.toml").exists()
    assert run("calibrate", str(path), "--split", "check", "--out", str(tmp_path / "out.toml")).exit_code == 0


def test_ones_own_runs_are_added_to_what_is_known(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.toml"
    document = json.loads(run("calibrate", str(table), "--out", str(out), "--date", "2026-01-01", "--json").stdout)
    (own,) = document["added"]["own"]
    assert (document["added"]["base"], own["chip"], own["software"], own["rows"]) == ("default", "h100-sxm", "ours", 6)
    assert abs(own["after_ratio"] - 1.0) < 0.05 < abs(own["before_ratio"] - 1.0)
    shipped, mine = load_calibration(), load_calibration(out)
    assert mine.software.keys() - shipped.software.keys() >= {"ours@h100-sxm"}
    # No other chip and no memory moves; published runs of the same chip follow the cluster.
    assert {t: e for t, e in mine.software.items() if not t.endswith("@h100-sxm")} == {
        t: e for t, e in shipped.software.items() if not t.endswith("@h100-sxm")
    }
    assert (mine.chips, mine.memory, mine.spreads) == (shipped.chips, shipped.memory, shipped.spreads)
    for near in document["added"]["neighbours"]:
        assert (near["moved_ratio"] == 1.0) == (near["chip"] != "h100-sxm")
    shown = run("calibrate", str(table), "--out", str(out)).stdout
    assert "own rows were added to default" in " ".join(shown.split())


def test_a_base_needs_a_table(tmp_path: Path) -> None:
    done = run("calibrate", "--base", "default", "--out", str(tmp_path / "x.toml"))
    assert done.exit_code == 2 and "name a table" in done.stderr


def test_a_template_is_a_table_to_be_filled_in(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    assert run("validate", "--template", str(path)).exit_code == 0
    untouched = run("validate", str(path))
    assert untouched.exit_code == 2 and "step_time_s" in untouched.stderr
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert len(rows) == 1 and set(rows[0]) <= set(COLUMNS)
    assert set(rows[0]) >= {name for name, column in COLUMNS.items() if column.empty == "needed"}
    with path.open("w", newline="") as file:
        out = csv.DictWriter(file, fieldnames=list(rows[0]))
        out.writeheader()
        out.writerow(rows[0] | {"step_time_s": "16.3"})
    assert json.loads(run("validate", str(path), "--json").stdout)["summary"]["step_time"]["count"] == 1
    again = run("validate", "--template", str(path))
    assert again.exit_code == 2 and "exists" in again.stderr
