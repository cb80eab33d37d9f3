"""Searches that are made once in a process: many commands of the tests ask about the same job on the same pool.

What is remembered is a function of its arguments alone: `tests/cli/test_processes.py` holds that each process answers alike.
Rooms that test the search itself remember nothing.
"""

import io
import pickle
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from tianji.api import mixtures
from tianji.comparison import batches, curve, sensitivity, side_by_side
from tianji.search import SearchOptions, SearchResult, coarse, planner, sizes

_ANSWERS: dict[bytes, Any] = {}


def remember_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer a search or a prediction of a plan found that was made before from memory."""
    explore = planner.explore

    def explore_once(job: Any, pool: Any, constants: Any, options: SearchOptions) -> SearchResult:
        if options.mapper is not None:
            return explore(job, pool, constants, options)
        plain = replace(options, progress=None)
        result: SearchResult = _once(
            "explore", lambda: explore(job, pool, constants, plain), job, pool, constants, plain
        )
        if options.progress:
            options.progress(result.candidates)
        return result

    def plan_mixture_once(
        job: Any, mixture: Any, calibration: Any, *, fixed: Any = None, progress: Any = None, is_narrow: bool = False
    ) -> Any:
        fields = dict(fixed or {})
        return _once(
            "mixture", lambda: mix(job, mixture, calibration, fixed=fields, is_narrow=is_narrow),
            job, mixture, calibration, fields, is_narrow,
        )  # fmt: skip

    def find_roomy_once(*words: Any, **named: Any) -> Any:
        return _once("fast", lambda: find_roomy(*words, **named), *words, *named.items())

    def find_fastest_once(*words: Any, **named: Any) -> Any:
        return _once("variants", lambda: find_fastest(*words, **named), *words, *named.items())

    predict, find_roomy, mix = planner.predict, curve.find_roomy, mixtures.plan_mixture
    find_fastest = coarse.find_fastest
    monkeypatch.setattr(planner, "explore", explore_once)
    monkeypatch.setattr(coarse, "find_fastest", find_fastest_once)
    monkeypatch.setattr(sizes, "find_fastest", find_fastest_once)
    monkeypatch.setattr(sizes, "explore", explore_once)
    monkeypatch.setattr(planner, "predict", lambda *words: _once("predict", lambda: predict(*words), *words))
    for room in (mixtures, side_by_side, batches, curve):
        monkeypatch.setattr(room, "plan_mixture", plan_mixture_once)
    for room in (curve, sensitivity):
        monkeypatch.setattr(room, "find_roomy", find_roomy_once)


class _KeyPickler(pickle.Pickler):
    """Writes what cannot be changed as what can."""

    def reducer_override(self, item: Any) -> Any:
        return (dict, (dict(item),)) if isinstance(item, MappingProxyType) else NotImplemented


def _once(name: str, make: Callable[[], Any], *key: Any) -> Any:
    written = io.BytesIO()
    _KeyPickler(written).dump((name, key))
    place = written.getvalue()
    if place not in _ANSWERS:
        _ANSWERS[place] = make()
    return _ANSWERS[place]
