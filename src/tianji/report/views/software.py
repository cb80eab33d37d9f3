"""The software of an answer in a line: what was said, what is assumed, and the switches that move a step most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tianji.formatting import format_duration, format_percent
from tianji.report.documents.software import SoftwareDocument, SwitchGainDocument
from tianji.report.view import Facts, ViewSection
from tianji.report.vocabulary import KINDS

SHOWN = ("launch", "dispatcher", "ep_overlap", "tp_overlap", "loss")
"""Switches of the line; the others stand in the JSON."""
OF_EXPERTS = ("dispatcher", "ep_overlap")
"""Those that only experts need."""


def describe_software(software: SoftwareDocument, *, has_experts: bool = True) -> str:
    """Return the software with its main switches, and how another one is said where it is assumed."""
    names = [name for name in SHOWN if name in software["switches"] and (has_experts or name not in OF_EXPERTS)]
    words = [f"{name} {software['switches'][name]}" for name in dict.fromkeys((*names, *software["chosen"]))]
    text = f"{software['name']}: {', '.join(words)}" if words else software["name"]
    if software["is_stated"]:
        return text
    more = f"; priced beyond it: {', '.join(software['beyond'])}" if software["beyond"] else ""
    return f"{text} (assumed, the newest known; --software says another){more}"


TITLES = {
    "launch=compiled": "compiled kernels",
    "launch=partial_graph": "graphs of parts of a layer",
    "launch=full_graph": "full-iteration graphs",
    "dispatcher=deep_ep": "DeepEP",
    "dispatcher=hybrid_ep": "HybridEP",
    "dispatcher=hccl_fused": "fused dispatch and combine",
    "ep_overlap=one_f_one_b": "expert dispatch beside the other micro-batch",
    "permute=fused": "fused permutation",
    "experts=grouped": "grouped matmuls of experts",
    "matmul_library=deep_gemm": "DeepGEMM",
    "quantise=fused": "fused casts",
    "loss=fused": "fused cross entropy",
    "norms=fused": "fused norms",
}
"""Switches that save time, in words."""


def switch_gains_sections(gains: Sequence[SwitchGainDocument], step_time: float) -> Iterator[ViewSection]:
    """Yield what each switch would buy of a plan's step, with the flag to type; nothing where none buys any."""
    if gains:
        facts = tuple((_title(gain), describe_gain(gain, step_time)) for gain in gains)
        yield ViewSection(
            "What a switch would buy", (Facts(facts), "Each alone, on this plan; a search may find more.")
        )


def describe_gain(gain: SwitchGainDocument, step_time: float) -> str:
    """Return what a switch saves of a step, in which parts of it, and how it is said."""
    share = format_percent(-gain["saves_s"] / step_time)
    parts = ", ".join(f"{KINDS[kind]} {format_duration(saved)}" for kind, saved in gain["saved_mostly_s"].items())
    of = f", most of it in {parts}" if parts else ""
    return f"-{format_duration(gain['saves_s'])} of {format_duration(step_time)} ({share}): {gain['flag']}{of}"


def _title(gain: SwitchGainDocument) -> str:
    return TITLES.get(f"{gain['switch']}={gain['word']}", f"{gain['switch']} {gain['word']}".replace("_", " "))
