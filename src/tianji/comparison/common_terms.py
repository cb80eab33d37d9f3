"""Ratios of pools in which what both sides share drops out: the same terms of owning, electricity and shares of power.

The range of a cost is the worst of all its parts, and the ratio of two such ranges takes a long life for one pool and a short one
for the other. What is one figure for both is moved for both at once instead, to its low, nominal and high end; the ratio's range
spans the three.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from tianji.catalog import Ownership, PowerFigures, load_ownership, load_power
from tianji.comparison.assessment import Assumptions
from tianji.comparison.measures import Assessed
from tianji.hardware import Figure
from tianji.ranges import CASES, Range

LESS_IS_DEAR = ("lifetime", "residual", "used_share")
"""Terms of owning of which a low figure makes a high cost."""
INVERSE = {"low": "high", "nominal": "nominal", "high": "low"}
T = TypeVar("T", Ownership, PowerFigures)
Of = Callable[[Assessed], Range | None]


def pin_shared(assessments: Sequence[Assessed], given: Assumptions | None = None) -> tuple[tuple[Assessed, ...], ...]:
    """Return the assessments with what all of them share at its low, its nominal and its high end."""
    given = given or Assumptions()
    return tuple(tuple(a.under(_pin(given, assessments, case)) for a in assessments) for case in CASES)


def divide(of: Of, one: Assessed, base: Assessed, pinned: Sequence[tuple[Assessed, Assessed]]) -> Range | None:
    """Return a measure of one pool over that of another; ``pinned`` has both at each end of what they share."""
    nominal = _divide(of, one, base)
    spans = [span for pair in pinned if (span := _divide(of, *pair)) is not None]
    if nominal is None or not spans:
        return nominal
    return Range(min(s.low for s in spans), nominal.nominal, max(s.high for s in spans))


def _divide(of: Of, one: Assessed, base: Assessed) -> Range | None:
    above, below = of(one), of(base)
    return None if above is None or below is None or not below.low else above / below


def _pin(given: Assumptions, assessments: Sequence[Assessed], case: str) -> Assumptions:
    terms = _fix(given.terms or load_ownership(), case, LESS_IS_DEAR)
    figures = _fix(given.power_figures or load_power(), case, ())
    pinned = replace(given, terms=terms, power_figures=figures)
    parts = [part for a in assessments for part in a.parts]
    if given.electricity is None and len({part.site.name for part in parts}) == 1:
        pinned = replace(pinned, electricity=parts[0].site.electricity.at(case))
    cooling = {part.power.pue if part.power else None for part in parts}
    if given.pue is None and len(cooling) == 1 and (pue := cooling.pop()) is not None:
        pinned = replace(pinned, pue=getattr(pue, case))
    return pinned


def _fix(table: T, case: str, turned: Sequence[str]) -> T:
    """Return a table whose figures have no range; those that are ``turned`` go to the other end."""
    exact: dict[str, Any] = {}
    for name in (f.name for f in fields(table)):
        figure = getattr(table, name)
        if isinstance(figure, Figure):
            value = figure.at(INVERSE[case] if name in turned else case)
            exact[name] = replace(figure, value=value, low=None, high=None)
    return replace(table, **exact)
