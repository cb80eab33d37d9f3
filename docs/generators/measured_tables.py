"""Makes the typed columns of the shipped tables anew from the publishers' words and the vocabulary.

Usage: python docs/generators/measured_tables.py [PUBLISHED.csv OUT.csv]

Without arguments the shipped tables are rewritten in place: their columns `as_published_*`, `source` and `notes` are the
words, `vocabulary.csv` says what they mean. With a table in a publisher's words the typed table is written to OUT.csv.
Every text that the vocabulary lacks is named; the exit code is then 1. Add a line to the vocabulary, and run this again.
"""

from __future__ import annotations

import csv
import io
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tianji.measurements import columns
from tianji.measurements.vocabulary import KEPT, NAMES, PUBLISHED, VOCABULARY, find_unknown, translate

SHIPPED = [VOCABULARY.parent / name for name in ("training.csv", "training_2026_11.csv", "training_single_node.csv")]
WORDS = {column: f"{columns.AS_PUBLISHED}{NAMES.get(column, column)}" for column in PUBLISHED if column not in KEPT}
"""The column of a publisher's words by its name in the publisher's table."""
LAST = ("missing", "notes")


def main(arguments: Sequence[str]) -> int:
    """Rewrite the shipped tables, or translate one; return the exit code."""
    if len(arguments) not in (0, 2):
        print(__doc__, file=sys.stderr)
        return 2
    jobs = [(Path(arguments[0]), Path(arguments[1]))] if arguments else [(path, path) for path in SHIPPED]
    unknown: Counter[tuple[str, str]] = Counter()
    for source, target in jobs:
        rows = [to_published(row) for row in csv.DictReader(io.StringIO(source.read_text("utf-8"), newline=""))]
        unknown.update(text for row in rows for text in name_unknown(row))
        target.write_text(write_table([translate(row) for row in rows]), encoding="utf-8", newline="\n")
    for (column, text), count in unknown.most_common():
        print(f"{VOCABULARY.name} lacks {column} = {text!r} ({count} rows)", file=sys.stderr)
    return 1 if unknown else 0


def to_published(row: Mapping[str, str]) -> dict[str, str]:
    """Return a row in its publisher's words; what is typed is dropped, because it is made from them."""
    if not any(column in row for column in WORDS.values()):
        return dict(row)
    made = {name for entry in _all_means() for name in entry} | {target for target in PUBLISHED.values() if target}
    stays = {c: text for c, text in row.items() if c not in made and not c.startswith(columns.AS_PUBLISHED)}
    return stays | {column: row.get(words) or "" for column, words in WORDS.items()}


def _all_means() -> Iterable[Mapping[str, str]]:
    from tianji.measurements.vocabulary import read_vocabulary

    for vocabulary in read_vocabulary().values():
        yield from (e.means for entries in vocabulary.whole.values() for e in entries)
        yield from (e.means for _, e in vocabulary.phrases)


def name_unknown(row: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the columns and texts of a row that neither the vocabulary nor a typed column knows."""
    return find_unknown(row, {c.name: c.words for c in columns.COLUMNS.values()})


def write_table(rows: Sequence[Mapping[str, str]]) -> str:
    """Return a table of rows: typed columns in the order of their list, then the words; a column without a cell is left out."""
    used = {name for row in rows for name, text in row.items() if text}
    known = [name for name in columns.COLUMNS if name not in LAST]
    words = list(WORDS.values())
    others = sorted(used - {*known, *words, *LAST})
    names = [name for name in (*known, *others, *words, *LAST) if name in used]
    out = io.StringIO()
    writer = csv.DictWriter(out, names, extrasaction="ignore", restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
