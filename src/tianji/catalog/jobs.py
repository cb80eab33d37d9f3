"""Jobs from what a user says, with what is not said taken from the model's published run, and told."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

from tianji.catalog.models import load_model, training_defaults
from tianji.errors import FormatError
from tianji.hardware import Chip
from tianji.units import parse, parse_count
from tianji.workload import Formats, Job, Model, Precision, find_precision, make_task
from tianji.workload.heads import TaskHead
from tianji.workload.samples import read_lengths
from tianji.workload.task import HEADS, TrainingTask

USUAL_SEQ_LEN = 4096
USUAL_PRECISION = "bf16"
USUAL_TOKENS = 2**22
"""Tokens of a step where no run of the model is known: about 4 million, as the Llama and GPT-3 runs took."""
MAX_CHIPS_PER_SEQUENCE = 16
USUAL_FINE_TUNING = 128
"""Sequences of a step of fine-tuning, where nobody says how many."""
LONGEST = 10**8
"""Tokens of a sequence, or sequences of a step, beyond which a figure must be a slip."""
MOST_TOKENS = parse("1000000T", "count")


def make_job(
    model: Model | str | os.PathLike[str],
    seq_len: int | str | None = None,
    global_batch_size: int | str | None = None,
    tokens: float | str | None = None,
    precision: Precision | str = "bf16",
    *,
    optimizer_dtype: str | None = None,
    optimizer: str | None = None,
    main_weights: str | None = None,
    gradient_dtype: str | None = None,
    loss_kernel: str | None = None,
    moe_imbalance: float = 1.0,
    chips: int = 0,
    task: TrainingTask | str | None = None,
    lora_rank: int | str | None = None,
    lora_targets: str | None = None,
    teacher: Model | str | os.PathLike[str] | None = None,
    lengths: str | int | None = None,
) -> Job:
    """Return the job of training a model; ``job.assumed`` says which sizes were not given.

    Sizes that are left out are those of the model's published run. Where none is known a sequence has 4,096 tokens and a step
    about 4 million, with at least one sequence for 16 of the ``chips`` and, as far as that goes, a batch that they divide.

    >>> make_job("llama-3.1-8b", seq_len=8192, global_batch_size=1024, tokens="15T").tokens_per_step
    8388608

    ``task`` says what is trained (:mod:`tianji.workload.task`), ``lengths`` of which samples the sequences are packed: another
    task than pre-training leaves the published run out of its defaults.

    Raises FormatError for a size that is absurd, and what :func:`load_model` and :func:`find_precision` raise.
    """
    architecture = model if isinstance(model, Model) else load_model(model)
    assumed: list[str] = []
    work = task if isinstance(task, TrainingTask) else _read_task(task, lora_rank, lora_targets, teacher)
    is_tuned = work.name != "pretrain"
    known = None if isinstance(model, Model) or is_tuned else training_defaults(model)
    samples = () if lengths is None else read_lengths(lengths)
    if samples and any(block.tokens for block in architecture.blocks):
        raise FormatError(
            f"--lengths: {architecture.name} has a tower with tokens of its own; packed samples of it are not priced"
        )
    if work.name in HEADS and architecture.outputs is None:
        head = TaskHead(f"task {work.name}", HEADS[work.name])
        architecture = head.on(architecture)
        assumed.append(head.remark)
    usual_length, usual_batch = (known["seq_len"], known["global_batch_size"]) if known else (None, None)
    source = f"the published run ({known['source']})" if known else ""

    if seq_len is not None:
        length = _size(seq_len, "seq_len")
    elif usual_length:
        length = usual_length
        assumed.append(f"sequences of {length:,} tokens, as in {source}")
    else:
        length = min(
            USUAL_SEQ_LEN, architecture.learned_positions or architecture.max_position_embeddings or USUAL_SEQ_LEN
        )
        length = max(length, *(one for one, _ in samples), 1)
        why = f"as is usual for {work.name}" if is_tuned else "no published run of this model is in the catalog"
        assumed.append(f"sequences of {length:,} tokens: {why}")

    if global_batch_size is not None:
        batch = _size(global_batch_size, "global_batch_size")
    elif usual_batch:
        batch = max(round(usual_batch * (usual_length or length) / length), 1)
        same = "the tokens of a step" if batch != usual_batch else "a global batch"
        assumed.append(f"{same} as in {source}: {batch:,} sequences")
    else:
        batch = _usual_batch(length, chips, USUAL_FINE_TUNING * length if is_tuned else USUAL_TOKENS)
        usual = f"as is usual for {work.name}" if is_tuned else "about 4 million tokens a step as is usual"
        assumed.append(f"a global batch of {batch:,} sequences, {usual}")

    if 0 < architecture.learned_positions < length:
        raise FormatError(
            f"seq_len: {architecture.name} has a table of {architecture.learned_positions:,} positions, and a sequence of "
            f"{length:,} tokens needs one each; expected at most {architecture.learned_positions:,}"
        )
    if 0 < (longest := architecture.max_position_embeddings) < length:
        assumed.append(f"positions beyond the {longest:,} that the model was made for")
    if architecture.remark:
        assumed.append(f"of the model's file: {architecture.remark}")
    formats = Formats(optimizer, optimizer_dtype, main_weights, gradient_dtype, loss_kernel)
    assumed += formats.remarks
    recipe = formats.apply(precision if isinstance(precision, Precision) else find_precision(precision))
    return Job(
        architecture,
        length,
        batch,
        recipe,
        _tokens(tokens),
        _imbalance(architecture, moe_imbalance),
        assumed=(*assumed, *_remarks(work, samples)),
        task=work,
        sample_lengths=samples,
    )


def usual_precision(
    model: Model | str | os.PathLike[str], chips: Sequence[Chip], task: str | None = None
) -> tuple[str, str]:
    """Return the recipe of a run on some chips where nobody says one, and what is assumed in words (empty: nothing known).

    It is that of the model's published run where each of the chips computes in it, else bf16. Another task than pre-training
    is not that run.

    >>> from tianji.catalog import load_chip
    >>> usual_precision("deepseek-v3", [load_chip("h800")])
    ('fp8', 'fp8, as in the published run (DSV3)')
    >>> usual_precision("deepseek-v3", [load_chip("a100-80")])[1]
    'bf16, as no peak in the fp8 of the published run (DSV3) is known of a100-80'
    """
    known = None if isinstance(model, Model) or task not in (None, "pretrain") else training_defaults(model)
    if known is None or not known["precision"]:
        return USUAL_PRECISION, ""
    recipe, run = find_precision(known["precision"]), f"the published run ({known['source']})"
    lacking = sorted({chip.name for chip in chips if not chip.computes_in(recipe.linear)})
    if lacking:
        return USUAL_PRECISION, (
            f"{USUAL_PRECISION}, as no peak in the {recipe.name} of {run} is known of {', '.join(lacking)}"
        )
    return recipe.name, f"{recipe.name}, as in {run}"


def _read_task(
    name: str | None, rank: int | str | None, targets: str | None, teacher: Model | str | os.PathLike[str] | None
) -> TrainingTask:
    trained = teacher if teacher is None or isinstance(teacher, Model) else load_model(teacher)
    return make_task(name, None if rank is None else parse_count(rank, "--lora-rank"), targets, trained)


def _remarks(task: TrainingTask, samples: tuple[tuple[int, float], ...]) -> list[str]:
    """Return what is assumed of a task and of packed samples, in words."""
    remarks: list[str] = []
    if samples:
        remarks.append("samples packed into full sequences, attention within each sample alone")
    if task.adapter_rank:
        remarks.append(f"adapters of rank {task.adapter_rank} on {', '.join(task.adapter_targets)}; the base is frozen")
    if task.name in ("reward", "embedding"):
        remarks.append("a sequence of the batch is one text: a pair counts as two")
    if task.teacher:
        remarks.append("the teacher runs forward on the same chips, cut as the student is, ahead of the student's pass")
    return remarks


def _size(value: int | str, where: str) -> int:
    size = parse_count(value, where)
    if size > LONGEST:
        raise FormatError(f"{where}: {value} is absurd; expected at most {LONGEST:,}")
    return size


def _tokens(value: float | str | None) -> float:
    if value is None:
        return 0.0
    count = parse(value, "count", "tokens")
    if not 1 <= count <= MOST_TOKENS:
        raise FormatError(f'tokens: expected a count like "15T", from 1 to 1,000,000T, got {value!r}')
    return count


def _imbalance(model: Model, value: float) -> float:
    most = model.moe.num_experts if model.moe else math.inf
    if not 1 <= value <= most:
        upper = f" to {most} (all tokens to one of the {most} experts)" if model.moe else ""
        raise FormatError(f"moe_imbalance: expected a ratio from 1 (perfect balance){upper}, got {value}")
    return value


def _usual_batch(seq_len: int, chips: int, tokens: int = USUAL_TOKENS) -> int:
    """Return about 4 million ``tokens`` in sequences; a multiple of the odd part of ``chips``, so that all can work.

    >>> _usual_batch(4096, 8192), _usual_batch(4096, 384), _usual_batch(4096, 65536)
    (1024, 768, 4096)
    """
    wanted = max(tokens / seq_len, chips / MAX_CHIPS_PER_SEQUENCE, 1.0)
    odd = chips // (chips & -chips) if chips else 1
    if odd > wanted:
        odd = 1
    return int(odd * 2 ** max(round(math.log2(wanted / odd)), 0))
