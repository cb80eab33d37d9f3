"""Operate a job for real: the controller, the hosts of its nodes and the folder in which everything is kept."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path

from tianji.backends.engine import find_engine
from tianji.backends.machine import check_extra, make_folder
from tianji.backends.options import RunOptions
from tianji.backends.runtime.hosts import PASSIVE, AgentHosts
from tianji.backends.support import check_support
from tianji.catalog import load_calibration
from tianji.errors import FormatError, InfeasibleError, RunError, TianjiError
from tianji.hardware.calibration import Calibration
from tianji.input_files import read_object
from tianji.operation.accounting import Account, read_attempts, settle
from tianji.operation.controller import ENDS, Controller, State
from tianji.operation.end_signals import EndSignals
from tianji.operation.event_log import EventLog, stamp
from tianji.operation.folder import CHECKPOINTS, EVENTS, ORDER, FolderLock, OperationRequest, take_requests
from tianji.operation.host_agents import HostAgents
from tianji.operation.openmetrics import LoopbackPage, openmetrics_text
from tianji.operation.planner import SearchPlanner
from tianji.operation.real_world import FolderStore, WallClock
from tianji.operation.settings import LOOK, Settings
from tianji.parallel.plan import Plan
from tianji.parallel.plan_file import plan_document, plan_from, write_text
from tianji.parallel.records import decode, encode, shown
from tianji.prediction import predict
from tianji.prediction.goodput import expect_goodput
from tianji.units import MB, Seconds

LEASE = 2.0
"""How many times the silence after which a node counts as lost its workers go on where nobody can end them."""
LARGEST_ORDER = 5 * MB
MOST_CHIPS = 131_072
"""Each has a process, and the controller looks at all of them."""
BOUNDS = {"_Choices": (0, 10**12), "Settings": (0, 10**9), "RunOptions": (0, 2**63), "RunOptions.port": (0, 65_535)}
"""What a number of an order's file can mean; a file beyond it is damaged."""


