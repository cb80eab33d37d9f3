"""A frozen teacher beside the model that is trained: its forward pass on the same tokens, and what it holds.

The teacher is cut as the student is: its layers over as many stages, its matrices over as many ranks. Its forward passes are a
pipeline of their own, ahead of the student's. Source: Hinton et al. 2015 (distillation).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tianji.hardware.constants import Constants
from tianji.parallel.grid import Grid
from tianji.perf.activations import activation_bytes
from tianji.perf.memory import state_bytes
from tianji.perf.stages import Stage, stage
from tianji.units import Array
from tianji.workload import Job
from tianji.workload.task import TEACHER_LOGIT, TrainingTask


def teacher_job(job: Job) -> Job:
    """Return the teacher's part of a job: the same tokens through it, forward only."""
    assert job.task.teacher is not None
    return replace(job, model=job.task.teacher, task=TrainingTask(job.task.name, is_forward_only=True))


def teacher_bytes(job: Job, s: Stage, g: Grid, constants: Constants) -> Array:
    """Return bytes of the teacher on a chip of a stage: weights, what one of its layers works with, logits for the loss.

    Its layers are dealt out evenly, as those of 1F1B are.
    """
    watched = teacher_job(job)
    own = stage(watched.model, g.pp, s.index)
    weights = state_bytes(watched, own, g)["weights"]
    layers = replace(own, has_head=np.zeros_like(own.has_head))
    working = activation_bytes(watched, layers, g, np.asarray(1), constants)["working"]
    tokens = g.micro_batch_size * (job.seq_len / g.cp)
    logits = tokens * (s.has_head > 0) * (TEACHER_LOGIT * watched.model.num_outputs / g.tp)
    size: Array = weights + working + logits
    return size
