"""Megatron-LM and MindSpeed-LLM: one launch script with every option.

Option names: NVIDIA/Megatron-LM d98e8a64 (August 2026), Ascend/MindSpeed 028de58c (July 2026) and MindSpeed-LLM c77308a1
(August 2026).
"""

from __future__ import annotations

from tianji.export.arguments import Argument, Artefact, Limits, Section, Tree
from tianji.export.environments import collective_environment
from tianji.export.hosts import count_hosts, rank_table
from tianji.export.launchers import host_needs, torchrun_section
from tianji.export.megatron_model import model_arguments
from tianji.export.megatron_precision import precision_arguments
from tianji.export.megatron_strategy import degree_arguments, memory_arguments, overlap_arguments
from tianji.export.shells import needed, spread, write_script
from tianji.export.summary import describe_plan
from tianji.parallel.plan import Plan


def write_megatron(plan: Plan, limits: Limits) -> list[Artefact]:
    """Return the launch script for Megatron-LM on NVIDIA chips, and the table of ranks."""
    if plan.pool.chip.ecosystem == "cann":
        limits.refuse("Megatron-LM drives no Ascend chips by itself (take --to mindspeed)")
    return _write(plan, limits, "pretrain_megatron.sh", "Megatron-LM", is_mindspeed=False)


def write_mindspeed(plan: Plan, limits: Limits) -> list[Artefact]:
    """Return the launch script for MindSpeed-LLM on Ascend chips, and the table of ranks."""
    if plan.pool.chip.ecosystem != "cann":
        limits.refuse("MindSpeed-LLM drives Ascend chips only (take --to megatron)")
    return _write(plan, limits, "pretrain_mindspeed.sh", "MindSpeed-LLM", is_mindspeed=True)


def _write(plan: Plan, limits: Limits, name: str, engine: str, is_mindspeed: bool) -> list[Artefact]:
    hosts = count_hosts(plan, limits)
    sections = [
        torchrun_section(hosts),
        Section("MODEL_ARGS", "model", (*_implementation(is_mindspeed), *model_arguments(plan.job, limits))),
        Section("PARALLEL_ARGS", "strategy", degree_arguments(plan, limits, is_mindspeed)),
        Section("MEMORY_ARGS", "sharding and recomputation", memory_arguments(plan, limits, is_mindspeed)),
        Section("OVERLAP_ARGS", "communication beside computation", overlap_arguments(plan, limits, is_mindspeed)),
        Section("PRECISION_ARGS", "number formats", precision_arguments(plan, limits, is_mindspeed)),
        Section("TRAINING_ARGS", "batch and optimizer", _training(plan)),
        Section("DATA_ARGS", "data, checkpoints and log", _data(plan, is_mindspeed)),
    ]
    limits.check()
    call = ["torchrun", spread(sections[0]), "pretrain_gpt.py", *(spread(s) for s in sections[1:])]
    title = f"Launch script for {engine}, written by Tianji. Start it on every node, from {engine}'s folder."
    environment = collective_environment(plan)
    needs = (*host_needs(hosts), *_needs(plan))
    script = write_script(name, title, describe_plan(plan, limits), needs, environment, sections, call)
    return [script, Artefact("ranks.tsv", rank_table(plan, limits))]


def _implementation(is_mindspeed: bool) -> Tree:
    if is_mindspeed:
        return (Argument("--use-mcore-models"), Argument("--transformer-impl", "local"))
    return (Argument("--transformer-impl", "transformer_engine"),)


def _needs(plan: Plan) -> Tree:
    steps = () if plan.job.tokens else (needed("TRAIN_ITERS", "optimizer steps; the plan states no tokens"),)
    return (
        needed("DATA_PATH", "prefix of the tokenised data, without .bin"),
        needed("TOKENIZER_MODEL", "folder or name of the Hugging Face tokenizer"),
        needed("CHECKPOINT_PATH", "folder for checkpoints"),
        *steps,
    )


def _training(plan: Plan) -> Tree:
    job = plan.job
    if job.tokens:
        steps = max(round(job.tokens / job.tokens_per_step), 1)
        length = Argument("--train-iters", steps, f"{job.tokens:.4g} tokens")
    else:
        length = Argument("--train-iters", "${TRAIN_ITERS}")
    return (
        Argument("--micro-batch-size", plan.strategy.micro_batch_size),
        Argument(
            "--global-batch-size", job.global_batch_size, f"{plan.num_microbatches} micro-batches on each replica"
        ),
        length,
        Argument("--optimizer", "adam"),
        Argument("--lr", 3e-4, "yours to choose: learning rate and its schedule say nothing about speed"),
        Argument("--min-lr", 3e-5),
        Argument("--lr-decay-style", "cosine"),
        Argument("--lr-warmup-fraction", 0.01),
        Argument("--weight-decay", 0.1),
        Argument("--adam-beta1", 0.9),
        Argument("--adam-beta2", 0.95),
        Argument("--clip-grad", 1.0),
    )


def _data(plan: Plan, is_mindspeed: bool) -> Tree:
    tokenizer = (
        (Argument("--tokenizer-type", "PretrainedFromHF"), Argument("--tokenizer-name-or-path", "${TOKENIZER_MODEL}"))
        if is_mindspeed
        else (Argument("--tokenizer-type", "HuggingFaceTokenizer"), Argument("--tokenizer-model", "${TOKENIZER_MODEL}"))
    )
    is_fsdp = plan.strategy.zero > 1
    return (
        Argument("--data-path", "${DATA_PATH}"),
        Argument("--split", "99,1,0"),
        *tokenizer,
        Argument("--save", "${CHECKPOINT_PATH}"),
        Argument("--load", "${CHECKPOINT_PATH}"),
        Argument("--save-interval", 1000, "`tianji` recommends an interval from the pool's failure rate"),
        Argument("--ckpt-format", "fsdp_dtensor" if is_fsdp else "torch" if is_mindspeed else "torch_dist"),
        Argument("--eval-iters", 0),
        Argument("--log-interval", 1),
        Argument("--distributed-timeout-minutes", 60),
        Argument("--distributed-backend", "nccl", *(["MindSpeed maps it to HCCL"] if is_mindspeed else [])),
    )