@dataclass(frozen=True, slots=True)
class _Choices:
    """The fields of an order beside its plan, as its file has them."""

    settings: Settings
    options: RunOptions
    mtbf: Seconds
    save_time: Seconds
    repair: Seconds
    calibration: str
    engine: str


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be operated, and how; all that a later operation needs to go on."""

    plan: Plan
    """Its job and its pool; the strategy is found anew for the chips that there are."""
    settings: Settings
    options: RunOptions
    mtbf: Seconds
    save_time: Seconds
    repair: Seconds = 600.0
    calibration: str = "default"
    engine: str = "local"
    """Where the nodes are: ``local``, all on this machine, or ``ray``."""

    def __post_init__(self) -> None:
        if self.plan.pool.chips > MOST_CHIPS:
            raise FormatError(f"an operation takes at most {MOST_CHIPS:,} chips, got {self.plan.pool.chips:,}")

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        choices = {f.name: encode(getattr(self, f.name)) for f in fields(_Choices)}
        write_text(path, json.dumps({"plan": plan_document(self.plan)} | choices) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Order:
        """Return the order of an operation's folder.

        Raises FormatError when there is none.
        """
        path = folder / ORDER
        if not path.exists():
            raise FormatError(f"{folder}: not the folder of an operation: it has no {ORDER}")
        values = dict(read_object(path, "the order of an operation, as `tianji operate` writes it", LARGEST_ORDER))
        plan = values.pop("plan", None)
        if not isinstance(plan, dict):
            raise FormatError(f"{path}.plan: expected a plan, an object, got {shown(plan)}")
        choices = decode(_Choices, values, str(path), BOUNDS)
        return cls(plan_from(plan, f"{path}.plan"), **{f.name: getattr(choices, f.name) for f in fields(choices)})


@dataclass(frozen=True, slots=True)
class OperationOutcome:
    """How an operation ended."""

    state: State
    reason: str
    """Why it was given up; of a stopped one the signal that ended it, or "request"."""
    folder: Path
    account: Account
    calibration: Calibration = field(repr=False)


Watch = Callable[["Operation"], None]
"""Is called again and again while an operation is at work, and may raise to end it."""


def begin(order: Order, folder: Path, watch: Watch | None = None, openmetrics: int | None = None) -> OperationOutcome:
    """Operate a job in a new folder until it is done; ``openmetrics`` is the port at which others may ask for its numbers.

    Raises UnknownNameError for an engine that is none, MissingExtraError without torch or Ray, InfeasibleError when no plan fits,
    and RunError when the hosts lack the chips.
    """
    check_extra()
    folder = folder.resolve()
    planner = make_planner(order)
    if (folder / ORDER).exists():
        raise RunError(f"{folder}: holds another operation; go on with it by --resume, or name a new folder with --out")
    make_folder(folder)
    order.write(folder / ORDER)
    try:
        operation = Operation(folder, planner)
    except TianjiError:
        (folder / ORDER).unlink()  # it has not begun: the folder stays free
        raise
    return _operate(operation, watch, openmetrics)


def go_on(folder: Path, watch: Watch | None = None, openmetrics: int | None = None) -> OperationOutcome:
    """Go on with the operation of a folder from its newest complete checkpoint."""
    check_extra()
    return _operate(Operation(folder.resolve()), watch, openmetrics)


def _operate(operation: Operation, watch: Watch | None, openmetrics: int | None) -> OperationOutcome:
    page = None
    try:
        page = (
            None if openmetrics is None else LoopbackPage(openmetrics, partial(openmetrics_text, operation.controller))
        )
        return operation.run(watch)
    except OSError as error:
        folder = operation.folder
        raise RunError(
            f"{folder}: cannot be written ({error.strerror or error}); free some space and go on with --resume {folder}"
        ) from None
    finally:
        if page:
            page.close()
        operation.close()


class Operation:
    """A job that is being operated in a folder."""

    def __init__(self, folder: Path, planner: SearchPlanner | None = None) -> None:
        self.folder, self.order = folder, Order.read(folder)
        self.lock = FolderLock(folder)
        order, pool = self.order, self.order.plan.pool
        self.planner = planner or make_planner(order)
        self.calibration = self.planner.calibration
        node = min(pool.node, pool.chips)
        hosts = _open_hosts(order, self.planner, folder, node)
        self.log = EventLog(folder / EVENTS, stamp)
        clock = WallClock(self.log.events[-1]["at"] if self.log.events else 0.0)
        options = replace(order.options, steps=order.settings.steps, warmup=0)
        self.agents = HostAgents(hosts, pool.chips, node, folder, options, order.repair, order.settings.node_timeout)
        self.controller = Controller(
            len(self.agents.nodes), node, order.settings, planner=self.planner, clock=clock, agents=self.agents,
            store=FolderStore(folder / CHECKPOINTS), log=self.log, host=socket.gethostname(), pid=os.getpid(),
        )  # fmt: skip

    def run(self, watch: Watch | None = None) -> OperationOutcome:
        """Operate to the end; when a signal or a request asks to end, the job saves, all is ended, and it can be resumed.

        A second signal ends it without the save.
        """
        with EndSignals() as signals:
            while self.controller.state not in ENDS:
                self.agents.listen(LOOK)
                for name in signals.take():
                    self.controller.reason = name
                    self.controller.end(save=signals.count == 1, signal=name)
                for request in take_requests(self.folder):
                    self._answer(request)
                self.controller.advance()
                if watch:
                    watch(self)
        return OperationOutcome(
            self.controller.state,
            self.controller.reason,
            self.folder,
            settle(self.log.events, read_attempts(self.folder)),
            self.calibration,
        )

    def _answer(self, request: OperationRequest) -> None:
        if request.request == "stop":
            self.controller.reason = "request"
            self.controller.end(pid=request.pid, host=request.host)
        elif request.request == "cordon":
            self.controller.cordon(request.chips)
        else:
            self.controller.uncordon(request.chips)

    def close(self) -> None:
        """End every process that is left."""
        self.agents.close()
        self.log.close()
        self.lock.release()


def _open_hosts(order: Order, planner: SearchPlanner, folder: Path, node: int) -> AgentHosts:
    first = planner.propose(order.plan.pool.chips)
    plan = replace(first.plan, pool=order.plan.pool) if first else order.plan
    options = replace(order.options, out=str(folder), checkpoint_every=1)  # checkpoints: all hosts must see the folder
    lease = LEASE * order.settings.node_timeout
    return find_engine(order.engine).open_hosts(plan, options, node, lease, PASSIVE)


def make_planner(order: Order) -> SearchPlanner:
    """Return the planner of an order, which has found the plan for all chips.

    Raises InfeasibleError when there is none, and what the engine raises for one that it cannot run.
    """
    planner = SearchPlanner(
        order.plan.job, order.plan.pool, load_calibration(order.calibration), mtbf=order.mtbf, save_time=order.save_time,
        check=check_support,
    )  # fmt: skip
    first = planner.propose(order.plan.pool.chips)
    if first is None:
        raise InfeasibleError(planner.refusal)
    find_engine(order.engine).check(first.plan, order.options)
    return planner


def recommend(plan: Plan, calibration: Calibration) -> tuple[Seconds, Seconds]:
    """Return what the reliability model expects of a plan: the time between failures, and how long a save stops training."""
    expected = expect_goodput(predict(plan, calibration)).nominal
    return expected.mtbf, expected.save_time
