"""A census of launch scripts and configurations: how many of a project's trainings are read, and why the rest is not.

    python benchmarks/launch_census.py FOLDER [FOLDER ...] [--list] [--arguments PATH="WORDS" ...]

A folder is a checkout of a project. Every shell script and every configuration below it is read; nothing is executed. What
trains nothing (converters, inference, evaluation, data) is counted apart. A training whose number of chips is left to its
surroundings is read with the smallest of a few numbers that its degrees divide, and counted as such. So is a script that is
given its arguments: --arguments names them for a path below a folder.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tianji.errors import InputError
from tianji.exporters.launch_reader.launches import Launch, read_launch

SUFFIXES = (".sh", ".sbatch", ".slurm", ".yaml", ".yml", ".toml")
CHIPS = (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
NO_TRAINING = (
    "no training:",
    "trains nothing",
    "no launch command",
    "no configuration of a training",
    "expected one mapping",
    "it names no model; give it",
)


@dataclass(slots=True)
class Census:
    """What came of the files of one folder."""

    read: int = 0
    with_chips: int = 0
    """Of these, read once the number of chips was given."""
    with_arguments: int = 0
    """Of these, read once the script's arguments were given."""
    other: int = 0
    """Files that train nothing."""
    reasons: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """Trainings that are read, of all trainings."""
        return self.read / max(self.read + self.reasons.total(), 1)


def read_any(file: Path, arguments: Sequence[str] = ()) -> tuple[Launch | None, str, bool]:
    """Return the launch, or why there is none, and whether the number of chips had to be given."""
    reason = ""
    for chips in (None, *CHIPS):
        try:
            return read_launch(file, chips, None, arguments), "", chips is not None
        except InputError as error:
            text = str(error).replace(str(file), "FILE")
            if "chips" not in text and "divide" not in text:
                return None, text, False
            reason = reason or text
    return None, reason, False


def take_census(folder: Path, show: bool = False, arguments: Mapping[str, Sequence[str]] | None = None) -> Census:
    """Return the census of a folder; ``arguments`` are those of scripts by their path in it."""
    census = Census()
    for file in sorted(p for p in folder.rglob("*") if p.suffix in SUFFIXES and p.is_file()):
        words = (arguments or {}).get(str(file.relative_to(folder)), ())
        launch, reason, asked = read_any(file, words)
        if launch:
            census.read, census.with_chips = census.read + 1, census.with_chips + asked
            census.with_arguments += bool(words)
            if show:
                s, job = launch.strategy, launch.job
                print(
                    f"{file.relative_to(folder)}\t{launch.stack}\t{job.model.num_parameters / 1e9:.1f}B\ttp{s.tp} pp{s.pp}"
                    f" vpp{s.vpp} cp{s.cp} ep{s.ep} dp{s.dp} zero{s.zero}\tmbs {s.micro_batch_size} gbs {job.global_batch_size}"
                    f" seq {job.seq_len}\t{job.precision.name} {s.recompute}"
                )
        elif any(mark in reason for mark in NO_TRAINING):
            census.other += 1
        else:
            key = re.sub(r"[\d,]+", "N", reason)[:100]
            census.reasons[key] += 1
            census.examples.setdefault(key, str(file.relative_to(folder)))
    return census


def main() -> None:
    """Print the census of each folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--list", action="store_true", help="show what was read")
    parser.add_argument(
        "--arguments", action="append", default=[], metavar="PATH=WORDS", help="a script's own arguments"
    )
    arguments = parser.parse_args()
    given = {path: words.split() for path, _, words in (text.partition("=") for text in arguments.arguments)}
    for folder in arguments.folders:
        census = take_census(folder, arguments.list, given)
        total = census.read + census.reasons.total()
        print(
            f"== {folder}: {census.read} of {total} trainings read ({census.share:.0%}), {census.with_chips} of them once --chips"
            f" was given, {census.with_arguments} once their arguments were; {census.other} files train nothing"
        )
        for reason, times in census.reasons.most_common():
            print(f"   {times:4d}  {reason}  | {census.examples[reason]}")


if __name__ == "__main__":
    main()
