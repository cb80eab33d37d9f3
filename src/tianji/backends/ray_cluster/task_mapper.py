"""A mapper whose calls are tasks of Ray: the sweeps of a search, a comparison or a validation over all CPUs of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from tianji.backends.ray_cluster.connection import connect, count_cpus
from tianji.errors import RunError, TianjiError
from tianji.prediction.mapper import Mapper

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 4
"""Tasks in flight for each CPU: enough that none waits for the driver, few enough to hold their answers."""


@contextmanager
def open_task_mapper() -> Iterator[Mapper]:
    """Yield a mapper over the cluster that is at hand; without one, over a private cluster of this machine's CPUs."""
    with connect(cpus=count_cpus()) as ray:
        yield _TaskMapper(ray)


class _TaskMapper:
    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._limit = max(AHEAD * int(ray.cluster_resources().get("CPU", 1)), 1)
        self._task = ray.remote(_call)

    def __call__(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        shared = self._ray.put(function)  # once, and not with each task: it may hold a table
        waiting: list[Any] = []
        for item in items:
            waiting.append(self._task.remote(shared, item))
            if len(waiting) >= self._limit:
                yield self._answer(waiting.pop(0))
        while waiting:
            yield self._answer(waiting.pop(0))

    def _answer(self, task: Any) -> Any:
        try:
            return self._ray.get(task)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, TianjiError):
                raise error.cause from None
            raise
        except self._ray.exceptions.RayError as error:
            raise RunError(f"a task of the sweep was lost: {str(error).strip().splitlines()[0]}") from None


def _call(function: Callable[[T], R], item: T) -> R:
    return function(item)
