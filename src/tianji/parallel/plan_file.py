"""Plans as files: one JSON document with everything that a prediction needs, and nothing else.

The file holds the model, the job, the pool with its tiers and its chip's figures, and the strategy, all in SI units; it does
not refer to a catalog, so that a plan means the same wherever it is read.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tianji.errors import FormatError, InputError
from tianji.hardware import DTYPES, TOPOLOGIES, Pool
from tianji.hardware.software import SWITCHES
from tianji.input_files import read_object
from tianji.parallel.plan import Plan
from tianji.parallel.records import decode, encode, shown
from tianji.workload import Job

FORMAT, VERSION = "tianji-plan", 1
EXPECTED = "a plan, as `tianji plan ... --out plan.json` writes it"

COUNT = (1, 10**9)
WIDTH = (1, 10**7)
BOUNDS: dict[str, tuple[float, float]] = {
    "Job.seq_len": (1, 10**8),
    "Job.global_batch_size": (1, 10**8),
    "Job.moe_imbalance": (1, 10**4),
    "Job.sample_lengths": (0, 10**8),
    "TrainingTask.adapter_rank": (0, 2**14),
    "TrainingTask.frozen_size": (0, 8),
    "Mathematics": (0, 10**14),
    "Model": (0, 10**7),
    "Model.hidden_size": WIDTH,
    "Model.num_layers": (1, 10**4),
    "Model.num_attention_heads": WIDTH,
    "Model.num_key_value_heads": WIDTH,
    "Model.head_dim": WIDTH,
    "Model.intermediate_size": WIDTH,
    "Model.vocab_size": COUNT,
    "Model.num_mtp_layers": (0, 100),
    "Model.num_norms": (0, 100),
    "Model.max_position_embeddings": (0, 10**9),
    "Model.embedding_extra": (-(10**13), 10**13),
    "Model.head_extra": (-(10**13), 10**13),
    "MLA": WIDTH,
    "MLA.q_lora_rank": (0, 10**7),
    "MLA.qk_nope_head_dim": (0, 10**7),
    "MoE": WIDTH,
    "MoE.num_experts": (1, 10**5),
    "MoE.num_groups": (1, 10**5),
    "MoE.groups_per_token": (1, 10**5),
    "MoE.shared_intermediate_size": (0, 10**7),
    "MoE.num_leading_dense": (0, 10**4),
    "Precision": (1 / 16, 64),
    "Precision.optimizer_size": (0, 64),
    "Figure": (1e-12, 1e27),
    "Tier.span": (0, 10**9),
    "Tier.oversubscription": (1, 10**4),
    "Pool": COUNT,
    "Pool.max_chips": (0, 10**9),
    "Pool.usable_memory": (0.01, 1),
    "Strategy": (0, 10**9),
    "Software": (0, 10**4),
}
"""What a number can mean; a file beyond it is damaged."""


def write_plan(plan: Plan, path: str | os.PathLike[str]) -> None:
    """Write a plan as a file that :func:`read_plan` returns unchanged; the file is whole or not there at all.

    Raises InputError when the path cannot be written.
    """
    text = json.dumps(plan_document(plan), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_text(path, text)


def write_text(path: str | os.PathLike[str], text: str, errors: str = "strict") -> None:
    """Write a text file in one stroke: what stood there stays until the new one is complete.

    ``errors`` "surrogateescape" writes the bytes for which surrogates stand.

    Raises InputError when the path cannot be written.
    """
    target = find_target(path)
    try:
        # Beside the target, because only within one file system does a file take another's place in one stroke.
        handle, draft = tempfile.mkstemp(prefix=f".{target.name[:40]}.", dir=target.parent)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error})") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors=errors, newline="\n") as file:
            file.write(text)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(draft, 0o666 & ~mask)
        os.replace(draft, target)
    except UnicodeEncodeError as error:
        os.unlink(draft)
        near = ascii(text[max(error.start - 20, 0) : error.end])
        raise InputError(f"{path}: cannot be written: half of a character, in {near}, is no text") from None
    except OSError as error:
        os.unlink(draft)
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None


def find_target(path: str | os.PathLike[str]) -> Path:
    """Return the file that is to be written, links followed; a device or a folder is never replaced.

    Raises InputError when no file can stand there: asked before long work, it spares the work.
    """
    if not os.fspath(path):
        raise InputError("expected the name of a file to write, got an empty one")
    try:
        target = Path(os.path.realpath(path))
        if target.exists() and not target.is_file():
            raise InputError(f"{path}: cannot be written (a folder or a device); expected the name of a file")
        if not target.parent.is_dir():
            raise InputError(f"{path}: cannot be written: there is no folder {target.parent}; make it first")
        if not os.access(target.parent, os.W_OK):
            raise InputError(f"{path}: cannot be written: no permission to write in {target.parent}")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error})") from None
    return target


def read_plan(path: str | os.PathLike[str]) -> Plan:
    """Return the plan of a file.

    Raises FormatError, with the place and what was expected, for a file that is not a plan or not a whole one.
    """
    return plan_from(read_object(path, EXPECTED), str(path))


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return a plan as plain values, for JSON."""
    return {"format": FORMAT, "version": VERSION, **encode(plan)}


