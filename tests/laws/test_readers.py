"""Whatever stands in a file: a reader returns something that can be used, or says in a TianjiError what is wrong."""

import json
import math
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tianji
from samples import SPARSE, make_plan
from tianji.catalog.entries import DATA
from tianji.errors import TianjiError
from tianji.hardware.calibration import Calibration
from tianji.measurements import read_table
from tianji.parallel import Strategy, read_strategy
from tianji.parallel.layouts import complete_layout, format_layout, read_layout
from tianji.parallel.plan import Plan
from tianji.parallel.plan_file import plan_document, plan_from, read_plan
from tianji.prediction import predict

STEADY = settings(
    max_examples=60, deadline=timedelta(seconds=60), suppress_health_check=[HealthCheck.function_scoped_fixture]
)
"""The deadline is far above what a reader takes: it tells a hang from a busy machine."""

PLAN = make_plan(Strategy(tp=2, dp=4, pp=2, ep=8), SPARSE, tokens=1e12)
PHYSICS = Calibration()

NUMBERS = st.sampled_from([0, -1, 1, 2, 3, 7, 0.5, 1e-300, 1e300, 10**9, 10**40, -0.0]) | st.integers(-5, 10**6)
SCALARS = NUMBERS | st.none() | st.booleans() | st.text(max_size=8) | st.sampled_from(["bf16", "1f1b", "mesh", "80 GB"])
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner))


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to each value inside a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way] * bool(way) + [found for key, item in inner for found in places(item, (*way, key))]


def damage(document: Any, draw: Callable[[st.SearchStrategy[Any]], Any]) -> Any:
    """Replace, drop or misspell up to three values of a document."""
    document = json.loads(json.dumps(document))
    for _ in range(draw(st.integers(1, 3))):
        ways = places(document)
        if not ways:
            break
        *way, last = draw(st.sampled_from(ways))
        holder = document
        for key in way:
            holder = holder[key]
        match draw(st.sampled_from(["replace", "replace", "drop", "misspell"])):
            case "replace":
                holder[last] = draw(VALUES)
            case "drop":
                del holder[last]
            case "misspell" if isinstance(holder, dict):
                holder[draw(st.text(max_size=5))] = holder.pop(last)
    return document


def use(read: Callable[[], Plan]) -> None:
    """Read and predict: a TianjiError or a sensible result, nothing else."""
    try:
        found = predict(read(), PHYSICS)
    except TianjiError as error:
        assert str(error).strip()
        return
    assert math.isfinite(found.step_time.nominal) and found.step_time.nominal > 0
    assert math.isfinite(found.memory_total) and found.memory_total >= 0
    assert found.mfu <= 1 + 1e-9


@STEADY
@given(st.data())
def test_a_damaged_plan(data: st.DataObject) -> None:
    document = damage(plan_document(PLAN), data.draw)
    use(lambda: plan_from(document) if isinstance(document, dict) else PLAN)


@STEADY
@given(st.integers(0, 20_000), st.binary(max_size=4))
def test_a_plan_file_that_was_cut_off_or_overwritten(tmp_path: Path, at: int, junk: bytes) -> None:
    path = tmp_path / "plan.json"
    whole = json.dumps(plan_document(PLAN)).encode()
    path.write_bytes(whole[:at] + junk + (b"" if len(junk) % 2 else whole[at + len(junk) :]))
    use(lambda: read_plan(path))


CONFIGS = sorted(DATA.glob("models/*/config.json"))


@STEADY
@given(st.data())
def test_a_damaged_config(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(damage(json.loads(data.draw(st.sampled_from(CONFIGS)).read_text()), data.draw)))
    where = tianji.load_pool("hgx-h100").with_chips(8)

    def read() -> Plan:
        return Plan(tianji.make_job(path, seq_len=1024, global_batch_size=8), where, Strategy(dp=8, zero=3))

    use(read)


def damaged_lines(text: str, draw: Callable[[st.SearchStrategy[Any]], Any], apart: str) -> str:
    """Cut, swap, empty or overwrite fields of up to three lines."""
    lines = text.splitlines()
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        fields = lines[at].split(apart)
        i = draw(st.integers(0, len(fields) - 1))
        fields[i] = draw(
            st.sampled_from(["", "-1", "0", "1e400", "nan", "x", '"', "[", "true", "10 GB", "\0", *fields])
        )
        lines[at] = draw(st.sampled_from([apart.join(fields), lines[at][: draw(st.integers(0, 60))], lines[0]]))
    return "\n".join(lines)


@STEADY
@given(st.data())
def test_a_damaged_calibration(tmp_path: Path, data: st.DataObject) -> None:
    text = (DATA / "calibrations" / "default.toml").read_text()
    path = tmp_path / "mine.toml"
    path.write_text(damaged_lines(text, data.draw, " "), encoding="utf-8")
    plan = Plan(tianji.make_job("llama-3.1-8b", global_batch_size=8), tianji.load_pool("hgx-h100", 8), Strategy(dp=8))
    try:
        found = predict(plan, tianji.load_calibration(path))
    except TianjiError:
        return
    assert math.isfinite(found.step_time.nominal) and found.step_time.low <= found.step_time.high


HEAD = "\n".join((DATA / "measurements" / "training.csv").read_text(encoding="utf-8").splitlines()[:40])


@STEADY
@given(st.data())
def test_a_damaged_table_of_measurements(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(damaged_lines(HEAD, data.draw, ","), encoding="utf-8")
    try:
        rows = read_table(path).rows
    except TianjiError:
        return
    assert all(row.measured_step_time > 0 for row in rows)


@STEADY
@given(st.binary(max_size=300), st.sampled_from(["plan", "config", "calibration", "chip", "pool", "table"]))
def test_any_bytes(tmp_path: Path, content: bytes, kind: str) -> None:
    readers: dict[str, tuple[str, Callable[[Path], object]]] = {
        "plan": ("x.json", read_plan),
        "config": ("config.json", tianji.load_model),
        "calibration": ("x.toml", tianji.load_calibration),
        "chip": ("x.toml", tianji.load_chip),
        "pool": ("x.toml", tianji.load_pool),
        "table": ("x.csv", read_table),
    }
    name, read = readers[kind]
    path = tmp_path / name
    path.write_bytes(content)
    try:
        read(path)
    except TianjiError as error:
        assert name in str(error), "the message names the file"


@given(st.text(max_size=60) | st.from_regex(r"([a-z_]{2,6}=[0-9a-z.-]{1,4}[, ]?){1,4}", fullmatch=True))
def test_any_layout(text: str) -> None:
    try:
        strategy = complete_layout(read_layout(text), 64)
    except TianjiError:
        return
    assert complete_layout(read_layout(format_layout(strategy)), 64) == strategy


@given(st.dictionaries(st.sampled_from([*Strategy().as_dict(), "tq"]), VALUES, max_size=5))
def test_any_table_as_a_strategy(table: dict[str, Any]) -> None:
    try:
        strategy = read_strategy(table)
    except TianjiError:
        return
    assert read_strategy(strategy.as_dict()) == strategy


@pytest.mark.parametrize("digits", ["1" * 5000, "9" * 100_000])
def test_a_number_without_end(digits: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(plan_document(PLAN)).replace('"seq_len": 1024', f'"seq_len": {digits}'))
    with pytest.raises(TianjiError):
        read_plan(path)
