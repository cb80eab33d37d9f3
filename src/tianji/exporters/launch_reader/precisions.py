"""The number formats of a Megatron or MindSpeed launch script."""

from __future__ import annotations

from dataclasses import replace

from tianji.exporters.launch_reader.options import Options
from tianji.workload import Formats, Precision, find_precision
from tianji.workload.formats import MOMENTS

OPTIMIZERS_OF_SCRIPTS = {"sgd": "sgd", "muon": "muon", "dist_muon": "muon", "lion": "lion"}
"""Values of ``--optimizer`` that are not Adam."""


LOSSES_OF_SCRIPTS = {"te": "in-place", "linear": "chunked"}
"""Values of ``--cross-entropy-fusion-impl``; linear makes no logits at all."""


def read_precision(options: Options) -> Precision:
    """Return the number formats of a script's options."""
    fp8, fp4 = options.text("--fp8-format"), options.text("--fp4-format")
    recipe = options.text("--fp8-recipe", "delayed")
    is_half = options.has("--fp16")
    narrow = options.has("--bf16") or is_half
    options.has("--fp4-recipe")
    if fp4:
        precision = find_precision("fp4")
    elif fp8 and recipe == "mxfp8":
        precision = find_precision("mxfp8")
    elif fp8:
        precision = find_precision("fp8")
        if recipe == "blockwise":
            precision = replace(precision, name="fp8-block", block_scaled=True)
    else:
        precision = find_precision("fp16" if is_half else "bf16" if narrow else "fp32")
    keeps_full = options.has("--accumulate-allreduce-grads-in-fp32")
    if options.has("--grad-reduce-in-bf16") or (precision.linear == "fp16" and not keeps_full):
        precision = replace(precision, gradient_size=2.0, gradient_wire=2.0)
    if options.text("--main-grads-dtype", "fp32") in ("bf16", "bfloat16"):
        precision = replace(precision, gradient_size=2.0, gradient="bf16")
    made = _read_formats(options).apply(precision)
    moments = [options.text(name, "fp32") or "fp32" for name in ("--exp-avg-dtype", "--exp-avg-sq-dtype")]
    if len(set(moments)) > 1 and all(word in MOMENTS for word in moments):
        size = made.optimizer_size - 2 * MOMENTS["fp32"] + sum(MOMENTS[word] for word in moments)
        made = replace(made, optimizer_size=size, moments="+".join(moments))
    return made


def _read_formats(options: Options) -> Formats:
    """Return what a script keeps in another format than its recipe."""
    options.has("--use-precision-aware-optimizer")
    moment, second = options.text("--exp-avg-dtype"), options.text("--exp-avg-sq-dtype")
    both = moment if moment == second else None
    name = options.text("--optimizer", "adam") or "adam"
    return Formats(
        optimizer=OPTIMIZERS_OF_SCRIPTS.get(name),
        optimizer_dtype=both if both in MOMENTS and both != "fp32" else None,
        main_weights="reused" if options.has("--reuse-fp32-param") else None,
        loss_kernel=_read_loss(options),
    )


def _read_loss(options: Options) -> str | None:
    """Return the loss of Megatron's options; MindSpeed-LLM's ``chunk`` takes some tokens at a time."""
    options.has("--loss-chunk-size")
    mode, kernel = options.texts("--loss-compute-mode"), options.text("--cross-entropy-fusion-impl", "native")
    if options.has("--cross-entropy-loss-fusion"):
        return LOSSES_OF_SCRIPTS.get(kernel or "", "fused")
    return "chunked" if "chunk" in mode else None
