"""What the ranks of a training run are told: the plan, how many they are, and the options."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from tianji.backends.options import RunOptions
from tianji.parallel.plan import Plan
from tianji.parallel.plan_file import plan_document, plan_from


@dataclass(frozen=True, slots=True)
class RunPayload:
    """One training run; it travels to the ranks as JSON."""

    plan: Plan
    options: RunOptions
    world: int

    def text(self) -> str:
        """Return the payload as JSON."""
        return json.dumps({"world": self.world, "plan": plan_document(self.plan), "options": asdict(self.options)})

    @classmethod
    def parse(cls, text: str) -> RunPayload:
        """Return the payload that :meth:`text` wrote."""
        values = json.loads(text)
        return cls(plan_from(values["plan"]), RunOptions(**values["options"]), values["world"])