def plan_from(data: Mapping[str, object], where: str = "plan") -> Plan:
    """Return the plan that plain values describe, as :func:`plan_document` returns them.

    Raises FormatError for anything that is not a plan.
    """
    if data.get("format") != FORMAT:
        raise FormatError(
            f"{where}: not a plan: expected the key format with the value {FORMAT!r}, got {shown(data.get('format'))};"
            " `tianji plan MODEL POOL --out plan.json` writes one"
        )
    if data.get("version") != VERSION:
        raise FormatError(f"{where}: version {shown(data.get('version'))} of the format; this Tianji reads {VERSION}")
    body = {key: value for key, value in data.items() if key not in ("format", "version")}
    plan = decode(Plan, _modernize(body), where, BOUNDS)
    _check_job(plan.job, f"{where}.job")
    _check_pool(plan.pool, f"{where}.pool")
    for name, word in plan.software.switches.items() if plan.software else ():
        _check_word(word, SWITCHES[name], f"{where}.software.{name}")
    return plan


def _modernize(body: Mapping[str, object]) -> Mapping[str, object]:
    """Return a plan whose offloading is a fraction; it was a switch before."""
    strategy = body.get("strategy")
    if not isinstance(strategy, Mapping) or not isinstance(strategy.get("offload_optimizer"), bool):
        return body
    return {**body, "strategy": {**strategy, "offload_optimizer": float(bool(strategy["offload_optimizer"]))}}


def _check_job(job: Job, where: str) -> None:
    for name in ("linear", "high"):
        _check_word(getattr(job.precision, name), DTYPES, f"{where}.precision.{name}")
    model = job.model
    _check_most(model.num_sliding_layers, model.num_layers, "num_layers", f"{where}.model.num_sliding_layers")
    if model.moe:
        _check_most(model.moe.top_k, model.moe.num_experts, "num_experts", f"{where}.model.moe.top_k")
        chosen = model.moe.groups_per_token
        _check_most(chosen, model.moe.num_groups, "num_groups", f"{where}.model.moe.groups_per_token")
        leading = model.moe.num_leading_dense
        _check_most(leading, model.num_layers, "num_layers", f"{where}.model.moe.num_leading_dense")


def _check_pool(pool: Pool, where: str) -> None:
    for kind in ("peak", "vector_peak"):
        for dtype in getattr(pool.chip, kind):
            _check_word(dtype, DTYPES, f"{where}.chip.{kind}")
    if not pool.tiers:
        raise FormatError(f"{where}.tiers: expected at least one tier, innermost first")
    inner = 1
    for i, tier in enumerate(pool.tiers):
        _check_word(tier.topology, TOPOLOGIES, f"{where}.tiers[{i}].topology")
        is_open = tier.span == 0 and i == len(pool.tiers) - 1
        if tier.span <= inner and not is_open:
            raise FormatError(
                f"{where}.tiers[{i}].span: expected more than the {inner:,} chips inside, got {tier.span:,}"
            )
        inner = tier.span


def _check_word(word: str, known: tuple[str, ...], where: str) -> None:
    if word not in known:
        raise FormatError(f"{where}: expected one of {', '.join(known)}, got {shown(word)}")


def _check_most(value: int, most: int, name: str, where: str) -> None:
    if value > most:
        raise FormatError(f"{where}: expected at most {name} = {most:,}, got {value:,}")
