"""Megatron-SWIFT, ms-swift over Megatron-Core: one launch script of ``megatron pt``, ``sft`` or ``rlhf``.

Its options are Megatron-LM's with underscores, each with a value, and the model is named: mcore-bridge reads its config.json.
Names and limits: modelscope/ms-swift 3602360a (August 2026), ``swift/megatron/arguments`` and ``swift/cli/main.py``.
"""

from __future__ import annotations

from dataclasses import replace

from tianji.exporters.contract import Limits, Refusal, Target
from tianji.exporters.formats.arguments import Argument, Artefact, OptionGroup, Tree
from tianji.exporters.formats.shell_scripts import needed, spread, write_script
from tianji.exporters.frameworks.megatron import MEGATRON, NO_ASCEND
from tianji.exporters.frameworks.trainer_files import launch_environment, model_argument
from tianji.exporters.megatron_family.adapters import SCALE, name_matrices
from tianji.exporters.megatron_family.degrees import degree_arguments
from tianji.exporters.megatron_family.memory import memory_arguments
from tianji.exporters.megatron_family.overlap import overlap_arguments
from tianji.exporters.megatron_family.parser_rules import ask_parser
from tianji.exporters.megatron_family.precision import precision_arguments
from tianji.exporters.megatron_family.refusals import FAMILY_REFUSALS, PIPELINES
from tianji.exporters.plan_facts.abilities import Abilities, always
from tianji.exporters.plan_facts.environments import collective_environment
from tianji.exporters.plan_facts.header import header_lines
from tianji.exporters.plan_facts.hosts import count_hosts, rank_table
from tianji.exporters.plan_facts.torchrun_options import host_needs
from tianji.parallel.plan import Plan
from tianji.workload.task import TARGETS

VERBS: dict[str, tuple[str, Tree]] = {
    "pretrain": ("pt", ()),
    "sft": ("sft", ()),
    "lora": ("sft", ()),
    "reward": ("rlhf", (Argument("--rlhf_type", "rm", "a head of one output"),)),
    "embedding": (
        "sft",
        (Argument("--task_type", "embedding", "no head"), Argument("--loss_type", "infonce", "yours to choose")),
    ),
    "distill": (
        "rlhf",
        (
            Argument("--rlhf_type", "gkd"),
            Argument("--lmbda", 0, "on given texts: the student generates none"),
            Argument("--use_vllm", "false"),
        ),
    ),
}
"""Of each task the verb of ``megatron``, and the options that make it that task."""
WORDS = {
    "--no-overlap-p2p-communication": Argument("--overlap_p2p_comm", "false"),
    "--moe-flex-dispatcher-backend": Argument("--moe_enable_deepep", "true"),
}
"""What it says in other words."""
DIALECT = replace(
    MEGATRON,
    name="Megatron-SWIFT",
    script="run_megatron_swift.sh",
    losses={
        "plain": (Argument("--cross-entropy-loss-fusion", "false"),),
        "fused": (Argument("--cross-entropy-loss-fusion", "true"), Argument("--cross-entropy-fusion-impl", "native")),
        "in-place": (Argument("--cross-entropy-loss-fusion", "true"), Argument("--cross-entropy-fusion-impl", "te")),
    },
    abilities=Abilities(
        optimizer=always, fraction=always, modules=MEGATRON.abilities.modules, losses=MEGATRON.abilities.losses
    ),
)
REFUSALS = (
    NO_ASCEND,
    Refusal(
        lambda s, plan: s.zero > 1, "zero={s.zero}: the files written here shard the optimizer alone (take zero=1)"
    ),
    Refusal(lambda s, plan: 0 < s.zero_group < s.cp * s.dp, "zero_group={s.zero_group}: it has no groups"),
    Refusal(lambda s, plan: s.placement == "pp-inside", "placement=pp-inside: it has no option for the order of ranks"),
    Refusal(
        lambda s, plan: plan.job.precision.linear == "fp32",
        "precision fp32: the files written here set 16 bits or fewer",
    ),
    Refusal(lambda s, plan: s.overlap_ep and s.ep > 1, "overlap_ep: it has no option for it"),
    Refusal(
        lambda s, plan: plan.job.precision.gradient_size != 4.0 and plan.job.precision.linear != "fp16",
        "gradients of {p.gradient_size:g} bytes: it sums them in fp32 (take --gradient-dtype fp32)",
    ),
    Refusal(
        lambda s, plan: bool(plan.job.sample_lengths) and not s.flash_attention,
        "packed samples without fused attention: it packs for FlashAttention alone",
    ),
    Refusal(
        lambda s, plan: plan.job.task.name == "embedding" and bool(plan.job.sample_lengths),
        "packed samples of an embedding model: the files written here do not pack them",
    ),
)


