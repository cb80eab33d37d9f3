"""Results survive a round through a file, and a damaged file is refused with its place."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tianji.catalog import load_pool, make_job
from tianji.errors import FormatError
from tianji.parallel import Strategy
from tianji.parallel.plan import Plan
from tianji.prediction import predict
from tianji.result import Measurement, Result, Traffic, read_result, write_result


@pytest.fixture(scope="module")
def predicted() -> Result:
    pool = load_pool("hgx-h100").with_chips(8)
    return predict(Plan(make_job("llama-3.1-8b", 4096, 8), pool, Strategy(tp=2, pp=2, dp=2)))


def test_a_prediction_survives(predicted: Result, tmp_path: Path) -> None:
    write_result(predicted, tmp_path / "result.json")
    assert read_result(tmp_path / "result.json") == predicted


def test_a_measurement_survives_and_a_folder_stands_for_its_result(predicted: Result, tmp_path: Path) -> None:
    facts = Measurement(
        "local", "cpu", 1, (0.5, 0.4), (5.5, 5.4, 5.3), (1.0, 1.0, 1.0), (1e9,), 0.6, {"tp": Traffic(3, 8.0)}
    )
    measured = replace(predicted, kind="measured", measurement=facts)
    write_result(measured, tmp_path / "result.json")
    assert read_result(tmp_path) == measured


def test_noise_is_half_of_the_spread_over_the_median() -> None:
    times = tuple(float(t) for t in (8, 9, 10, 11, 12))
    assert Measurement("local", "cpu", 0, times, (), (), ()).noise == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("format"), "not a result"),
        (lambda d: d.update(version=9), "version 9"),
        (lambda d: d.pop("breakdown"), "the key 'breakdown' is missing"),
        (lambda d: d.update(kind="guessed"), "expected predicted or measured"),
        (lambda d: d["memory"].update(weights="much"), "memory.weights: expected a number"),
        (lambda d: d["plan"].pop("job"), "plan"),
        (lambda d: d["step_time"].update(low="0"), "step_time.low"),
        (lambda d: d.update(stages=5), "stages: expected a list"),
    ],
)
def test_a_damaged_file_is_refused_with_the_place(predicted: Result, tmp_path: Path, change: Any, message: str) -> None:
    path = tmp_path / "result.json"
    write_result(predicted, path)
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    with pytest.raises(FormatError, match=message):
        read_result(path)


def test_a_truncated_file_is_refused(predicted: Result, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_result(predicted, path)
    path.write_text(path.read_text()[:500])
    with pytest.raises(FormatError, match="is it complete"):
        read_result(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="cannot be read"):
        read_result(tmp_path / "nothing.json")
