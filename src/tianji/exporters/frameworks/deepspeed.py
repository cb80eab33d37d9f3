"""DeepSpeed: its JSON file and a launcher.

Option names: DeepSpeed 0.19 (documentation of the configuration JSON). DeepSpeed cuts the data-parallel state and, as AutoTP and
Ulysses, tensors and sequences; pipelines and experts are model code, which no file can carry.
"""

from __future__ import annotations

from tianji.exporters.contract import Limits, Refusal, Target
from tianji.exporters.formats.arguments import Argument, Artefact, OptionGroup, Tree
from tianji.exporters.formats.serialize import to_json
from tianji.exporters.formats.shell_scripts import needed, spread, write_script
from tianji.exporters.plan_facts.abilities import ANY_LOSS, Abilities, always
from tianji.exporters.plan_facts.asked_rules import ask_rules
from tianji.exporters.plan_facts.environments import collective_environment
from tianji.exporters.plan_facts.header import header_lines
from tianji.exporters.plan_facts.hosts import count_hosts, rank_table
from tianji.exporters.plan_facts.mathematics import note_mathematics
from tianji.exporters.plan_facts.torchrun_options import PORT, host_needs
from tianji.formatting import format_percent
from tianji.parallel.plan import Plan
from tianji.perf.memory import FLAT_BUCKETS

PRECISIONS = ("bf16", "fp16", "fp32")
IN_HOST_MEMORY = (Argument("device", "cpu"), Argument("pin_memory", True))


def _checkpoints_all(plan: Plan) -> bool:
    s = plan.strategy
    return s.offload_activations == 1 and s.recompute == "full" and s.recompute_layers == 1


ABILITIES = Abilities(
    optimizer=always, fraction=lambda plan: plan.strategy.zero == 3, weights=lambda plan: plan.strategy.zero == 3,
    activations=_checkpoints_all,
    why_activations="its cpu_checkpointing moves the inputs of layers that are all recomputed in full",
    modules=lambda modules: True, zero_kinds=("buckets", "layers", "modules"), losses=ANY_LOSS,
)  # fmt: skip
REFUSALS = (
    Refusal(
        lambda s, plan: s.pp > 1, "pp={s.pp}: its pipeline is model code (PipelineModule), no setting (take --fix pp=1)"
    ),
    Refusal(
        lambda s, plan: s.ep > 1 or s.etp > 1,
        "ep={s.ep}, etp={s.etp}: its experts are model code (deepspeed.moe), no setting",
    ),
    Refusal(
        lambda s, plan: s.cp > 1 and s.cp_kind != "ulysses",
        "cp_kind={s.cp_kind}: its sequence parallelism is Ulysses (take --fix cp_kind=ulysses)",
    ),
    Refusal(lambda s, plan: s.cp > 1 and s.tp > 1, "tp and cp together: AutoTP and Ulysses exclude each other"),
    Refusal(lambda s, plan: s.tp > 1 and s.zero == 3, "tp with zero=3: AutoTP takes zero up to 2"),
    Refusal(
        lambda s, plan: s.tp > 1 and s.sequence_parallel,
        "sequence_parallel: AutoTP keeps whole sequences (take --fix sequence_parallel=off)",
    ),
    Refusal(
        lambda s, plan: plan.hides_tensor_links, "overlap_tp: AutoTP waits for its sums (take --fix overlap_tp=off)"
    ),
    Refusal(
        lambda s, plan: 0 < s.zero_group < s.cp * s.dp and s.zero != 3,
        "zero_group={s.zero_group} with zero={s.zero}: only ZeRO-3 has sharding groups",
    ),
    Refusal(
        lambda s, plan: s.offload_optimizer > 0 and s.zero == 0,
        "offload_optimizer with zero=0: it offloads sharded state only",
    ),
    Refusal(
        lambda s, plan: plan.job.precision.name not in PRECISIONS,
        "precision {p.name}: its file has bf16, fp16 and fp32; narrower layers are model code",
    ),
    Refusal(
        lambda s, plan: plan.job.precision.optimizer_size != (8.0 if plan.job.precision.linear == "fp32" else 12.0),
        "{p.optimizer_size:g} bytes of optimizer state for a parameter: it keeps fp32",
    ),
)


def write(plan: Plan, limits: Limits) -> list[Artefact]:
    """Return the JSON file, its launcher and the table of ranks."""
    limits.apply(REFUSALS, plan)
    ABILITIES.apply(plan, limits)
    hosts = count_hosts(plan, limits)
    _note_model_code(plan, limits)
    note_mathematics(plan, limits, "the model's own code")
    config = _config(plan)
    ask_rules("deepspeed", config, plan, limits)
    limits.check()
    section = OptionGroup(
        "DEEPSPEED_ARGS",
        "one process on each chip",
        (
            Argument("--num_gpus", hosts.per_node, "chips of a node"),
            Argument("--num_nodes", hosts.nodes),
            Argument("--no_ssh", None, "started on every node by itself"),
            Argument("--node_rank", "${NODE_RANK}"),
            Argument("--master_addr", "${MASTER_ADDR}"),
            Argument("--master_port", PORT),
        ),
    )
    needs = (*host_needs(hosts), needed("TRAIN_SCRIPT", "the training script that calls deepspeed.initialize"))
    title = "Launcher for DeepSpeed, written by Tianji. Start it on every node, in this folder."
    call = ["deepspeed", spread(section), '"${TRAIN_SCRIPT}"', "--deepspeed --deepspeed_config ds_config.json"]
    facts = header_lines(plan, limits)
    environment = collective_environment(plan)
    script = write_script("run_deepspeed.sh", title, facts, needs, environment, [section], call)
    return [Artefact("ds_config.json", to_json(config)), script, Artefact("ranks.tsv", rank_table(plan, limits))]


