"""``browse``: what is known of chips, pools, models, software, prices and more, and from where."""

from __future__ import annotations

from functools import partial
from typing import Any

from tianji.api.answer import Answer
from tianji.errors import FormatError, UnknownNameError
from tianji.report.documents.catalog import KINDS, LOADERS, catalog_document, entry_document


def browse(kind: str | None = None, name: str | None = None) -> Answer[Any]:
    """List and show what is known, each figure with its source (``tianji browse``).

    ``kind`` is chips, pools, models, calibrations, failures, mixtures, sites, prices or
    software, and ``name`` one entry of it, or the path of your own file; a name that is
    unique needs no kind. ``answer.result`` is the entry, or the names of a kind, or
    those of every kind.

    >>> browse("h200").name, "hgx-h100" in browse("pools").result
    ('h200', True)

    Raises UnknownNameError, with the nearest names, for what nobody knows.
    """
    if kind is not None and kind not in KINDS:
        kind, name = find_kind(kind, name)
    if kind is not None and name is not None:
        entry = LOADERS[kind](name)
        return Answer(entry, f"{kind.removesuffix('s')} {name} of the catalog", partial(entry_document, kind, name))
    lists = {each: KINDS[each]() for each in (KINDS if kind is None else (kind,))}
    summary = f"catalog: {', '.join(f'{len(names)} {each}' for each, names in lists.items())}"
    return Answer(lists if kind is None else lists[kind], summary, partial(catalog_document, tuple(lists)))


def find_kind(word: str, name: str | None) -> tuple[str, str]:
    """Return kind and name of an entry that was named without its kind.

    Raises UnknownNameError, or FormatError where several kinds have an entry of that name.
    """
    lists = {kind: names() for kind, names in KINDS.items()}
    places = [kind for kind, names in lists.items() if word.lower() in names]
    if name is None and len(places) == 1:
        return places[0], word
    if name is None and places:
        raise FormatError(
            f"{word}: there is one of that name in {' and in '.join(places)}; say which, like {places[0]} {word}"
        )
    known = KINDS if name is not None else [*KINDS, *(n for names in lists.values() for n in names)]
    raise UnknownNameError("kind" if name is not None else "kind or entry", word, known)
