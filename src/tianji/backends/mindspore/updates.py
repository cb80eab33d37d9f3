"""From the gradients of a step's micro-batches to new weights: sum, reduce over ranks, clip, update.

All weights travel in one bucket a reduction, so that ranks cannot come to their reductions in different orders.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mindspore import Parameter, ParameterTuple, Tensor, nn, ops

from tianji.backends.mindspore.collectives import CollectiveGroup, Sum
from tianji.backends.options import RunOptions

BETAS, EPSILON, DECAY = (0.9, 0.95), 1e-8, 0.1
"""Of AdamW, as in the torch trainer (Loshchilov 2019)."""


class Accumulate(nn.Cell):
    """Adds a micro-batch's gradients to the sums of the step."""

    def __init__(self, sums: ParameterTuple) -> None:
        super().__init__(auto_prefix=False)
        self.sums = sums

    def construct(self, *gradients: Tensor) -> bool:
        """Add one gradient to each sum."""
        for i in range(len(self.sums)):
            ops.assign_add(self.sums[i], gradients[i])
        return True


class Bucket(nn.Cell):
    """Sums tensors over a group, all in one."""

    def __init__(self, group: CollectiveGroup, like: Sequence[Tensor]) -> None:
        super().__init__(auto_prefix=False)
        self.sum, self.is_needed = Sum(group), group.size > 1 and len(like) > 0
        self.shapes = tuple(tuple(x.shape) for x in like)
        self.sizes = [int(np.prod(shape)) for shape in self.shapes]

    def construct(self, parts: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the sums."""
        if not self.is_needed:
            return parts
        flat = self.sum(ops.concat([part.reshape((-1,)) for part in parts], 0))
        parts_of_sum = ops.split(flat, self.sizes, 0)
        return tuple([parts_of_sum[i].reshape(self.shapes[i]) for i in range(len(self.shapes))])


class Update(nn.Cell):
    """One optimizer step from the sums of a step.

    Args of the constructor: ``partial`` says of each weight whether tensor ranks hold terms of its gradient, ``copies`` how many
    ranks hold the same gradient, ``scale`` makes a mean of the sum over micro-batches and data ranks.
    """

    def __init__(
        self, weights: ParameterTuple, sums: ParameterTuple, partial: Sequence[bool], copies: Sequence[int],
        tensor: CollectiveGroup, data: CollectiveGroup, everyone: CollectiveGroup, scale: float, options: RunOptions,
    ) -> None:  # fmt: skip
        super().__init__(auto_prefix=False)
        self.weights, self.sums, self.scale = weights, sums, scale
        self.partial, self.copies = tuple(partial), tuple(float(count) for count in copies)
        self.over_tensor = Bucket(tensor, [w for w, is_so in zip(weights, partial, strict=True) if is_so])
        self.over_data, self.over_all = Bucket(data, list(weights)), Sum(everyone)
        self.rate, self.clip, self.is_adam = options.learning_rate, options.clip, options.optimizer == "adamw"
        self.means: Any = self._make_state("mean") if self.is_adam else None
        self.squares: Any = self._make_state("square") if self.is_adam else None

    def _make_state(self, kind: str) -> ParameterTuple:
        return ParameterTuple([Parameter(ops.zeros_like(w), name=f"{kind}.{w.name}") for w in self.weights])

    def construct(self, loss: Tensor, correction: Tensor, root: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Update the weights; return (loss, gradients' norm) of the whole job and this rank's gradients.

        ``correction`` is 1 - β1^t, ``root`` the square root of 1 - β2^t.
        """
        gradients = self._reduce()
        squares = loss * 0.0
        for i in range(len(gradients)):
            squares = squares + ops.sum(gradients[i] * gradients[i]) / self.copies[i]
        sums = self.over_all(ops.stack([loss, squares]))
        norm = ops.sqrt(sums[1])
        factor = loss * 0.0 + 1.0
        if self.clip > 0:
            factor = ops.minimum(factor, self.clip / norm)
        for i in range(len(gradients)):
            self._change(i, gradients[i] * factor, correction, root)
            ops.assign(self.sums[i], ops.zeros_like(self.sums[i]))
        return ops.stack([sums[0], norm]), gradients

    def _reduce(self) -> tuple[Tensor, ...]:
        """Return the gradients: means over micro-batches and data ranks, whole over tensor ranks."""
        terms: Any = ()
        for i in range(len(self.sums)):
            if self.partial[i]:
                terms = (*terms, self.sums[i] * self.scale)
        terms = self.over_tensor(terms)
        gradients: Any = ()
        used = 0
        for i in range(len(self.sums)):
            if self.partial[i]:
                gradients = (*gradients, terms[used])
                used = used + 1
            else:
                gradients = (*gradients, self.sums[i] * self.scale)
        means: tuple[Tensor, ...] = self.over_data(gradients)
        return means

    def _change(self, i: int, gradient: Tensor, correction: Tensor, root: Tensor) -> None:
        weight = self.weights[i]
        if not self.is_adam:
            ops.assign(weight, weight - self.rate * gradient)
            return
        mean = BETAS[0] * self.means[i] + (1 - BETAS[0]) * gradient
        square = BETAS[1] * self.squares[i] + (1 - BETAS[1]) * gradient * gradient
        ops.assign(self.means[i], mean)
        ops.assign(self.squares[i], square)
        kept = weight * (1 - self.rate * DECAY)
        ops.assign(weight, kept - self.rate / correction * mean / (ops.sqrt(square) / root + EPSILON))
