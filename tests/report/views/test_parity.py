"""The plot of two runs: curves by the names of their files, the band, and where they part."""

from typing import Any

import pytest

from tianji.report.views.parity import loss_chart


def document(reference: str, candidate: str, **more: Any) -> dict[str, Any]:
    curves = {"steps": [1, 2, 3], "reference": [3.0, 2.0, 1.0], "candidate": [3.0, None, 1.5]}
    names = {"reference": {"name": reference}, "candidate": {"name": candidate}}
    return {"curves": curves, "divergence": None} | names | more


def test_curves_are_called_by_their_files() -> None:
    labels = [series.label for series in loss_chart(document("runs/gpu.log", "runs/npu.log")).series]
    assert labels == ["reference: gpu.log", "candidate: npu.log"]
    labels = [series.label for series in loss_chart(document("gpu/run/train.log", "npu/run/train.log")).series]
    assert labels == ["reference: gpu/run/train.log", "candidate: npu/run/train.log"]
    labels = [series.label for series in loss_chart(document("a.log", "a.log")).series]
    assert labels == ["reference: a.log", "candidate: a.log"]


def test_the_band_is_the_references_and_the_step_where_they_part_is_marked() -> None:
    chart = loss_chart(document("a", "b", divergence={"step": 3}))
    reference, candidate = chart.series
    assert [point.low for point in reference.points] == pytest.approx([2.97, 1.98, 0.99])
    assert [point.high for point in reference.points] == pytest.approx([3.03, 2.02, 1.01])
    assert {point.low for point in candidate.points} == {None}
    assert len(candidate.points) == 2
    assert chart.marks == ((1, 3.0, "they part at step 3"),)
