from dataclasses import replace
from importlib.resources import files

import pytest

from tianji.calibration import calibrate_rows, choose_rows
from tianji.catalog import load_chip, write_calibration
from tianji.catalog.calibrations import load_calibration
from tianji.errors import FormatError
from tianji.hardware.calibration import UNSEEN
from tianji.hardware.software import Software
from tianji.measurements.rows import Row
from tianji.measurements.table import read_table


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    table = files("tianji") / "catalog" / "data" / "measurements" / "training.csv"
    return [r for r in read_table(str(table)).rows if r.pool.chip.name in ("h100-sxm", "ascend-910b2")]


def test_only_fit_rows_of_known_settings_may_set_constants(rows: list[Row]) -> None:
    chosen = choose_rows(rows)
    assert {r.split for r in chosen} == {"fit"} and {r.quality for r in chosen} <= {"A", "B"}
    with pytest.raises(FormatError, match="split fit"):
        calibrate_rows([r for r in rows if r.split == "check"])


def test_a_calibration_has_evidence_for_all_it_says(rows: list[Row], tmp_path: object) -> None:
    found = calibrate_rows(rows[::3], "some", "2026-11-24")
    chip = found.evidence["h100-sxm"]
    assert chip["matmul_efficiency"].tier == "fitted" and chip["matmul_efficiency"].rows > 0
    assert chip["matmul_efficiency"].standard_error > 0
    assert {e.inherited_from for e in found.evidence["ascend-950dt"].values()} <= {"", "ascend-910b2"}
    assert found.constants(load_chip("h800")).matmul_efficiency == found.chips["h100-sxm"].matmul_efficiency
    path = f"{tmp_path}/some.toml"
    write_calibration(found, path)
    assert load_calibration(path) == found


def test_chips_without_runs_are_less_sure_than_their_relatives() -> None:
    shipped = load_calibration()
    measured = shipped.spread(load_chip("ascend-910b2"))
    inherited, roadmap = shipped.spread(load_chip("ascend-910b1")), shipped.spread(load_chip("ascend-960dt"))
    assert (measured.basis, inherited.basis, roadmap.basis) == ("measured", "inherited", "roadmap")
    assert roadmap.low < inherited.low < measured.low <= 1 <= measured.high < inherited.high < roadmap.high


def test_far_more_chips_than_ever_measured_are_less_sure() -> None:
    shipped, chip = load_calibration(), load_chip("h100-sxm")
    near, far = shipped.spread(chip, chips=1024), shipped.spread(chip, chips=400_000)
    assert far.low < near.low and near.high < far.high


def test_a_plan_without_stated_software_gets_the_reference_stack() -> None:
    shipped, chip = load_calibration(), load_chip("h100-sxm")
    reference = shipped.constants(chip, shipped.reference["cuda"])
    # Memory is fitted by framework; without a stated one it is that of all of them.
    memory = ("activation_overhead", "framework_reserve", "communicator_size")
    plain = replace(shipped.constants(chip), **{name: getattr(reference, name) for name in memory})
    assert plain == reference != shipped.constants(chip, ())
    assert shipped.constants(chip, ("nobody-knows-this",)) == shipped.constants(chip, ())


def test_a_framework_that_is_called_other_keeps_its_effects(rows: list[Row]) -> None:
    on_910b2 = [r for r in choose_rows(rows) if r.pool.chip.name == "ascend-910b2"]
    some = [replace(r, setup=replace(r.setup, software=Software("other"))) for r in on_910b2]
    found = calibrate_rows(some)
    assert found.software["other"]["software"].rows == len(some)
    assert found.software[UNSEEN]["software"].rows == 0
