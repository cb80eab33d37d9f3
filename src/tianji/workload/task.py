"""What is trained of a model: all of it, adapters on frozen weights, or a student beside a frozen teacher."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tianji.errors import FormatError, UnknownNameError
from tianji.units import Bytes
from tianji.workload.model import Model

TASKS = ("pretrain", "sft", "lora", "qlora", "reward", "embedding", "distill")
"""All weights of the model as it is (pretrain, sft); low-rank adapters (lora, qlora); all weights under another head (reward,
embedding); a student beside a teacher (distill)."""
ADAPTED = ("lora", "qlora")
HEADS = {"reward": 1, "embedding": 0}
"""Outputs of the head that a task puts in place of the logits."""
TARGETS = ("qkv", "proj", "mlp", "experts")
"""Matrices that get adapters: what makes queries, keys and values; what brings a mixer's output back; MLPs that all tokens visit;
routed experts."""
USUAL_RANK = 16
NF4_SIZE: Bytes = 4.127 / 8
"""A 4-bit value, and for each 64 of them a scale in 8 bits, with its own for each 256 (Dettmers et al. 2023, section 3)."""
TEACHER_LOGIT: Bytes = 6.0
"""Bytes of a teacher's logit until the loss has read it: its 16-bit value and its fp32 softmax."""


@dataclass(frozen=True, slots=True)
class TrainingTask:
    """What is trained. With ``adapter_rank`` r a frozen matrix of k by n gets an adapter of r (k + n) trained parameters."""

    name: str = "pretrain"
    adapter_rank: int = 0
    """0: there are no adapters, and all weights are trained."""
    adapter_targets: tuple[str, ...] = ()
    frozen_size: Bytes = 0.0
    """Bytes of a parameter of a frozen matrix, where it is not kept as the recipe has it (0: as the recipe)."""
    teacher: Model | None = None
    """A frozen model of which each step runs the forward pass on the same tokens."""
    is_forward_only: bool = False
    """Nothing is trained: the teacher's part of a step."""

    def __post_init__(self) -> None:
        if self.name not in TASKS:
            raise UnknownNameError("task", self.name, TASKS)
        for target in self.adapter_targets:
            if target not in TARGETS:
                raise UnknownNameError("target of adapters", target, (*TARGETS, "all"))
        if (self.name in ADAPTED) != bool(self.adapter_rank and self.adapter_targets):
            raise FormatError(
                f"task {self.name}: adapters have a rank and targets, and only {' and '.join(ADAPTED)} have them"
            )

    @property
    def is_frozen(self) -> bool:
        """The model's own weights are not trained."""
        return self.adapter_rank > 0 or self.is_forward_only

    @property
    def trains_all(self) -> bool:
        """Every weight of the model is trained, and nothing else runs: any engine can."""
        return not self.is_frozen and self.teacher is None

    def describe(self) -> str:
        """Return the task in a few words.

        >>> TrainingTask("lora", 16, ("qkv", "proj")).describe()
        'lora of rank 16 on qkv, proj'
        """
        if self.adapter_rank:
            return f"{self.name} of rank {self.adapter_rank} on {', '.join(self.adapter_targets)}"
        return f"{self.name} from {self.teacher.name}" if self.teacher else self.name


PRETRAIN = TrainingTask()


def make_task(
    name: str | None = None,
    lora_rank: int | None = None,
    lora_targets: str | tuple[str, ...] | None = None,
    teacher: Model | None = None,
) -> TrainingTask:
    """Return a task from what a user says of it; adapters have a rank of 16 on all matrices where nothing else is said.

    >>> make_task("lora", lora_targets="qkv,proj").describe()
    'lora of rank 16 on qkv, proj'

    Raises UnknownNameError for a word that is not known, FormatError for options that the task does not have.
    """
    word = (name or "pretrain").lower()
    if word not in TASKS:
        raise UnknownNameError("task", word, TASKS)
    given = {"--lora-rank": lora_rank, "--lora-targets": lora_targets}
    if word not in ADAPTED:
        for option, value in given.items():
            if value is not None:
                raise FormatError(f"{option} goes with --task lora or qlora; the task is {word}")
    if (teacher is not None) != (word == "distill"):
        raise FormatError("--teacher MODEL and --task distill go together: a student learns from a teacher")
    if word not in ADAPTED:
        return TrainingTask(word, teacher=None if teacher is None else replace(teacher, num_mtp_layers=0))
    rank = USUAL_RANK if lora_rank is None else lora_rank
    if not 1 <= rank <= 2**14:
        raise FormatError(f"--lora-rank: expected a whole number from 1 to {2**14:,}, got {rank}")
    words = lora_targets.replace("+", ",").split(",") if isinstance(lora_targets, str) else (lora_targets or ("all",))
    targets = TARGETS if "all" in words else tuple(dict.fromkeys(w.strip() for w in words))
    return TrainingTask(word, rank, targets, NF4_SIZE if word == "qlora" else 0.0)
