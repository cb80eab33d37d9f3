"""The launch script of a framework of Megatron's family: every option, in the framework's dialect."""

from __future__ import annotations

from tianji.exporters.contract import Limits
from tianji.exporters.formats.arguments import Argument, Artefact, OptionGroup, Tree
from tianji.exporters.formats.shell_scripts import needed, spread, write_script
from tianji.exporters.megatron_family.degrees import degree_arguments
from tianji.exporters.megatron_family.dialect import Dialect
from tianji.exporters.megatron_family.memory import memory_arguments
from tianji.exporters.megatron_family.model import model_arguments
from tianji.exporters.megatron_family.overlap import overlap_arguments
from tianji.exporters.megatron_family.parser_rules import ask_parser
from tianji.exporters.megatron_family.precision import NARROW, precision_arguments
from tianji.exporters.megatron_family.refusals import FAMILY_REFUSALS
from tianji.exporters.plan_facts.environments import collective_environment
from tianji.exporters.plan_facts.header import header_lines
from tianji.exporters.plan_facts.hosts import count_hosts, rank_table
from tianji.exporters.plan_facts.torchrun_options import host_needs, torchrun_group
from tianji.parallel.plan import Plan


def write_launch(plan: Plan, limits: Limits, dialect: Dialect) -> list[Artefact]:
    """Return the launch script and the table of ranks."""
    limits.apply((*FAMILY_REFUSALS, *dialect.refusals), plan)
    dialect.abilities.apply(plan, limits)
    hosts = count_hosts(plan, limits)
    groups = [torchrun_group(hosts), *plan_groups(plan, limits, dialect)]
    groups += [
        OptionGroup("TRAINING_ARGS", "batch and optimizer", _training(plan)),
        OptionGroup("DATA_ARGS", "data, checkpoints and log", _data(plan, limits, dialect)),
    ]
    if tuning := dialect.tuning(plan, limits):
        groups.append(OptionGroup("TUNE_ARGS", "adapters on frozen weights", tuning))
    is_hybrid = any(argument.name == "--hybrid-layer-pattern" for argument in groups[1].arguments)
    program = dialect.tuning_program if tuning else "pretrain_hybrid.py" if is_hybrid else "pretrain_gpt.py"
    ask_parser(tuple(a for group in groups[1:] for a in group.arguments), limits, dialect)
    limits.check()
    call = ["torchrun", spread(groups[0]), program, *(spread(g) for g in groups[1:])]
    framework = dialect.name
    title = f"Launch script for {framework}, written by Tianji. Start it on every node, from {framework}'s folder."
    environment = collective_environment(plan)
    needs = (*host_needs(hosts), *_needs(plan))
    script = write_script(dialect.script, title, header_lines(plan, limits), needs, environment, groups, call)
    return [script, Artefact("ranks.tsv", rank_table(plan, limits))]


def plan_groups(plan: Plan, limits: Limits, dialect: Dialect) -> list[OptionGroup]:
    """Return the options that say a plan: model, strategy and number formats."""
    is_narrow = plan.job.precision.linear in NARROW
    implementation = dialect.narrow_implementation if is_narrow else dialect.implementation
    return [
        OptionGroup("MODEL_ARGS", "model", (*implementation, *model_arguments(plan, limits, dialect))),
        OptionGroup("PARALLEL_ARGS", "strategy", degree_arguments(plan, dialect)),
        OptionGroup("MEMORY_ARGS", "sharding and recomputation", memory_arguments(plan, limits, dialect)),
        OptionGroup("OVERLAP_ARGS", "communication beside computation", overlap_arguments(plan, limits, dialect)),
        OptionGroup("PRECISION_ARGS", "number formats", precision_arguments(plan, limits, dialect)),
    ]


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


def _data(plan: Plan, limits: Limits, dialect: Dialect) -> Tree:
    checkpoints = "fsdp_dtensor" if plan.strategy.zero > 1 else dialect.checkpoint_format
    return (
        Argument("--data-path", "${DATA_PATH}"),
        Argument("--split", "99,1,0"),
        *dialect.tokenizer,
        Argument("--save", "${CHECKPOINT_PATH}"),
        Argument("--load", "${CHECKPOINT_PATH}"),
        Argument("--save-interval", *limits.save_steps),
        Argument("--ckpt-format", checkpoints),
        Argument("--eval-iters", 0),
        Argument("--log-interval", 1),
        Argument("--distributed-timeout-minutes", 60),
        Argument("--distributed-backend", "nccl", dialect.backend_comment),
    )