def write(plan: Plan, limits: Limits) -> list[Artefact]:
    """Return the launch script and the table of ranks."""
    limits.apply((*REFUSALS, *FAMILY_REFUSALS, *MEGATRON.refusals), plan)
    DIALECT.abilities.apply(plan, limits)
    hosts = count_hosts(plan, limits)
    verb, own = VERBS.get(plan.job.task.name, VERBS["sft"])
    strategy = (*_degrees(plan), *_dispatch(plan))
    memory, overlap = _memory(plan, limits), overlap_arguments(plan, limits, DIALECT)
    formats = precision_arguments(plan, limits, DIALECT)
    ask_parser((*strategy, *memory, *overlap, *formats, *_known_sizes(plan)), limits, DIALECT)
    if plan.job.task.name in ("reward", "embedding"):
        limits.note("A pair of texts is two sequences of the plan's micro-batch: halve --micro_batch_size for pairs.")
    limits.note("The model is read from its config.json by mcore-bridge, which must know its type.")
    groups = [
        OptionGroup("TASK_ARGS", "task and model", (*own, *_model(plan, limits))),
        OptionGroup("PARALLEL_ARGS", "strategy", _rename(strategy)),
        OptionGroup("MEMORY_ARGS", "sharding and recomputation", (*_shard(plan), *_rename(memory))),
        OptionGroup("OVERLAP_ARGS", "communication beside computation", _rename(overlap)),
        OptionGroup("PRECISION_ARGS", "number formats", (*_rename(formats), *_gradients(plan))),
        OptionGroup("TRAINING_ARGS", "batch, data and checkpoints", _training(plan, limits)),
    ]
    groups = [group for group in groups if group.arguments]
    limits.check()
    says = "Launch script for Megatron-SWIFT, written by Tianji. Start it on every node."
    environment = (*collective_environment(plan), *launch_environment(hosts))
    needs = (
        *host_needs(hosts),
        needed("DATASET", "a dataset, by name or path"),
        *([] if plan.job.tokens else [needed("TRAIN_ITERS", "optimizer steps; the plan states no tokens")]),
    )
    call = ["megatron", verb, *map(spread, groups)]
    script = write_script(DIALECT.script, says, header_lines(plan, limits), needs, environment, groups, call)
    return [script, Artefact("ranks.tsv", rank_table(plan, limits))]


def _rename(options: Tree) -> Tree:
    """Return Megatron-LM's options as Megatron-SWIFT spells them: underscores, and a value for a switch."""
    return tuple(
        WORDS.get(o.name)
        or Argument(f"--{o.name[2:].replace('-', '_')}", "true" if o.value is None else o.value, o.comment)
        for o in options
        if o.name not in ("--use-distributed-optimizer", "--accumulate-allreduce-grads-in-fp32")
    )


def _degrees(plan: Plan) -> Tree:
    virtual = Argument("--virtual-pipeline-model-parallel-size", plan.strategy.vpp, "chunks on each pipeline rank")
    return tuple(
        virtual if option.name == "--num-layers-per-virtual-pipeline-stage" else option
        for option in degree_arguments(plan, DIALECT)
    )


def _memory(plan: Plan, limits: Limits) -> Tree:
    """Return Megatron's options of memory; what recomputes nothing says so, for it would recompute attention by itself."""
    options = memory_arguments(plan, limits, DIALECT)
    is_said = any(option.name == "--recompute-granularity" for option in options)
    return options if is_said else (*options, Argument("--recompute-granularity", "none"))


