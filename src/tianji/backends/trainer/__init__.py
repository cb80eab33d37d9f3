"""A small trainer on PyTorch's public parts: the plan's model, cut by the plan's degrees, trained for real.

Read in this order: ``transformer`` and ``experts`` (the model), ``meshes`` (degrees become a DeviceMesh), ``cuts`` (tensor and
sequence parallel), ``context`` (context parallel), ``shards`` (FSDP and activation checkpointing), ``pipeline`` (stages and
schedules), ``tokens`` (data), ``loop`` (a step, and all of them), ``checkpoint``, ``traffic`` and ``profile`` (what is measured).
Only ``accelerator`` knows whether the chips are CPUs, GPUs or NPUs. Torch is imported here and nowhere above.
"""
