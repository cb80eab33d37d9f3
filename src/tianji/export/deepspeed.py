"""DeepSpeed: its JSON file and a launcher.

Option names: DeepSpeed 0.19 (documentation of the configuration JSON). DeepSpeed cuts the data-parallel state and, as AutoTP and
Ulysses, tensors and sequences; pipelines and experts are model code, which no file can carry.
"""

from __future__ import annotations

from tianji.export.arguments import Argument, Artefact, Limits, Section, Tree
from tianji.export.documents import to_json
from tianji.export.environments import collective_environment
from tianji.export.hosts import count_hosts, rank_table
from tianji.export.launchers import PORT, host_needs
from tianji.export.shells import needed, spread, write_script
from tianji.export.summary import describe_plan
from tianji.parallel.plan import Plan


def write_deepspeed(plan: Plan, limits: Limits) -> list[Artefact]:
    """Return the JSON file, its launcher and the table of ranks."""
    _refuse_strategy(plan, limits)
    hosts = count_hosts(plan, limits)
    if plan.strategy.recompute != "none":
        limits.note("Which layers are recomputed is the model's code: call its gradient_checkpointing_enable().")
    limits.check()
    section = Section(
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
    facts = describe_plan(plan, limits)
    environment = collective_environment(plan)
    script = write_script("run_deepspeed.sh", title, facts, needs, environment, [section], call)
    return [Artefact("ds_config.json", to_json(_config(plan))), script, Artefact("ranks.tsv", rank_table(plan, limits))]


def _refuse_strategy(plan: Plan, limits: Limits) -> None:
    s = plan.strategy
    if s.pp > 1:
        limits.refuse(f"pp={s.pp}: its pipeline is model code (PipelineModule), no setting (take --fix pp=1)")
    if s.ep > 1 or s.etp > 1:
        limits.refuse(f"ep={s.ep}, etp={s.etp}: its experts are model code (deepspeed.moe), no setting")
    if s.cp > 1 and s.cp_kind == "ring":
        limits.refuse("cp_kind=ring: its sequence parallelism is Ulysses (take --fix cp_kind=ulysses)")
    if s.cp > 1 and s.tp > 1:
        limits.refuse("tp and cp together: AutoTP and Ulysses exclude each other")
    if s.tp > 1 and s.zero == 3:
        limits.refuse("tp with zero=3: AutoTP takes zero up to 2")
    if s.tp > 1 and s.sequence_parallel:
        limits.refuse("sequence_parallel: AutoTP keeps whole sequences (take --fix sequence_parallel=off)")
    if s.overlap_tp and s.tp > 1:
        limits.refuse("overlap_tp: AutoTP waits for its sums (take --fix overlap_tp=off)")
    if 0 < s.zero_group < s.cp * s.dp and s.zero != 3:
        limits.refuse(f"zero_group={s.zero_group} with zero={s.zero}: only ZeRO-3 has sharding groups")
    if s.offload_optimizer and s.zero == 0:
        limits.refuse("offload_optimizer with zero=0: it offloads sharded state only")
    p = plan.job.precision
    if p.name not in ("bf16", "fp16", "fp32"):
        limits.refuse(f"precision {p.name}: its file has bf16, fp16 and fp32; narrower layers are model code")
    if p.optimizer_size != (8.0 if p.linear == "fp32" else 12.0):
        limits.refuse(f"{p.optimizer_size:g} bytes of optimizer state for a parameter: it keeps fp32")


def _config(plan: Plan) -> Tree:
    job, s, p = plan.job, plan.strategy, plan.job.precision
    optimizer = (
        Argument("lr", 3e-4),
        Argument("betas", [0.9, 0.95]),
        Argument("eps", 1e-8),
        Argument("weight_decay", 0.1),
    )
    found = [
        Argument("train_batch_size", job.global_batch_size),
        Argument("train_micro_batch_size_per_gpu", s.micro_batch_size),
        Argument("gradient_accumulation_steps", plan.num_microbatches),
        Argument("gradient_clipping", 1.0),
        Argument("steps_per_print", 1),
        Argument("zero_allow_untested_optimizer", True),
        Argument("optimizer", (Argument("type", "AdamW"), Argument("params", optimizer))),
        Argument("bf16", (Argument("enabled", p.linear == "bf16"),)),
        Argument("fp16", (Argument("enabled", p.linear == "fp16"),)),
        Argument("zero_optimization", _zero(plan)),
    ]
    if p.linear != "fp32":
        wire = "fp32" if p.gradient_wire == 4.0 else p.linear
        found.append(Argument("communication_data_type", wire))
        kept = "fp32" if p.gradient_size == 4.0 else p.linear
        found.append(Argument("data_types", (Argument("grad_accum_dtype", kept),)))
    if s.tp > 1:
        found.append(Argument("tensor_parallel", (Argument("autotp_size", s.tp),)))
    if s.cp > 1:
        found.append(Argument("sequence_parallel_size", s.cp))
    return tuple(found)


def _zero(plan: Plan) -> Tree:
    s = plan.strategy
    found = [Argument("stage", s.zero), Argument("overlap_comm", s.overlap_dp), Argument("contiguous_gradients", True)]
    if s.zero == 3 and 0 < s.zero_group < s.cp * s.dp:
        found.append(Argument("mics_shard_size", s.zero_group))
    if s.offload_optimizer:
        found.append(Argument("offload_optimizer", (Argument("device", "cpu"), Argument("pin_memory", True))))
    return tuple(found)
