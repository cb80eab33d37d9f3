"""The number formats of a Megatron or MindSpeed launch script."""

from __future__ import annotations

from dataclasses import replace

from tianji.exporters.launch_reader.options import Options
from tianji.exporters.megatron_family.precision import MOMENTS
from tianji.workload import Precision, find_precision


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
    moment = options.text("--exp-avg-dtype", "fp32")
    options.has("--exp-avg-sq-dtype", "--use-precision-aware-optimizer")
    sizes = {dtype: size for size, dtype in MOMENTS.items()}
    if moment != "fp32" and moment in sizes and precision.linear != "fp32":
        precision = replace(precision, optimizer_size=sizes[moment])
    return precision
