"""Models, jobs and the operations they are made of: what is to be computed."""

from tianji.workload.formats import Formats
from tianji.workload.job import Job
from tianji.workload.model import MLA, Model, MoE
from tianji.workload.precision import PRECISIONS, Precision, find_precision
from tianji.workload.task import TrainingTask, make_task

__all__ = [
    "MLA",
    "PRECISIONS",
    "Formats",
    "Job",
    "MoE",
    "Model",
    "Precision",
    "TrainingTask",
    "find_precision",
    "make_task",
]
