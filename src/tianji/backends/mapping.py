"""Where a sweep is worked out: here, one piece after the other, or over the CPUs of a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tianji.errors import UnknownNameError
from tianji.prediction.mapper import Mapper

WORKERS = ("local", "ray")


@contextmanager
def open_mapper(workers: str) -> Iterator[Mapper | None]:
    """Yield the mapper over some workers; None for ``local``, where mapping would only cost what it saves.

    Raises UnknownNameError for a name that is none, MissingExtraError without Ray, and RunError when no cluster answers.
    """
    if workers not in WORKERS:
        raise UnknownNameError("kind of workers", workers, WORKERS)
    if workers == "local":
        yield None
        return
    from tianji.backends.ray_cluster.task_mapper import open_task_mapper

    with open_task_mapper() as mapper:
        yield mapper
