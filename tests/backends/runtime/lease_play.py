"""One real agent whose clock the play sets: prints, as JSON, what its reports say after each act.

Usage: python -m tests.backends.runtime.lease_play FOLDER. A process of its own: an agent forks, which a test process with threads
must not.
"""

import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

from tianji.backends.runtime.agent import MARGIN, NodeAgent
from tianji.backends.runtime.messages import NodeSetup, RankSeat, RenewLease, StartRanks, StopRanks, encode
from tianji.backends.runtime.tasks import OnStep

LEASE = 5.0


class Waiting:
    """A task whose ranks do one step and then wait for their end."""

    def open_store(self, host: str, port: int) -> Any:
        raise OSError("nobody meets here")

    def perform(self, payload: str, seat: RankSeat, folder: Path, rendezvous: str, on_step: OnStep) -> None:
        on_step(7)
        if payload == "fail":
            raise ValueError("as the payload says")
        signal.pause()


class Play:
    """The agent, its clock and what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.now, self.folder, self.acts = 1000.0, folder, list[dict[str, Any]]()
        self.agent = NodeAgent(NodeSetup("train", 4, 2, LEASE), "here", Waiting(), lambda _: None, lambda: self.now)

    def start(self, attempt: int, payload: str = "wait") -> None:
        seats = (RankSeat(4, 0, 0, 2), RankSeat(5, 1, 1, 2))
        self.agent.obey(encode(StartRanks(attempt, str(self.folder), payload, "nowhere", -1, seats)))

    def renew(self, sent_at: float) -> None:
        self.agent.obey(encode(RenewLease(sent_at)))

    def note(self, act: str) -> None:
        """Let a second pass for the agent, and write down its state."""
        self.agent.look()
        state = self.agent.state()
        workers = [chip.worker for chip in state.chips]
        codes = [worker.code if worker else "none" for worker in workers]
        attempts = [worker.attempt if worker else 0 for worker in workers]
        alive = [worker is not None and Path(f"/proc/{worker.pid}").exists() for worker in workers]
        self.acts.append({"act": act, "codes": codes, "attempts": attempts, "alive": alive, "at": state.sent_at})


def main(folder: Path) -> None:
    play = Play(folder)
    try:
        play.start(1)
        for _ in range(20):
            play.now += 1.0
            play.renew(play.now - 0.9)
        play.note("renewed for four leases")
        play.now += LEASE - MARGIN - 1.0
        play.note("just before the end of the lease")
        play.now += 1.0
        play.note("after it")
        play.start(2)
        play.note("an order to start that comes after it")
        play.renew(play.now - LEASE)
        play.start(2)
        play.note("and after the answer to an old report")
        play.renew(play.now)
        play.start(2)
        play.note("the lease renewed and the order repeated")
        play.agent.obey(encode(StopRanks(2)))
        play.start(2)
        play.note("stopped, and the order repeated")
        play.start(3, "fail")
        deadline = time.monotonic() + 600
        while any(chip.busy() for chip in play.agent.state().chips) and time.monotonic() < deadline:
            play.agent.look()
            time.sleep(0.01)
        play.note("ranks that fail")
        messages = [chip.worker.message for chip in play.agent.state().chips if chip.worker]
        print(json.dumps({"acts": play.acts, "messages": messages}))
    finally:
        play.agent.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
