"""What the formulas of a layer share: the job, the rates, the links and the grid of strategies.

Communication hides beside work as far as the calibration's ``overlap_efficiency`` lets it; each formula with its source stands in
docs/formulas.md, section "One layer" (Shoeybi et al. 2019; Korthikanti et al. 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TypeVar

import numpy as np

from tianji.hardware.constants import Constants
from tianji.identity import Answers
from tianji.parallel.grid import Grid
from tianji.parallel.mesh import tensor_group
from tianji.perf.communication import Links
from tianji.perf.compute import ChipRates
from tianji.units import Array
from tianji.workload import Job

Terms = dict[str, Array]
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Context:
    """What pricing a layer needs."""

    job: Job
    rates: ChipRates
    network: Links
    constants: Constants
    g: Grid
    known: Answers = field(default_factory=Answers, repr=False, compare=False)
    """What :meth:`once` has computed."""

    def of_layer(self, tokens: int, width: int) -> Context:
        """Return the context of a layer with so many tokens of its own, and that width (0: those of the job and the model)."""
        model = replace(self.job.model, hidden_size=width) if width else self.job.model
        lengths = () if tokens else self.job.sample_lengths
        job = replace(self.job, model=model, seq_len=tokens or self.job.seq_len, sample_lengths=lengths)
        return replace(self, job=job, known=Answers())

    @cached_property
    def tokens(self) -> Array:
        """Tokens of a micro-batch on one chip, the tensor cut left out."""
        return self.g.micro_batch_size * (self.job.seq_len / self.g.cp)

    @cached_property
    def sequence_cut(self) -> Array:
        """Over how many tensor ranks the tokens between matmuls are divided."""
        return np.where(self.g.sequence_parallel, self.g.tp, 1)

    @cached_property
    def hides_tensor(self) -> Array:
        """Where tensor-parallel links hide behind split matmuls: within one scale-up domain, which is as far as they reach.

        TransformerEngine's userbuffers need multicast or peer memory of one NVLink domain (NVIDIA/TransformerEngine issue 1071);
        PyTorch's symmetric memory and CANN's AllGatherMatmul likewise take ranks of one memory-semantic fabric.
        """
        return self.g.overlap_tp & self.network.lies_inside(tensor_group(self.g))

    @property
    def imbalance(self) -> Array:
        """Load of the busiest expert rank over the mean, as far as those that wait for it cannot lend it their processor."""
        load: Array = np.maximum(self.job.moe_imbalance / self.constants.sharing, 1.0)
        return load

    def hide(self, communication: Array, work: Array, on: Array) -> Array:
        """Return the seconds of a communication that stay exposed beside ``work`` seconds of computation.

        ``on`` says where it is hidden at all: 0 or 1, or the share that its kind reaches (``tp_overlap_share``).
        """
        return communication - on * self.constants.overlap_efficiency * np.minimum(communication, work)

    def once(self, compute: Callable[[T, Context], R], subject: T) -> R:
        """Return ``compute(subject, self)``, worked out for the first who asks: layers of several kinds share their ops."""
        return self.known.find((compute, subject), partial(compute, subject, self))


def total(terms: Terms) -> Array:
    """Return the sum of ``terms`` over all kinds, in seconds."""
    return add_up(terms.values())


def add_up(values: Iterable[Array]) -> Array:
    """Return the sum of all values, the first ones first. Adding in place spares a new array for each value of a large grid."""
    first, *rest = values
    running, owned = first, False
    for value in rest:
        into = running if owned and np.broadcast(running, value).shape == running.shape else None
        running = np.add(running, value, out=into)
        owned = running.ndim > 0
    return running


def largest(values: Sequence[Array]) -> Array:
    """Return the largest of some ``values`` at each place."""
    most: Array = values[0]
    for value in values[1:]:
        most = np.maximum(most, value)
    return most
