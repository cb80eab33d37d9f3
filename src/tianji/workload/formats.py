"""What a run keeps in which format beside its recipe: optimizer, master weights, gradients, logits; each kind with its source.

Sizes are bytes of a parameter, or of a logit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from tianji.errors import UnknownNameError
from tianji.units import Bytes
from tianji.workload.precision import Precision

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Optimizer:
    """What an optimizer keeps for a parameter beside its master copy."""

    moments: int
    """In the dtype of the moments."""
    fixed: Bytes = 0.0
    """In a format of its own."""
    remark: str = ""
    """What is not priced of it."""


OPTIMIZERS: dict[str, Optimizer] = {
    "adamw": Optimizer(2),
    # Dettmers et al. 2022: two moments of a byte, with an fp32 scale for each block of 256.
    "adamw-8bit": Optimizer(0, 2.0 + 2 * 4.0 / 256),
    "lion": Optimizer(1),  # Chen et al. 2023: one momentum.
    "sgd": Optimizer(1),
    # Jordan et al. 2024: one momentum; embedding, head and norms keep Adam.
    "muon": Optimizer(1, remark="Muon is priced without its orthogonalisation and the Adam of its embeddings, a little low"),
    # Shazeer and Stern 2018: rows and columns of the second moment, thousandths of a byte.
    "adafactor": Optimizer(0),
}  # fmt: skip
"""Kinds of optimizers."""

MOMENTS: dict[str, Bytes] = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "fp8": 1.0}
"""Bytes of one moment."""

MAIN_WEIGHTS: dict[str, Bytes] = {
    "fp32": 4.0,
    # MindSpeed's --reuse-fp32-param: the bf16 weight is the upper half of the fp32 one.
    "reused": 2.0,
    # Pure bf16: the optimizer updates the bf16 weights.
    "none": 0.0,
}
"""Bytes of a master copy beside 16-bit weights."""

GRADIENTS: dict[str, Bytes] = {
    "fp32": 4.0,
    "bf16": 2.0,
    # DeepSpeed's BF16 optimizer keeps what a backward pass leaves and its fp32 sum: its 18 bytes of a parameter.
    "both": 6.0,
}
"""Bytes of a kept gradient."""

LOSSES: dict[str, Bytes] = {
    # Value, fp32 copy with the softmax in place of it, gradient.
    "plain": 8.0,
    # PyTorch's cross entropy: the cast, the log-softmax and its gradient in fp32 beside the bf16 value.
    "torch": 14.0,
    # Megatron's --cross-entropy-loss-fusion (native): the value is dropped before its gradient is made.
    "fused": 6.0,
    # FlashAttention's, Liger's and Transformer Engine's: the gradient is written over the value.
    "in-place": 4.0,
    # Compilers that never write the softmax (XLA), value and gradient in one 16-bit buffer.
    "compiled": 2.0,
    # Head and loss over an eighth of the tokens at a time (torchtitan's chunked loss, Liger's with the linear layer).
    "chunked": 1.0,
}
"""Bytes of a logit through the loss. All are cut by the tensor degree, as vocabulary-parallel losses are."""


@dataclass(frozen=True, slots=True)
class Formats:
    """What differs from the recipe; None: nothing is said."""

    optimizer: str | None = None
    optimizer_dtype: str | None = None
    main_weights: str | None = None
    gradient_dtype: str | None = None
    loss_kernel: str | None = None

    def apply(self, recipe: Precision) -> Precision:
        """Return a recipe in these formats.

        >>> from tianji.workload import PRECISIONS
        >>> Formats(optimizer_dtype="bf16", main_weights="none", gradient_dtype="bf16").apply(PRECISIONS["bf16"]).describe()
        'bf16 (moments bf16, main none, gradient bf16)'

        Raises UnknownNameError for a word that is not known.
        """
        kind = pick("optimizer", self.optimizer or recipe.optimizer, OPTIMIZERS)
        moment = pick("optimizer dtype", self.optimizer_dtype or recipe.moments, MOMENTS)
        main = pick("main weights", self.main_weights or recipe.main, MAIN_WEIGHTS)
        made = replace(
            recipe,
            optimizer=self.optimizer or recipe.optimizer,
            moments=self.optimizer_dtype or recipe.moments,
            main=self.main_weights or recipe.main,
            gradient=self.gradient_dtype or recipe.gradient,
            loss=self.loss_kernel or recipe.loss,
        )
        if self.optimizer or self.optimizer_dtype or self.main_weights:
            whole = main if recipe.weight_size < 4.0 else 0.0
            made = replace(made, optimizer_size=whole + kind.moments * moment + kind.fixed)
        if self.gradient_dtype:
            size = pick("gradient dtype", self.gradient_dtype, GRADIENTS)
            made = replace(made, gradient_size=size, gradient_wire=2.0 if self.gradient_dtype != "fp32" else 4.0)
        if self.loss_kernel:
            made = replace(made, logit_size=pick("loss kernel", self.loss_kernel, LOSSES))
        return made

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is not priced of these formats."""
        remark = OPTIMIZERS[self.optimizer].remark if self.optimizer in OPTIMIZERS else ""
        return (remark,) if remark else ()


def pick(what: str, word: str, known: dict[str, K]) -> K:
    """Return the entry of a word.

    Raises UnknownNameError for one that is not known.
    """
    if word not in known:
        raise UnknownNameError(what, word, known)
    return known[word]
