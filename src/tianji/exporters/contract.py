"""What a target is and must hand back: its files, or every reason why it would run another plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tianji.errors import ExportError
from tianji.exporters.formats.arguments import Artefact
from tianji.parallel.plan import Plan
from tianji.parallel.strategy import Strategy
from tianji.workload import Job


@dataclass(frozen=True, slots=True)
class Refusal:
    """Plans that a target would run otherwise than they are priced, and the sentence that says so.

    Attributes:
        when: True for a plan that is refused; takes its strategy and the plan.
        because: The sentence. It may name values as ``{s.tp}`` (strategy), ``{p.name}`` (precision), ``{model.name}``,
            ``{job.seq_len}`` and ``{plan.num_microbatches}``.
    """

    when: Callable[[Strategy, Plan], bool]
    because: str

    def describe(self, plan: Plan) -> str:
        """Return the sentence with this plan's values."""
        job = plan.job
        return self.because.format(plan=plan, s=plan.strategy, job=job, p=job.precision, model=job.model)


PATTERNED = Refusal(
    lambda s, plan: bool(plan.job.model.blocks),
    "{model.name} is a pattern of layers of its family {model.family}, which the options written here cannot say",
)
"""Of targets that write the shape of a model as options of one kind of layer."""


@dataclass(slots=True)
class Limits:
    """Collects what a target cannot express: a note where the plan stays the plan, a refusal where it would not."""

    target: str
    save_every: int = 0
    """Steps between two checkpoints, as recommended for the plan; 0 where nobody worked it out."""
    notes: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    asks_whether: bool = False
    """Only whether the target runs the plan is asked: the first refusal answers that, and nothing is written after it."""

    @property
    def save_steps(self) -> tuple[int, str]:
        """Steps between two checkpoints that are written, and where they come from."""
        if self.save_every:
            return self.save_every, "recommended for this plan, from the pool's failure rate"
        return 1000, "FILL IN: `tianji predict` recommends an interval from the pool's failure rate"

    def note(self, *texts: str) -> None:
        """Keep what the user should know."""
        self.notes += [text for text in dict.fromkeys(texts) if text not in self.notes]

    def refuse(self, reason: str) -> None:
        """Keep a reason why this target would run another plan."""
        if reason not in self.refusals:
            self.refusals.append(reason)
        if self.asks_whether:
            self.check()

    def apply(self, refusals: Iterable[Refusal], plan: Plan) -> None:
        """Keep the sentence of each of a target's refusals that a plan meets."""
        for refusal in refusals:
            if refusal.when(plan.strategy, plan):
                self.refuse(refusal.describe(plan))

    def check(self) -> None:
        """Raise ExportError with every reason, if there is one."""
        if self.refusals:
            reasons = "; ".join(self.refusals)
            raise ExportError(f"--to {self.target} would run another plan: {reasons}")


Writer = Callable[[Plan, Limits], list[Artefact]]
"""Returns the files of a plan; notes and refusals go to the limits."""


@dataclass(frozen=True, slots=True)
class Target:
    """A place that plans are exported to: a training framework, a launcher or a scheduler.

    Attributes:
        name: What ``--to`` takes.
        about: What its files are, in one line.
        write: Makes the files.
        space: For a training framework the values of the strategy's fields that it has, which ``--runs-on`` searches;
            finer limits are refusals. None for what runs any training script.
        narrow_space: What a job leaves of that space, where the framework has less for some jobs.
        tasks: What a framework's files train; what runs any training script leaves it to the script.
        other_tasks: Why they do not train another task, where there is more to say than that.
        implied: What a field's value brings with it in that search, unless the user fixes it: ``{("zero", 2): {"pp": 1}}``.
    """

    name: str
    about: str
    write: Writer
    space: Mapping[str, tuple[Any, ...]] | None = None
    narrow_space: Callable[[Job], Mapping[str, tuple[Any, ...]]] | None = None
    implied: Mapping[tuple[str, Any], Mapping[str, Any]] = field(default_factory=dict)
    tasks: tuple[str, ...] = ("pretrain", "sft")
    other_tasks: Mapping[str, str] = field(default_factory=dict)

    def check_task(self, plan: Plan, limits: Limits) -> None:
        """Refuse a task that the files written here do not train, and say what they leave to the user of one that they do."""
        task = plan.job.task
        if self.space is None:
            return
        if task.name not in self.tasks:
            usual = f"the files written here train {' or '.join(self.tasks)}"
            limits.refuse(f"task {task.describe()}: {self.other_tasks.get(task.name, usual)}")
        elif plan.job.sample_lengths:
            limits.note(
                "samples are packed in the plan: give packed data, with attention masked at the ends of samples"
            )


@dataclass(frozen=True, slots=True)
class FileBundle:
    """The files of one target; ``notes`` says what the target does otherwise than the plan assumes."""

    target: str
    artefacts: tuple[Artefact, ...]
    notes: tuple[str, ...] = ()
