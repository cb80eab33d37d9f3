"""The switches of the software that a launch of Megatron's library says, as words of ``--with``."""

from __future__ import annotations

from tianji.exporters.launch_reader.options import Options
from tianji.workload import Model

DISPATCHERS = {"allgather": "all_gather", "alltoall": "all_to_all", "alltoall_seq": "all_to_all"}
"""Values of ``--moe-token-dispatcher-type`` without a backend of their own."""
FLEXIBLE = {"deepep": "deep_ep", "hybridep": "hybrid_ep"}
"""Values of ``--moe-flex-dispatcher-backend``."""
OVERLAPS = {"--tp-comm-overlap": "userbuffers", "--use-ascend-mc2": "mc2", "--use-ascend-coc": "coc"}
WHOLE = "full_iteration"
"""The scope of a graph that holds all of a step."""


def read_switches(options: Options, model: Model) -> tuple[str, ...]:
    """Return the switches that the options say, like ``("launch=partial_graph", "loss=fused")``.

    What they leave out is as the software has it by itself.
    """
    overlaps = (word for name, word in OVERLAPS.items() if options.has(name))
    words = {
        "launch": _read_launch(options),
        "loss": "fused" if options.has("--cross-entropy-loss-fusion") else "",
        "tp_overlap": next(overlaps, ""),
    }
    if model.moe is not None:
        fuses = options.has("--moe-permute-fusion", "--use-fused-moe-token-permute-and-unpermute")
        words |= {"dispatcher": _read_dispatcher(options), "permute": "fused" if fuses else ""}
    return tuple(f"{name}={word}" for name, word in words.items() if word)


def _read_launch(options: Options) -> str:
    """Return how the host starts kernels; graphs hold parts of a layer unless their scope is the whole step."""
    kind = options.text("--cuda-graph-impl")
    scope = [*options.texts("--cuda-graph-scope"), *options.texts("--cuda-graph-modules")]
    is_graphed = kind not in (None, "none") or options.has("--enable-cuda-graph", "--external-cuda-graph")
    if not is_graphed:
        return "eager" if kind == "none" else ""
    return "full_graph" if WHOLE in (kind, *scope) else "partial_graph"


def _read_dispatcher(options: Options) -> str:
    kind = options.text("--moe-token-dispatcher-type", "") or ""
    backend = options.text("--moe-flex-dispatcher-backend", "deepep") or ""
    if options.has("--moe-enable-deepep") or kind == "flex":
        return FLEXIBLE.get(backend, "")
    return DISPATCHERS.get(kind, "")
