"""What a training run computes and keeps in which number format."""

from __future__ import annotations

from dataclasses import dataclass

from tianji.errors import UnknownNameError
from tianji.units import Bytes


@dataclass(frozen=True, slots=True)
class Precision:
    """Number formats of a mixed-precision run.

    ``linear`` is the dtype of the linear layers' matmuls; attention scores, router, logits, norms and embeddings stay
    in ``high`` in every recipe. Sizes are bytes of one parameter or element.
    """

    name: str
    linear: str
    high: str = "bf16"
    weight_size: Bytes = 2.0
    """Bytes of a parameter's working copies that stay resident."""
    gradient_size: Bytes = 4.0
    gradient_wire: Bytes = 4.0
    """Bytes of a gradient on the wire of the data-parallel reduction."""
    weight_wire: Bytes = 2.0
    """Bytes of a parameter on the wire of the data-parallel gather."""
    optimizer_size: Bytes = 12.0
    """fp32 master copy and two Adam moments."""
    activation_size: Bytes = 2.0
    linear_input_size: Bytes = 2.0
    """Bytes of an element kept as a linear layer's input for the backward pass."""
    dispatch_size: Bytes = 2.0
    """Bytes of an element on the wire when tokens go to their experts."""
    logit_size: Bytes = 8.0
    """Bytes of a logit through the loss: its value, its fp32 copy (the softmax in place of it) and its gradient."""
    quantized: bool = False
    """Linear inputs pass through a cast to the narrow dtype: one more read and write."""
    block_scaled: bool = False
    """Scales for each block of 16 or 32 elements (MXFP8, NVFP4) in place of one for each tensor."""
    optimizer: str = "adamw"
    """This and the next four are words of :mod:`tianji.workload.formats`, from which the sizes come."""
    moments: str = "fp32"
    main: str = "fp32"
    gradient: str = "fp32"
    loss: str = "plain"

    def describe(self) -> str:
        """Return the recipe with what differs from its usual formats."""
        usual = {"optimizer": "adamw", "moments": "fp32", "main": "fp32", "gradient": "fp32", "loss": "plain"}
        own = [f"{name} {getattr(self, name)}" for name, word in usual.items() if getattr(self, name) != word]
        return f"{self.name} ({', '.join(own)})" if own else self.name


PRECISIONS: dict[str, Precision] = {
    "bf16": Precision("bf16", "bf16"),
    "fp16": Precision("fp16", "fp16", high="fp16"),
    "fp32": Precision(
        "fp32",
        "fp32",
        high="fp32",
        weight_size=4.0,
        weight_wire=4.0,
        optimizer_size=8.0,
        activation_size=4.0,
        linear_input_size=4.0,
        dispatch_size=4.0,
    ),
    "fp8": Precision("fp8", "fp8", weight_size=2.0, linear_input_size=1.0, quantized=True),
    "hif8": Precision("hif8", "fp8", weight_size=2.0, linear_input_size=1.0, quantized=True),
    "mxfp8": Precision("mxfp8", "fp8", weight_size=2.0, linear_input_size=1.03, quantized=True, block_scaled=True),
    "fp4": Precision("fp4", "fp4", weight_size=2.0, linear_input_size=0.5625, quantized=True, block_scaled=True),
}
"""Known recipes by name. The narrow recipes keep bf16 weights, gradients in fp32 and an fp32 master copy."""

ALIASES = {"nvfp4": "fp4", "mxfp4": "fp4", "float8": "fp8", "bfloat16": "bf16", "float16": "fp16"}


def find_precision(name: str) -> Precision:
    """Return a recipe by name.

    Raises UnknownNameError for a recipe that is not known.
    """
    key = ALIASES.get(name.lower(), name.lower())
    if key not in PRECISIONS:
        raise UnknownNameError("precision", name, [*PRECISIONS, *ALIASES])
    return PRECISIONS[key]
