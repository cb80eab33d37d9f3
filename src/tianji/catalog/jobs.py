"""Jobs from what a user says, with what is not said taken from the model's published run, and told."""

from __future__ import annotations

import math
import os

from tianji.catalog.models import load_model, training_defaults
from tianji.errors import FormatError
from tianji.units import parse, parse_count
from tianji.workload import Formats, Job, Model, Precision, find_precision

USUAL_SEQ_LEN = 4096
USUAL_TOKENS = 2**22
"""Tokens of a step where no run of the model is known: about 4 million, as the Llama and GPT-3 runs took."""
MAX_CHIPS_PER_SEQUENCE = 16
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
) -> Job:
    """Return the job of training a model; ``job.assumed`` says which sizes were not given.

    Sizes that are left out are those of the model's published run. Where none is known a sequence has 4,096 tokens and a step
    about 4 million, with at least one sequence for 16 of the ``chips`` and, as far as that goes, a batch that they divide.

    >>> make_job("llama-3.1-8b", seq_len=8192, global_batch_size=1024, tokens="15T").tokens_per_step
    8388608

    Raises FormatError for a size that is absurd, and what :func:`load_model` and :func:`find_precision` raise.
    """
    known = None if isinstance(model, Model) else training_defaults(model)
    architecture = model if isinstance(model, Model) else load_model(model)
    assumed: list[str] = []
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
        assumed.append(f"sequences of {length:,} tokens: no published run of this model is in the catalog")

    if global_batch_size is not None:
        batch = _size(global_batch_size, "global_batch_size")
    elif usual_batch:
        batch = max(round(usual_batch * (usual_length or length) / length), 1)
        same = "the tokens of a step" if batch != usual_batch else "a global batch"
        assumed.append(f"{same} as in {source}: {batch:,} sequences")
    else:
        batch = _usual_batch(length, chips)
        assumed.append(f"a global batch of {batch:,} sequences, about 4 million tokens a step as is usual")

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
        assumed=tuple(assumed),
    )


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


def _usual_batch(seq_len: int, chips: int) -> int:
    """Return about 4 million tokens in sequences; a multiple of the odd part of ``chips``, so that all can work.

    >>> _usual_batch(4096, 8192), _usual_batch(4096, 384), _usual_batch(4096, 65536)
    (1024, 768, 4096)
    """
    wanted = max(USUAL_TOKENS / seq_len, chips / MAX_CHIPS_PER_SEQUENCE, 1.0)
    odd = chips // (chips & -chips) if chips else 1
    if odd > wanted:
        odd = 1
    return int(odd * 2 ** max(round(math.log2(wanted / odd)), 0))
