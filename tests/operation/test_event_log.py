"""Events survive a crash, and what is no event is refused."""

from pathlib import Path

import pytest

from tianji.errors import FormatError
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
    with pytest.raises(FormatError, match="line 2: expected an event"):
        read_events(path)
