"""An operation as its folder tells it: attempts, pauses, requests, the trace and the numbers for a monitoring system."""

import json
import threading
import urllib.request
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from click.testing import CliRunner

from processes import GUARD
from samples import PAUSE, write_operation
from tianji.api.operation_parts import read_chips
from tianji.cli import main
from tianji.errors import FormatError, RunError
from tianji.operation.attempt_trace import write_trace
from tianji.operation.controller import State
from tianji.operation.folder import FolderLock, OperationRequest, is_operated, read_holder, send_request, take_requests
from tianji.operation.free_chips import FreeChips
from tianji.operation.history import read_history
from tianji.operation.openmetrics import LoopbackPage, openmetrics_text
from tianji.report.documents.operation_status import operation_status_document
from tianji.report.views.operation_status import operation_status_view


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_operation(tmp_path / "operation")
    return tmp_path / "operation"


def test_attempts_are_told_with_what_ended_them(folder: Path) -> None:
    history = read_history(folder)
    records = list(history.attempts())
    assert [(r.number, r.layout, r.end) for r in records] == [
        (1, "dp4", "killed"),
        (2, "dp3", "stop"),
        (3, "dp2", "done"),
    ]
    assert [(r.first_step, r.last_step) for r in records] == [(0, 5), (4, 6), (7, 11)]
    assert (history.state, history.done_steps, history.saved_steps, history.cordoned) == ("done", 12, 12, (1,))


def test_a_pause_is_no_recovery_and_no_time_of_the_operation(folder: Path) -> None:
    account = read_history(folder).account
    assert account.recoveries == (pytest.approx(4.0),)  # from step 5 at 12 s to the begin of step 4 at 16 s
    # From 6 s to 28 s after the begin of each part, without the hour between.
    assert account.seconds == pytest.approx(22.0 + PAUSE - (PAUSE + 20.0 - 20.0))
    assert (account.steps, account.lost_steps, account.failures) == (12, 2, 1)


def test_one_that_nobody_operates_is_cut_off(folder: Path) -> None:
    path = folder / "events.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:4]))
    history = read_history(folder)
    assert history.state == "cut off"
    assert next(history.attempts()).end == "cut off"
    lock = FolderLock(folder)
    try:
        assert read_history(folder).state == "training"
        assert next(read_history(folder).attempts()).end == ""
    finally:
        lock.release()


def test_two_never_operate_one_folder(folder: Path) -> None:
    assert not is_operated(folder)
    lock = FolderLock(folder)
    holder = read_holder(folder)
    assert holder is not None
    with pytest.raises(RunError, match=f"is operated by process {holder.pid} on"):
        FolderLock(folder)
    lock.release()
    FolderLock(folder).release()


def test_requests_arrive_once_in_order_and_only_where_somebody_operates(folder: Path) -> None:
    with pytest.raises(RunError, match="nobody operates it now"):
        send_request(folder, "stop")
    lock = FolderLock(folder)
    send_request(folder, "cordon", (1, 2))
    send_request(folder, "stop")
    (folder / "requests" / "0.json").write_text('{"request": "rm -rf"}')
    assert [(r.request, r.chips) for r in take_requests(folder)] == [("cordon", (1, 2)), ("stop", ())]
    assert take_requests(folder) == []
    lock.release()
    with pytest.raises(FormatError, match="expected one of stop, cordon, uncordon"):
        OperationRequest("dance")


@pytest.mark.parametrize("text", ["", "a", "3-1", "1,,2", "-1", "1-", "99999999999", "0-999999999"])
def test_a_list_of_chips_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match="expected numbers and ranges like"):
        read_chips(text)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["status", "nowhere"], "not the folder of an operation"),
        (["stop", "nowhere"], "not the folder of an operation"),
        (["cordon", "{folder}", "--chips", "4"], "the operation has chips 0 to 3, got 4"),
        (["cordon", "{folder}", "--chips", "1"], "nobody operates it now"),
        (["cordon", "{folder}"], "Missing option '--chips'"),
    ],
)
def test_a_part_refuses_with_a_message(folder: Path, arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(main, ["operate", *(a.replace("{folder}", str(folder)) for a in arguments)])
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


def test_the_trace_has_each_attempt_on_each_of_its_chips(folder: Path, tmp_path: Path) -> None:
    write_trace(read_history(folder), tmp_path / "trace.json")
    events: list[dict[str, Any]] = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    attempts = [(e["name"], e["tid"]) for e in events if e["ph"] == "X" and e["name"].startswith("attempt")]
    assert attempts == [("attempt 1", i) for i in range(4)] + [("attempt 2", i) for i in (0, 1, 3)] + [
        ("attempt 3", i) for i in (0, 3)
    ]
    assert sum(e["name"].startswith("step") for e in events if e["ph"] == "X") == 14
    assert all(e["dur"] >= 0 for e in events if e["ph"] == "X")


def test_metrics_are_open_metrics_on_the_loopback_address() -> None:
    controller = SimpleNamespace(
        attempt=SimpleNamespace(chips=(0, 1)), state=State.TRAINING, settings=SimpleNamespace(steps=12), step=4, saved=3,
        free_chips=lambda: [2], chips=FreeChips((3,)), failures=1, number=2,
    )  # fmt: skip
    page = LoopbackPage(0, lambda: openmetrics_text(cast(Any, controller)))
    try:
        assert page._listener.server_address[0] == "127.0.0.1"
        with urllib.request.urlopen(f"http://127.0.0.1:{page.port}/metrics", timeout=GUARD) as answer:
            text = answer.read().decode()
        with pytest.raises(RunError, match="the port cannot be had"):
            LoopbackPage(page.port, str)
    finally:
        page.close()
    assert "tianji_operation_done_steps 5\n" in text
    assert "tianji_operation_saved_steps 4\n" in text
    assert 'tianji_operation_state{tianji_operation_state="training"} 1\n' in text
    assert "tianji_operation_failures_total 1\n" in text
    assert text.endswith("# EOF\n")
    assert threading.active_count() < 10


@pytest.mark.parametrize(
    ("event", "cause"),
    [
        ({"event": "begin", "nodes": 2}, "it waits for the agents of 2 nodes to report"),
        ({"event": "wait", "free": 0, "unheard": [1]}, "the agents of 1 of 2 nodes (1) were never heard"),
        ({"event": "wait", "free": 0, "unheard": 2}, "the agents of 2 of 2 nodes were never heard"),
        ({"event": "wait", "free": 1, "unheard": []}, "1 chips are free, too few for a plan"),
        ({"event": "training", "attempt": 1}, ""),
    ],
)
def test_status_says_what_is_waited_for(folder: Path, event: dict[str, Any], cause: str) -> None:
    read = read_history(folder)
    begin = {"event": "begin", "nodes": 2, "at": 0.0}
    history = replace(read, events=(begin, {**event, "at": 1.0}), is_operated=True)
    assert history.cause.startswith(cause)
    assert bool(history.cause) == bool(cause)
    document = operation_status_document(history)
    assert document["cause"] == (history.cause or None)
    assert history.cause in operation_status_view(document).lead[0]
