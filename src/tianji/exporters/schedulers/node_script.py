"""What a scheduler starts on a node: the script of the pool's own framework where it can express the plan, else torchrun's."""

from __future__ import annotations

from tianji.errors import ExportError
from tianji.exporters.contract import Limits
from tianji.exporters.formats.arguments import Artefact
from tianji.exporters.frameworks import megatron, mindspeed, torchrun
from tianji.parallel.plan import Plan


def node_artefacts(plan: Plan, limits: Limits) -> list[Artefact]:
    """Return the files that a node needs, the script to start first."""
    is_ascend = plan.pool.chip.ecosystem == "cann"
    target, name = (mindspeed.TARGET, "MindSpeed-LLM") if is_ascend else (megatron.TARGET, "Megatron-LM")
    native = Limits(target.name)
    try:
        artefacts = target.write(plan, native)
    except ExportError:
        limits.note(f"{name} would run another plan ({'; '.join(native.refusals)}): the job starts your TRAIN_SCRIPT.")
        return torchrun.write(plan, limits)
    limits.note(*native.notes)
    return artefacts
