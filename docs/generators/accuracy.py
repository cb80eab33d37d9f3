"""Writes docs/accuracy.md and its figure: every bar, every group, the peers, what is held out, and the known gaps.

Usage: python -m docs.generators.accuracy   (a whole fit: some minutes)
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.accuracy.acceptance import judge
from benchmarks.accuracy.held_out import hold_out_groups
from benchmarks.accuracy.in_house import predict_in_house
from benchmarks.accuracy.rankings import rank_published
from benchmarks.accuracy.scaling import scale_measured, scale_published
from benchmarks.accuracy.switch_gains import predict_gains
from benchmarks.accuracy.tuned_jobs import promise_tuned
from docs.generators.accuracy_chapters import write_chapters
from tianji.catalog import load_calibration
from tianji.cli.validation import write_figure
from tianji.hardware.calibration import Calibration
from tianji.validation import read_runs, validate

PAGE = Path(__file__).parents[1] / "accuracy.md"


def main(page: Path = PAGE) -> None:
    """Write the page, and its figure beside it."""
    verdict, bare = (validate(calibration=known, split="check", quality="A") for known in (None, Calibration()))
    figure = write_figure(page, verdict)
    jobs, series = rank_published(), [*scale_published(), *scale_measured(verdict.predictions)]
    held_out = hold_out_groups(read_runs()[0], load_calibration())
    promises, gains, houses = promise_tuned(verdict.predictions), predict_gains(), predict_in_house()
    bars = judge(verdict.predictions, jobs, series, held_out, promises, gains, houses)
    text = write_chapters(verdict, bare, bars, jobs, series, held_out, promises, figure.name, gains, houses)
    page.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
