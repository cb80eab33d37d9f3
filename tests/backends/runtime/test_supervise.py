"""One job from start to end: what is ordered when, and which of several failures is called the cause."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tianji.backends.runtime import supervise
from tianji.backends.runtime.messages import (
    ChipReport,
    NodeState,
    OpenStore,
    RankFile,
    Refused,
    RenewLease,
    Report,
    StartRanks,
    StoreOpened,
    WorkerReport,
)
from tianji.backends.runtime.supervise import RankJob, run_ranks
from tianji.errors import MessageError, RunError

from .scripted import ScriptedHosts

STORE = StoreOpened(1, "tcp://127.0.0.1:9/attempt-1")


def state(node: int, *codes: int | None, message: str = "") -> NodeState:
    """What a node of two chips reports: the exit codes of its ranks, nothing where none was started."""
    workers = [WorkerReport(1, 3, 0.0, code, message if code else "") for code in codes]
    reports = [ChipReport(2 * node + i, True, worker) for i, worker in enumerate(workers)]
    return NodeState(5.0 + node, 0, tuple(reports) or tuple(ChipReport(2 * node + i, True) for i in range(2)))


@dataclass
class Script:
    """Two nodes of two chips on one machine; each entry of ``acts`` is reported at one look of the supervisor."""

    folder: Path
    acts: list[list[tuple[int, Report]]]
    hosts: ScriptedHosts = field(default_factory=lambda: ScriptedHosts("here", "here"))

    def run(self) -> None:
        def look() -> None:
            for node, report in self.acts.pop(0) if self.acts else ():
                self.hosts.report(node, report)

        look()
        run_ranks(self.hosts, RankJob("train", "{}", 4, self.folder, node=2), look)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "GRACE", 0.05)


UP: list[list[tuple[int, Report]]] = [[(0, state(0)), (1, state(1))], [(0, STORE)]]


def test_a_job_is_done_when_each_rank_is(tmp_path: Path) -> None:
    script = Script(tmp_path, [*UP, [(0, state(0, None, None)), (1, state(1, 0, 0))], [(0, state(0, 0, 0))]])
    script.run()
    assert script.hosts.is_closed
    assert not script.acts
    setups = script.hosts.setups
    assert [(s.task, s.first, s.count) for s in setups.values()] == [("train", 0, 2), ("train", 2, 2)]


def test_ranks_are_started_when_all_agents_are_up_and_the_store_is_open(tmp_path: Path) -> None:
    script = Script(tmp_path, [*UP, [(0, state(0, 0, 0)), (1, state(1, 0, 0))]])
    script.run()
    orders = [(node, order) for node, order in script.hosts.orders if not isinstance(order, RenewLease)]
    assert orders[0] == (0, OpenStore(1, 0))
    starts = [(node, order) for node, order in orders[1:] if isinstance(order, StartRanks)]
    assert [node for node, _ in starts] == [0, 1]
    assert all(order.rendezvous == STORE.rendezvous for _, order in starts)
    seats = [seat for _, order in starts for seat in order.ranks]
    assert [(s.chip, s.rank, s.local_rank, s.local_size) for s in seats] == [(i, i, i, 4) for i in range(4)]


def test_each_state_is_acknowledged_by_its_own_time(tmp_path: Path) -> None:
    script = Script(tmp_path, [*UP, [(0, state(0, 0, 0)), (1, state(1, 0, 0))]])
    script.run()
    renewals = [(node, order.sent_at) for node, order in script.hosts.orders if isinstance(order, RenewLease)]
    assert renewals == [(0, 5.0), (1, 6.0)] * 2


@pytest.mark.parametrize(
    ("acts", "words"),
    [
        ([[(0, state(0, None, 1, message="no such file"))]], "rank 1 failed: no such file; its log is"),
        ([[(1, state(1, -9, None))]], r"rank 2 was ended by signal 9 \(SIGKILL\)"),
        ([[(0, state(0, 1, 1, message="broken"))], [(1, state(1, None, -11))]], "rank 3 was ended by signal 11"),
        ([[(0, Refused(1, "port 7 cannot be had"))]], "port 7 cannot be had"),
    ],
    ids=["exit", "killed", "killed after its peers saw it", "refused"],
)
def test_the_graver_of_several_failures_is_the_cause(
    acts: list[list[tuple[int, Report]]], words: str, tmp_path: Path
) -> None:
    script = Script(tmp_path, [*UP, *acts])
    with pytest.raises(RunError, match=words):
        script.run()
    assert script.hosts.is_closed


def test_a_lost_agent_ends_the_job_at_once(tmp_path: Path) -> None:
    script = Script(tmp_path, list(UP))
    script.hosts.lines.append((1, None))
    with pytest.raises(RunError, match="rank 2 was lost: the agent of node 1 was killed"):
        script.run()


def test_a_host_that_does_not_answer_is_the_cause_of_its_peers_failures(tmp_path: Path) -> None:
    script = Script(tmp_path, [*UP, [(0, state(0, 1, 1, message="connection closed by peer"))]])
    script.hosts.lost.add(1)
    with pytest.raises(RunError, match="rank 2 was lost: nothing answers on node 1"):
        script.run()


def test_an_agent_that_falls_silent_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "SILENCE", -1000.0)
    with pytest.raises(RunError, match="rank 0 was lost with its node: nothing was heard"):
        Script(tmp_path, list(UP)).run()


def test_files_of_a_host_apart_go_into_the_folder_of_the_run_and_nowhere_else(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    file = RankFile("../../rank-00003.jsonl", '{"event": "done"}\n')
    Script(folder, [*UP, [(1, file), (0, state(0, 0, 0)), (1, state(1, 0, 0))]]).run()
    assert (folder / "rank-00003.jsonl").read_text() == file.text
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "rank-00003.jsonl"]


def test_what_is_no_report_ends_the_job(tmp_path: Path) -> None:
    script = Script(tmp_path, list(UP))
    script.hosts.lines.append((0, b"a library printed this"))
    with pytest.raises(MessageError, match="expected a message in JSON"):
        script.run()
    assert script.hosts.is_closed