def _dispatch(plan: Plan) -> Tree:
    if plan.job.model.moe is None:
        return ()
    kind = plan.strategy.ep_kind if plan.strategy.ep > 1 else "all_to_all"
    return (Argument("--moe-grouped-gemm"), *DIALECT.dispatch[kind])


def _known_sizes(plan: Plan) -> Tree:
    """Return what the parser of Megatron asks of the model, which Megatron-SWIFT reads from its config.json."""
    moe = plan.job.model.moe
    experts = (Argument("--num-experts", moe.num_experts),) if moe else ()
    return (Argument("--num-layers", plan.job.model.num_layers), *experts)


def _model(plan: Plan, limits: Limits) -> Tree:
    model, task = plan.job.model, plan.job.task
    modules = (
        (Argument("--mtp_num_layers", model.num_mtp_layers, "prediction modules"),) if model.num_mtp_layers else ()
    )
    teacher = (
        (Argument("--teacher_model", f"./models/{task.teacher.name}", "FILL IN: folder or name of the teacher"),)
        if task.teacher
        else ()
    )
    return (model_argument("--model", plan), *teacher, *modules, *_tuner(plan, limits))


def _tuner(plan: Plan, limits: Limits) -> Tree:
    task = plan.job.task
    if not task.adapter_rank:
        return (Argument("--tuner_type", "full"),)
    names = ["all-linear"] if set(task.adapter_targets) == set(TARGETS) else name_matrices(plan, limits)
    return (
        Argument("--tuner_type", "lora"),
        Argument("--lora_rank", task.adapter_rank),
        Argument("--lora_alpha", SCALE * task.adapter_rank, "yours to choose: it scales the adapters"),
        Argument("--target_modules", [*names], "matrices with an adapter"),
        Argument("--merge_lora", "false"),
    )


def _shard(plan: Plan) -> Tree:
    return (Argument("--use_distributed_optimizer", "true" if plan.strategy.zero else "false", "ZeRO-1"),)


def _gradients(plan: Plan) -> Tree:
    if plan.job.precision.linear != "fp16" or plan.job.precision.gradient_size != 4.0:
        return ()
    return (Argument("--accumulate_allreduce_grads_in_fp32", "true", "as the plan counts gradients"),)


def _training(plan: Plan, limits: Limits) -> Tree:
    job, s = plan.job, plan.strategy
    steps = max(round(job.tokens / job.tokens_per_step), 1) if job.tokens else "${TRAIN_ITERS}"
    packing = Argument("--packing", "true", "samples fill sequences and do not see each other, as priced")
    if not job.sample_lengths:
        packing = Argument("--packing", "false", "the plan counts samples of the whole length; shorter ones are faster")
    every, why = limits.save_steps
    return (
        Argument("--micro_batch_size", s.micro_batch_size),
        Argument("--global_batch_size", job.global_batch_size, f"{plan.num_microbatches} micro-batches a replica"),
        Argument("--max_length", job.seq_len, "tokens of a sequence"),
        packing,
        Argument("--train_iters", steps, f"{job.tokens:.4g} tokens" if job.tokens else ""),
        Argument("--lr", 1e-4 if job.task.adapter_rank else 1e-5, "yours to choose: it says nothing about speed"),
        Argument("--dataset", "${DATASET}"),
        Argument("--finetune", "false" if job.task.name == "pretrain" else "true"),
        Argument("--output_dir", "./output"),
        Argument("--save_steps", every, why),
        Argument("--logging_steps", 1),
    )


TARGET = Target(
    "megatron-swift",
    "launch script for Megatron-SWIFT (ms-swift)",
    write,
    space={
        "schedule": PIPELINES, "zero": (0, 1), "recompute": ("none", "selective", "full"), "overlap_ep": (False,),
        "placement": ("dp-inside",),
    },
    implied={("recompute", "selective"): {"recompute_modules": "layernorm+moe_act"}},
    tasks=tuple(VERBS),
    other_tasks={"qlora": "its Megatron part has no 4-bit base (take --to swift or --to llama-factory)"},
)  # fmt: skip
