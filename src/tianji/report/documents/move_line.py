"""The bottom line of a move: whether it can be made, what it takes in lines, and how fast the moved job is."""

from __future__ import annotations

from tianji.formatting import count_noun, format_duration
from tianji.report.documents.checked_lines import line_without_chance
from tianji.report.documents.migration_types import EffortDocument, MindSporeDocument
from tianji.report.documents.move_speed import MoveSpeedDocument
from tianji.report.documents.three_lines import BottomLineDocument


def scan_line(
    effort: EffortDocument,
    files: int,
    measured: int,
    speed: MoveSpeedDocument | None,
    coverage: MindSporeDocument | None,
) -> BottomLineDocument:
    """Return the bottom line of a move: whether it can be made, and what it takes in lines.

    ``files`` are those to change; ``measured`` is the number of first supports that the lines are quartiles of.
    """
    if not effort["effort_class"]:
        unread = "it takes no lines, days, cost or power that could be told"
        return line_without_chance(
            f"Open: not judged, {effort['answer']}.", unread, "No chance is in it. It hangs on the folder"
        )
    own = f"class {effort['effort_class']} ({effort['class_title']})"
    lines = effort["lines"]
    amounts = f"{lines['nominal']:,} lines to add ({lines['low']:,} to {lines['high']:,})"
    if kernels := effort["triton_kernels"] + effort["cuda_kernels"]:
        low, high = effort["lines_a_kernel"]
        amounts += f", and {low} to {high} for each of {count_noun(kernels, 'kernel')} that is ported"
    hinge = f"The lines are quartiles of {measured} measured moves, not a chance. It hangs on the class"
    if record := effort["class_record"]:
        hinge += f", which was right for {record['right']} of {record['cases']} measured"
    if coverage is not None:
        written = coverage["counts"]["none"] + coverage["counts"]["unlisted"]
        answer = f"Open: its code is written anew for MindSpore; {written:,} of {coverage['names']:,} names have no counterpart"
        amounts = f"a move that keeps PyTorch is {own}, {amounts}"
        hinge = "The tables of MindSpore say so: no chance is in it. It hangs on the names without a counterpart"
    elif effort["blockers"]:
        answer = f"No: {count_noun(len(effort['blockers']), 'blocker')} first ({effort['blockers'][0]}); then {own}"
    elif effort["route"] == "plugin":
        answer = f"Yes: a plugin takes it over, {effort['answer']}; its own code stays"
        amounts = f"no lines of its own; the plugin stands for {count_noun(files, 'file')} that name CUDA"
        hinge = "The vendor's tables say so: no chance is in it. It hangs on the plugin's versions, below"
    elif effort["route"] == "supported by itself":
        answer = f"Yes: {effort['answer']}; {count_noun(files, 'file')} still name CUDA"
        hinge = "Its own code says so: no chance is in it. It hangs on its version"
    else:
        answer = f"Yes: it can be moved, {own}; {count_noun(files, 'file')} to change"
    return line_without_chance(f"{answer}.", f"{amounts}; {_time(speed)}", hinge)


def _time(speed: MoveSpeedDocument | None) -> str:
    """Return what the moved job takes where its model is known."""
    if speed is None:
        return "days, cost and power need a model (--model)"
    target, chips = speed["target"], speed["replacing_chips"]
    step = format_duration(target["step_time_range_s"]["nominal"])
    replace = f", {chips['nominal']:,.0f} chips for the present pool's work" if chips is not None else ""
    model = speed["model"] if speed["found_in"] == "--model" else f"the model of {speed['found_in']}"
    return f"{model} takes {step} a step on {target['chips']:,} x {target['pool']}{replace}"
