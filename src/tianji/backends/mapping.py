"""Where a sweep is worked out: here, one piece after the other, or over the CPUs of a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tianji.backends.engine import ENGINES
from tianji.errors import UnknownNameError
from tianji.prediction.mapper import Mapper


@contextmanager
def open_mapper(engine: str) -> Iterator[Mapper | None]:
    """Yield the mapper of an engine; None for ``local``, where mapping would only cost what it saves.

    Raises UnknownNameError for a name that is none, MissingExtraError without Ray, and RunError when no cluster answers.
    """
    if engine not in ENGINES:
        raise UnknownNameError("engine", engine, ENGINES)
    if engine == "local":
        yield None
        return
    from tianji.backends.ray_cluster.task_mapper import open_task_mapper

    with open_task_mapper() as mapper:
        yield mapper
