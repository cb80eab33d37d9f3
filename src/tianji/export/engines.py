"""What a scheduler starts on a node: the script of the pool's own engine where it can express the plan, else torchrun's."""

from __future__ import annotations

from tianji.errors import ExportError
from tianji.export.arguments import Artefact, Limits
from tianji.export.megatron import write_megatron, write_mindspeed
from tianji.export.torchrun import write_torchrun
from tianji.parallel.plan import Plan


def node_artefacts(plan: Plan, limits: Limits) -> list[Artefact]:
    """Return the files that a node needs, the script to start first."""
    is_ascend = plan.pool.chip.ecosystem == "cann"
    native = Limits("mindspeed" if is_ascend else "megatron")
    try:
        found = write_mindspeed(plan, native) if is_ascend else write_megatron(plan, native)
    except ExportError:
        engine = "MindSpeed-LLM" if is_ascend else "Megatron-LM"
        limits.note(
            f"{engine} would run another plan ({'; '.join(native.refusals)}): the job starts your TRAIN_SCRIPT."
        )
        return write_torchrun(plan, limits)
    limits.note(*native.notes)
    return found
