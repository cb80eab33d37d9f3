"""What ranks say to each other, all of it by one operation: a sum over a group.

On CPUs MindSpore's ``mccl`` has AllReduce in any group, AllGather and Broadcast over all ranks only, and no ReduceScatter,
AlltoAll, Send or Receive. To gather, each rank adds its part where the others add zeros; to scatter, each takes its part of the
sum; to send, the receiver adds zeros. Adding zero is exact, so nothing but bytes is lost by it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mindspore import Tensor, nn, ops
from mindspore.communication import create_group


class CollectiveGroup:
    """Some ranks that talk to each other; alone, none does."""

    def __init__(self, name: str, ranks: Sequence[int], rank: int) -> None:
        self.size, self.index = len(ranks), list(ranks).index(rank)
        self.name = f"{name}-{'-'.join(map(str, ranks))}"
        if self.size > 1:
            create_group(self.name, list(ranks))


class Sum(nn.Cell):
    """The sum over a group; one rank's own value where it is alone."""

    def __init__(self, group: CollectiveGroup) -> None:
        super().__init__(auto_prefix=False)
        self.op = ops.AllReduce(group=group.name) if group.size > 1 else None

    def construct(self, x: Tensor) -> Tensor:
        """Return the sum."""
        return x if self.op is None else self.op(x)


class Door(nn.Cell):
    """What the streams of tensor ranks pass; the classes below say what is done with them, and with their gradients.

    A door's backward pass is of operations alone: MindSpore loses functions and cells that one calls.
    """

    def __init__(self, group: CollectiveGroup) -> None:
        super().__init__(auto_prefix=False)
        self.sum, self.split = ops.AllReduce(group=group.name), ops.Split(0, group.size)
        self.reshape, self.expand = ops.Reshape(), ops.ExpandDims()
        self.size, self.index = group.size, group.index
        self.here = Tensor((np.arange(group.size) == group.index).astype(np.float32)[:, None, None])


class Enter(Door):
    """Into matrices cut by what comes out: the stream as it is; its gradient is the sum of the ranks' gradients."""

    def construct(self, x: Tensor) -> Tensor:
        """Return x."""
        return x

    def bprop(self, x: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor]:
        """Return the gradient of x."""
        return (self.sum(dout),)


class Leave(Door):
    """Out of matrices cut by what goes in: the sum of the ranks' terms; each term has the gradient of the sum."""

    def construct(self, x: Tensor) -> Tensor:
        """Return the sum."""
        return self.sum(x)

    def bprop(self, x: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor]:
        """Return the gradient of x."""
        return (dout,)


class GatherRows(Door):
    """As ``Enter`` where each rank has some rows of the stream: all rows; the ranks' gradients of a row are summed."""

    def construct(self, x: Tensor) -> Tensor:
        """Return all ranks' rows."""
        return self.sum(self.reshape(self.expand(x, 0) * self.here, (self.size * x.shape[0], x.shape[1])))

    def bprop(self, x: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor]:
        """Return the gradient of x."""
        return (self.split(self.sum(dout))[self.index],)


class ScatterRows(Door):
    """As ``Leave`` where each rank has some rows of the stream: its rows of the sum."""

    def construct(self, x: Tensor) -> Tensor:
        """Return this rank's rows."""
        return self.split(self.sum(x))[self.index]

    def bprop(self, x: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor]:
        """Return the gradient of x."""
        return (self.sum(self.reshape(self.expand(dout, 0) * self.here, x.shape)),)


class GatherColumns(Door):
    """The ranks' columns of a matrix, side by side; what is made of them is the same on all ranks, and so is its gradient."""

    def __init__(self, group: CollectiveGroup) -> None:
        super().__init__(group)
        self.split = ops.Split(1, group.size)
        self.here = self.here.reshape((1, group.size, 1))

    def construct(self, x: Tensor) -> Tensor:
        """Return all ranks' columns."""
        return self.sum(self.reshape(self.expand(x, 1) * self.here, (x.shape[0], self.size * x.shape[1])))

    def bprop(self, x: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor]:
        """Return the gradient of x."""
        return (self.split(dout)[self.index],)


class Meeting:
    """Two neighbours of a pipeline: what one gives the other has. Both must come, in the same order."""

    def __init__(self, name: str, ranks: Sequence[int], rank: int, shape: tuple[int, ...]) -> None:
        self._sum = Sum(CollectiveGroup(name, ranks, rank))
        self._nothing = Tensor(np.zeros(shape, np.float32))

    def give(self, x: Tensor) -> None:
        """Hand x over, and wait until it is taken."""
        self._sum(x).asnumpy()

    def take(self) -> Tensor:
        """Return what the other gives."""
        return self._sum(self._nothing)
