"""Plans for the chips that are left, each found once, and how often to save."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from tianji.errors import InputError
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.operation.protocols import Proposal
from tianji.parallel.plan import Plan
from tianji.parallel.strategy import Strategy
from tianji.reliability import best_interval
from tianji.search import plan
from tianji.units import Seconds
from tianji.workload import Job

TRIED = 50
"""Of the best plans, how many are tried until one can be run."""


class SearchPlanner:
    """Searches the whole space of strategies for each number of chips, and remembers its plans.

    ``mtbf`` is the mean time between failures of the job on the pool, ``save_time`` how long a checkpoint stops the training.
    """

    def __init__(
        self, job: Job, pool: Pool, calibration: Calibration, *, mtbf: Seconds, save_time: Seconds,
        check: Callable[[Plan], None] | None = None,
    ) -> None:  # fmt: skip
        self.job, self.pool, self.calibration, self.mtbf, self.save_time = job, pool, calibration, mtbf, save_time
        self.check = check
        """Raises InputError for a plan that cannot be run."""
        self.refusal = ""
        """Why the last search found nothing."""
        self._proposals: dict[int, Proposal | None] = {}

    def propose(self, chips: int) -> Proposal | None:
        """Return the fastest plan on at most so many chips that can be run, or None when there is none."""
        if chips not in self._proposals:
            self._proposals[chips] = self._search(chips)
        return self._proposals[chips]

    def _search(self, chips: int) -> Proposal | None:
        pool = replace(self.pool, chips=chips)
        try:
            can_name = partial(self._can_run, pool)
            results = plan(self.job, pool, self.calibration, top=TRIED, uneven="named", can_name=can_name).results
        except InputError as error:
            self.refusal = str(error)
            return None
        runs = (r for r in results if self._can_run(pool, r.plan.strategy))
        return next((Proposal(r.plan, r.step_time.nominal) for r in runs), None)

    def _can_run(self, pool: Pool, strategy: Strategy) -> bool:
        try:
            if self.check:
                self.check(Plan(self.job, pool, strategy))
        except InputError as error:
            self.refusal = str(error)
            return False
        return True

    def space_checkpoints(self, proposal: Proposal, slowdown: float, failures: int, elapsed: Seconds) -> int:
        """Return the steps between two checkpoints: the reliability model's best interval for the failures seen so far.

        The expected rate counts as one failure in ``mtbf``; those that are seen are added: (1 + failures) / (mtbf + elapsed), the
        mean of a gamma distribution.
        """
        mtbf = (self.mtbf + elapsed) / (1 + failures)
        step_time = proposal.step_time * slowdown
        return max(round(best_interval(self.save_time, mtbf) / step_time), 1)
