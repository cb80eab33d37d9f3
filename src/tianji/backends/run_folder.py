"""The folder of a run: what is written before the ranks start, and what is made of it when they are done."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tianji.backends.machine import make_folder
from tianji.backends.measured import measure
from tianji.backends.options import RunOptions
from tianji.backends.payload import RunPayload
from tianji.backends.runtime.supervise import RankJob
from tianji.errors import RunError
from tianji.parallel.plan import Plan
from tianji.parallel.plan_file import write_plan
from tianji.result import Result, write_result


def prepare_run(plan: Plan, options: RunOptions, node: int, task: str = "train") -> RankJob:
    """Make the folder of a run, write down what is to be done, and return the job of its ranks in nodes of ``node`` chips.

    Raises RunError when the folder cannot be had.
    """
    folder, world = Path(options.out).resolve(), plan.strategy.chips
    options = replace(
        options,
        out=str(folder),
        data=_absolute(options.data),
        weights=_absolute(options.weights),
        resume_from=_absolute(options.resume_from),
        checkpoints=_absolute(options.checkpoints),
    )
    make_folder(folder)
    write_plan(plan, folder / "plan.json")
    payload = RunPayload(plan, options, world).text()
    try:
        (folder / "payload.json").write_text(payload, encoding="utf-8")
    except OSError as error:
        raise RunError(f"{folder}: cannot be written ({error.strerror}); free some space and run again") from None
    return RankJob(task, payload, world, folder, node, options.port)


def finish_run(plan: Plan, options: RunOptions, engine: str) -> Result:
    """Return the measured result of a run that is done, written to its folder too."""
    result = measure(plan, options, engine)
    write_result(result, Path(options.out) / "result.json")
    return result


def _absolute(path: str) -> str:
    return str(Path(path).resolve()) if path else ""
