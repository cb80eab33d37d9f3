"""Texts in code that name a device, a backend, an environment variable or an error of CUDA."""

from __future__ import annotations

import re

DEVICE = re.compile(r"^(?:cuda|gpu)(?::(?:\d+|\{\}|%d|%s)?)?$")
OTHER_DEVICES = frozenset({"xpu", "hpu", "mlu", "musa", "sdaa", "neuron", "rocm", "hip", "tpu", "xla"})
"""Devices whose branches are places where one more device joins; Apple's is left out: its branches avoid quirks of its own."""
DEVICE_WORDS = OTHER_DEVICES | {
    "cpu",
    "gpu",
    "npu",
    "mps",
    "meta",
    "auto",
    "none",
    "disk",
    "nvidia",
    "amd",
    "device",
    "cuda:0",
}
"""Words beside ``cuda`` that make a list one of devices."""
ENVIRONMENT = re.compile(
    r"^(?:CUDA_[A-Z_]+|CUBLAS_WORKSPACE_CONFIG|PYTORCH_(?:CUDA_)?ALLOC_CONF|PYTORCH_NO_CUDA_MEMORY_CACHING|"
    r"(?:TORCH_)?NCCL_[A-Z_]+|NVTE_[A-Z_]+|TORCHINDUCTOR_[A-Z_]+|TORCH_CUDA_ARCH_LIST|NVCC_[A-Z_]+|"
    r"RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES|NVIDIA_VISIBLE_DEVICES)$"
)
ERROR = re.compile(r"CUDA (?:out of memory|error)|CUBLAS_STATUS|NCCL error|cuDNN error", re.IGNORECASE)
LIBRARY = re.compile(r"lib(?:cudart|cuda|nccl|cublas|cudnn|nvrtc)[\w.-]*\.so|libcudart|libnccl")
COMPOSITE = re.compile(r"(?:^|,)cuda:nccl(?:,|$)")
TENSOR_TYPE = re.compile(r"^torch\.cuda\.\w*Tensor$")
DEVICE_KINDS = frozenset(
    {"MULTI_GPU", "MULTI_XPU", "MULTI_CPU", "MULTI_MLU", "MULTI_HPU", "NVIDIA", "AMD", "GPU", "CUDA"}
)
"""Members of enumerations that list kinds of devices."""
AVAILABILITY = re.compile(
    r"^_?is_(?:torch_)?(?:xpu|hpu|mlu|musa|sdaa|rocm|hip)_(?:\w+_)?available$|^_?(?:is|has)_(?:xpu|hpu|mlu|musa|sdaa)$"
)
"""Functions and variables that ask for another accelerator."""
OTHER_MODULES = ("torch.xpu", "torch.hpu", "torch.mlu", "torch.musa", "torch.sdaa")
"""Where other accelerators keep what ``torch.cuda`` keeps for NVIDIA's."""
CUDA_OPTIONS = frozenset(
    {
        "flash_attention",
        "flash_attn",
        "use_flash_attn",
        "use_flash_attention",
        "use_flash_attention_2",
        "xformers_attention",
    }
    | {"use_xformers", "load_in_8bit", "load_in_4bit", "tf32", "allow_tf32", "use_fp8", "use_triton", "use_unsloth"}
)
"""Fields of a configuration's schema that ask for what exists under CUDA only."""
PEAKS = frozenset(
    {19.5e12, 125e12, 165e12, 181e12, 197e12, 312e12, 362e12, 624e12, 989e12, 989.4e12, 989.5e12, 990e12, 1979e12}
    | {148e12, 296e12, 121e12, 2250e12, 1.979e15, 9.89e14, 3.12e14}
)
"""Dense or sparse peaks of GPUs, in FLOP/s, as code that computes an MFU writes them."""


def classify_text(text: str) -> str:
    """Return the idiom that a text on its own stands for, or an empty text.

    >>> classify_text("cuda:0"), classify_text("nccl"), classify_text("CUDA_VISIBLE_DEVICES"), classify_text("mean")
    ('idiom:device-string', 'idiom:nccl-backend', 'env:CUDA_VISIBLE_DEVICES', '')
    """
    if len(text) > 2000:
        return ""
    if text in ("cuda", "cuda:0") or (text.startswith("cuda:") and DEVICE.match(text)):
        return "idiom:device-string"
    if text in ("nccl", "NCCL"):
        return "idiom:nccl-backend"
    if COMPOSITE.search(text):
        return "idiom:nccl-composite"
    if TENSOR_TYPE.match(text):
        return "idiom:tensor-type-string"
    if ENVIRONMENT.match(text):
        return f"env:{text}"
    if "nvidia-smi" in text:
        return "idiom:nvidia-smi"
    if ERROR.search(text):
        return "idiom:error-text"
    if LIBRARY.search(text):
        return "idiom:cuda-library"
    return ""


def is_device_prefix(text: str) -> bool:
    """Return whether a text starts an f-string, a format or a sum that names a CUDA device.

    >>> is_device_prefix("cuda:"), is_device_prefix("cuda:{}"), is_device_prefix("cuda device ")
    (True, True, False)
    """
    return text.startswith("cuda:") and len(text) <= 12
