"""What a worker is told: the plan, its place among the ranks, where to meet the others, and the options."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tianji.backends.options import RunOptions
from tianji.parallel.plan import Plan
from tianji.parallel.plan_file import plan_document, plan_from


@dataclass(frozen=True, slots=True)
class Spec:
    """The work of the agent of one node: ``count`` ranks from ``first`` on, of ``world``.

    ``rendezvous`` is ``tcp://host:port/name``; empty: the agent keeps the store itself, on ``options.port``.
    """

    plan: Plan
    options: RunOptions
    world: int
    first: int = 0
    count: int = 0
    rendezvous: str = ""

    def write(self, path: Path) -> None:
        """Write the spec as JSON."""
        values = {name: getattr(self, name) for name in ("world", "first", "count", "rendezvous")}
        document = {**values, "plan": plan_document(self.plan), "options": asdict(self.options)}
        path.write_text(json.dumps(document), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Spec:
        """Return the spec of a file that :meth:`write` wrote."""
        values = json.loads(path.read_text(encoding="utf-8"))
        plan, options = plan_from(values.pop("plan")), RunOptions(**values.pop("options"))
        return cls(plan=plan, options=options, **values)
