"""Events survive a crash, and what is no event is refused."""

from pathlib import Path

import pytest

from tianji.errors import FormatError, RunError
from tianji.operation.event_log import EventLog, read_events


def test_a_later_operation_appends_and_a_torn_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    log.write(1.0, "begin")
    log.close()
    with path.open("a") as file:
        file.write('{"n": 1, "at"')
    again = EventLog(path)
    again.write(2.0, "start", attempt=1)
    again.close()
    assert [e["event"] for e in read_events(path)] == ["begin", "start"]
    assert [e["n"] for e in read_events(path)] == [0, 1]
    assert path.read_text() == again.text()


def test_a_line_that_is_no_event_is_named(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"n": 0, "at": 1.0, "event": "begin"}\n[]\n')
    with pytest.raises(FormatError, match="line 2: got a list; expected an event"):
        read_events(path)


@pytest.mark.parametrize(
    "line",
    [
        '{"n": 0, "event": "begin"}',
        '{"n": 0, "at": "noon", "event": "begin"}',
        '{"n": 0, "at": null, "event": "begin"}',
        '{"n": 0, "at": NaN, "event": "begin"}',
        '{"n": 0, "at": -1, "event": "begin"}',
        '{"n": true, "at": 1, "event": "begin"}',
        '{"n": 0, "at": 1, "event": ["begin"]}',
        '{"n": 0, "at": 1, "event": "start", "attempt": "1", "resume": null}',
        '{"n": 0, "at": 1, "event": "training"}',
        "[" * 50_000,
        "\udcff",
    ],
)
def test_an_event_with_another_kind_of_value_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(line.encode(errors="surrogateescape") + b"\n")
    with pytest.raises(FormatError, match="line 1"):
        read_events(path)


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").mkdir()
    with pytest.raises(FormatError, match="a folder"):
        EventLog(tmp_path / "events.jsonl")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
def test_a_full_disk_is_told_once_and_closing_hides_nothing(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    assert log._file is not None
    log._file.close()
    log._file = Path("/dev/full").open("a", encoding="utf-8")  # noqa: SIM115
    try:
        with pytest.raises(RunError, match="free some space and go on with --resume"):
            log.write(1.0, "start")
    finally:
        log.close()
