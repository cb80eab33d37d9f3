"""Sharded checkpoints: written beside training, whole or not valid, and read back under any other cut.

A checkpoint is a folder ``step-N``. Every rank writes its own parts; the file ``.metadata`` comes last and is the mark that it is
complete: a folder without it is a torn save and never loaded. Weights and optimizer state are stored by the weight's name in
the whole model, so that a resumed run may have other degrees.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import checkpoint
from torch.distributed.checkpoint import CheckpointException

from tianji.backends.checkpoints import drop, list_complete, step_folder, write_seal
from tianji.backends.machine import check_checkpoint
from tianji.backends.options import RunOptions
from tianji.backends.trainer.checkpoint_reader import CheckpointReader
from tianji.errors import RunError


class Saved(Protocol):
    """What a checkpoint is of."""

    optimizer: torch.optim.Optimizer

    def named_parameters(self) -> Iterable[tuple[str, nn.Parameter]]:
        """Return this rank's weights by their names in the whole model."""


class Checkpoints:
    """The checkpoints of one run, under ``options.checkpoints``."""

    def __init__(self, trainer: Saved, options: RunOptions) -> None:
        self.trainer, self.options = trainer, options
        self.folder = Path(options.checkpoints or f"{options.out}/checkpoints")
        # A group of its own: on the default one an asynchronous save mixes with training and corrupts the checkpoint.
        self.group = dist.new_group(backend="gloo")
        self._pending: Any = None
        self._sealed = threading.Event()
        """Whether the digests of the last save are written; a thread of the save does it, beside training."""

    def save_if_due(self, index: int, is_last: bool = False) -> None:
        """Begin to save after every ``checkpoint_every``-th step and the last; training goes on while the files are written."""
        every = self.options.checkpoint_every
        if every and (is_last or (index + 1) % every == 0):
            self.save(index)

    def save(self, index: int) -> None:
        """Begin to save the state after step ``index``; the save before it is waited for."""
        self.finish()
        path = step_folder(self.folder, index)
        if dist.get_rank() == 0:
            drop(path)  # of a run before: its mark must not vouch for our files
        dist.barrier(self.group)
        state = self._state() | {"step": torch.tensor(index)}
        self._pending = checkpoint.async_save(state, checkpoint_id=path, process_group=self.group)
        if dist.get_rank() == 0:
            self._sealed.clear()
            self._pending.add_done_callback(lambda done: self._seal(path, done.exception() is None))

    def _seal(self, path: Path, is_complete: bool) -> None:
        try:
            if is_complete:
                write_seal(path)
        finally:
            self._sealed.set()

    def finish(self) -> None:
        """Wait for the save that is under way, then drop all complete checkpoints but the newest ``keep``.

        Raises RunError when the files could not be written.
        """
        if self._pending is None:
            return
        try:
            self._pending.result()
        except (Exception, CheckpointException) as error:
            raise RunError(f"{self.folder}: the checkpoint could not be written ({_cause(error)})") from None
        finally:
            self._pending = None
        if dist.get_rank() == 0:
            self._sealed.wait()
            for old in list_complete(self.folder)[: -self.options.keep]:
                drop(old)

    def resume(self, path: Path) -> int:
        """Load a complete checkpoint, cut as this run is; return the index of the step to go on with.

        Raises RunError for a torn checkpoint, for one of another model, and for one that leaves no steps to do.
        """
        check_checkpoint(path, self.options.steps)
        state = self._state() | {"step": torch.tensor(0)}
        try:
            checkpoint.load(state, storage_reader=CheckpointReader(path), process_group=self.group)
        except (Exception, CheckpointException) as error:  # torch's is no Exception
            raise RunError(f"{path}: cannot be loaded for this plan's model ({_cause(error)})") from None
        return int(state["step"]) + 1

    def _state(self) -> dict[str, Tensor]:
        """Return weights, buffers and optimizer state by name; optimizer state that does not exist yet is made."""
        state: dict[str, Tensor] = {}
        _make_state(self.trainer.optimizer)
        for name, weight in self.trainer.named_parameters():
            state[f"model.{name}"] = weight.detach()
            for key, value in _tensors(self.trainer.optimizer.state[weight]).items():
                state[f"optimizer.{name}.{key}"] = value
        return state


def _make_state(optimizer: torch.optim.Optimizer) -> None:
    """Make an optimizer's state by a step that changes nothing: no gradient, no rate, no decay."""
    if optimizer.state or isinstance(optimizer, torch.optim.SGD):
        return
    rates = [(group["lr"], group["weight_decay"]) for group in optimizer.param_groups]
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    for group in optimizer.param_groups:
        group["lr"], group["weight_decay"] = 0.0, 0.0
    for weight in weights:
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    for group, (rate, decay) in zip(optimizer.param_groups, rates, strict=True):
        group["lr"], group["weight_decay"] = rate, decay
    for weight in weights:
        for value in _tensors(optimizer.state[weight]).values():
            value.zero_()


def _tensors(state: Mapping[str, Any]) -> dict[str, Tensor]:
    return {key: value for key, value in state.items() if isinstance(value, Tensor)}


def _cause(error: BaseException) -> str:
    if isinstance(error, CheckpointException) and error.failures:
        error = next(iter(error.failures.values()))[0]  # without the traceback of each rank
    return " ".join(str(error).split())[:300]
