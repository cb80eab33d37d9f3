"""Traces: who pays for nested time, where a step went, and all ranks on one clock."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tianji.backends.traces import STEP, exclusive_times, merge_traces, read_breakdown


def bar(name: str, begin: float, length: float, tid: int = 1, cat: str = "cpu_op") -> dict[str, Any]:
    return {"ph": "X", "name": name, "ts": begin, "dur": length, "tid": tid, "cat": cat}


def write(path: Path, events: list[dict[str, Any]], base: int = 0) -> Path:
    path.write_text(json.dumps({"baseTimeNanoseconds": base, "traceEvents": events}))
    return path


@pytest.mark.parametrize(
    ("bars", "times"),
    [
        ([(0, 4, "aten::linear"), (1, 3, "aten::addmm")], {"matmul": 4}),
        ([(0, 9, "aten::scaled_dot_product_attention"), (1, 5, "aten::bmm"), (5, 6, "aten::add")], {"attention": 9}),
        ([(0, 8, "FSDP::all_gather"), (1, 7, "tianji::dp"), (2, 3, "aten::copy_")], {"dp_comm": 8}),
        ([(0, 8, "MmBackward0"), (1, 7, "aten::mm")], {"overhead": 2, "matmul": 6}),
        ([(0, 6, "tianji::ep"), (1, 2, "c10d::alltoall_base_")], {"ep_comm": 6}),
        ([(0, 10, "Optimizer.step#AdamW.step"), (2, 5, "aten::mul_")], {"optimizer": 10}),
        ([(0, 2, "aten::relu"), (2, 5, "tianji::pp")], {"vector": 2, "pp_comm": 3}),
    ],
)
def test_time_belongs_to_the_innermost_kind(bars: list[tuple[float, float, str]], times: dict[str, float]) -> None:
    assert exclusive_times(bars) == times


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), min_size=1))
def test_no_time_is_counted_twice(spans: list[tuple[int, int]]) -> None:
    """Bars side by side and nested, never overlapping in part: the kinds add up to the time that any bar covers."""
    nested = [(2 * b, 2 * b + 1, "aten::add") for b, _ in spans] + [(0, 200, "aten::linear")]
    unique = sorted(set(nested))
    assert sum(exclusive_times(unique).values()) == 200


def test_a_breakdown_adds_up_to_its_step(tmp_path: Path) -> None:
    events = [
        bar(STEP, 100.0, 50.0, cat="user_annotation"),
        bar("aten::mm", 105.0, 20.0),
        bar("tianji::tp", 130.0, 10.0),
        bar("aten::mm", 10.0, 20.0),  # before the step
        bar("gloo:all_gather", 130.0, 9.0, tid=2),  # another thread
    ]
    length, terms = read_breakdown(write(tmp_path / "trace.json", events))
    assert length == pytest.approx(50e-6)
    assert terms == pytest.approx({"matmul": 20e-6, "tp_comm": 10e-6, "overhead": 20e-6})


def test_merged_ranks_stand_on_one_clock(tmp_path: Path) -> None:
    paths = {
        0: write(tmp_path / "a.json", [bar("aten::mm", 5.0, 1.0), {"ph": "i", "name": "mark"}], base=1_000),
        1: write(tmp_path / "b.json", [bar("aten::mm", 5.0, 1.0)], base=4_000),
    }
    merge_traces(paths, tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert [(e["pid"], e["ts"]) for e in events if e["ph"] == "X"] == [(0, 5.0), (1, pytest.approx(8.0))]
    assert [e["args"]["name"] for e in events if e["ph"] == "M"] == ["rank 0", "rank 1"]