def _note_model_code(plan: Plan, limits: Limits) -> None:
    """Note what the plan counts on and no file of DeepSpeed says: it lies in the model's code, or in its runtime."""
    s, task = plan.strategy, plan.job.task
    if task.adapter_rank:
        base = ' and BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")' if task.frozen_size else ""
        limits.note(
            f"Adapters are the model's code: peft.LoraConfig(r={task.adapter_rank}) on {', '.join(task.adapter_targets)}{base}."
        )
    if s.recompute != "none" and s.recompute_layers > 0:
        how = (
            "gradient_checkpointing_enable()"
            if s.recompute == "full"
            else f"your own checkpointing of {s.recompute_modules.replace('+', ', ') or 'the cheap outputs'}"
        )
        limits.note(
            f"Recomputation is the model's code: {how}, in {format_percent(s.recompute_layers, 0)} of the layers."
        )
    if not s.flash_attention:
        limits.note('Attention is the model\'s code: attn_implementation="eager", which the plan counts on.')
    if plan.job.precision.loss != "plain":
        limits.note(
            f"The loss is the model's code: a kernel that is {plan.job.precision.loss}, which the plan counts on."
        )
    if s.overlap_dp and s.zero in (1, 2) and s.weight_gather == "hidden":
        limits.note("It gathers the updated weights before the next forward pass; the plan counts overlap.")


def _config(plan: Plan) -> Tree:
    job, s, p = plan.job, plan.strategy, plan.job.precision
    optimizer = (
        Argument("lr", 3e-4),
        Argument("betas", [0.9, 0.95]),
        Argument("eps", 1e-8),
        Argument("weight_decay", 0.1),
    )
    arguments = [
        Argument("train_batch_size", job.global_batch_size),
        Argument("train_micro_batch_size_per_gpu", s.micro_batch_size),
        Argument("gradient_accumulation_steps", plan.num_microbatches),
        Argument("gradient_clipping", 1.0),
        Argument("steps_per_print", 1),
        Argument("zero_allow_untested_optimizer", True),
        Argument("optimizer", (Argument("type", "AdamW"), Argument("params", optimizer))),
        Argument("bf16", (Argument("enabled", p.linear == "bf16"),)),
        Argument("fp16", (Argument("enabled", p.linear == "fp16"),)),
        Argument("zero_optimization", zero_arguments(plan)),
    ]
    if p.linear != "fp32":
        wire = "fp32" if p.gradient_wire == 4.0 else p.linear
        arguments.append(Argument("communication_data_type", wire))
        kept = "fp32" if p.gradient_size >= 4.0 else p.linear
        arguments.append(Argument("data_types", (Argument("grad_accum_dtype", kept),)))
    if s.offload_activations:
        arguments.append(Argument("activation_checkpointing", (Argument("cpu_checkpointing", True),)))
    if s.tp > 1:
        arguments.append(Argument("tensor_parallel", (Argument("autotp_size", s.tp),)))
    if s.cp > 1:
        arguments.append(Argument("sequence_parallel_size", s.cp))
    return tuple(arguments)


def zero_arguments(plan: Plan) -> Tree:
    """Return the section on ZeRO: its stage, its buckets and what it offloads."""
    s = plan.strategy
    arguments = [
        Argument("stage", s.zero),
        Argument("overlap_comm", s.overlap_dp),
        Argument("contiguous_gradients", True),
    ]
    if s.zero and s.zero_kind in ("buckets", "modules"):
        arguments.append(Argument("reduce_bucket_size", int(FLAT_BUCKETS / 2)))
        other = "stage3_prefetch_bucket_size" if s.zero == 3 else "allgather_bucket_size"
        arguments.append(Argument(other, int(FLAT_BUCKETS / 2)))
    if s.zero in (1, 2) and s.weight_gather == "broadcasts":
        arguments.append(Argument("allgather_partitions", False))
    if s.zero == 3 and 0 < s.zero_group < s.cp * s.dp:
        arguments.append(Argument("mics_shard_size", s.zero_group))
    if s.offload_optimizer or s.offload_weights:
        part = [Argument("ratio", s.offload_optimizer)] if 0 < s.offload_optimizer < 1 else []
        arguments.append(Argument("offload_optimizer", (*IN_HOST_MEMORY, *part)))
    if s.offload_weights:
        arguments.append(Argument("offload_param", IN_HOST_MEMORY))
    return tuple(arguments)


TARGET = Target(
    "deepspeed",
    "JSON file and launcher for DeepSpeed",
    write,
    space={
        "zero": (0, 1, 2, 3), "pp": (1,), "ep": (1,), "etp": (1,), "cp_kind": ("ulysses",), "overlap_tp": (False,),
    },
    tasks=("pretrain", "sft", "lora", "qlora"),
)  # fmt: skip
