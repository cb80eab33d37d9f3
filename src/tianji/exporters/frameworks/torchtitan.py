"""torchtitan 0.2: a TOML file and its launcher.

Option names and flavours: torchtitan 0.2.1. From 0.3 on torchtitan takes its configuration from Python functions and no longer
reads TOML; the names of the sections and options are the same there.
"""

from __future__ import annotations

from tianji.exporters.contract import PATTERNED, Limits, Refusal, Target
from tianji.exporters.formats.arguments import Argument, Artefact, Tree
from tianji.exporters.formats.serialize import comment_lines, to_toml
from tianji.exporters.formats.shell_scripts import spread, write_script
from tianji.exporters.frameworks.torchtitan_flavors import find_flavor
from tianji.exporters.plan_facts.abilities import Abilities
from tianji.exporters.plan_facts.asked_rules import ask_rules
from tianji.exporters.plan_facts.environments import collective_environment
from tianji.exporters.plan_facts.header import header_lines
from tianji.exporters.plan_facts.hosts import count_hosts, rank_table
from tianji.exporters.plan_facts.layers import hold_stages
from tianji.exporters.plan_facts.mathematics import note_mathematics
from tianji.exporters.plan_facts.torchrun_options import host_needs, torchrun_group
from tianji.parallel.plan import Plan
from tianji.workload.task import ADAPTED

SCHEDULES = {
    "1f1b": "1F1B", "interleaved": "Interleaved1F1B", "gpipe": "GPipe", "zbv": "ZBVZeroBubble", "dualpipev": "DualPipeV",
}  # fmt: skip
RESHARD = {0: "default", 2: "never", 3: "always"}


ROTATION = {
    "ring": Argument("context_parallel_rotate_method", "alltoall", "ring"),
    "all_gather": Argument("context_parallel_rotate_method", "allgather", "keys and values gathered"),
}
DISPATCH = {
    "all_to_all": Argument("expert_parallel_comm_backend", "standard"),
    "deduplicated": Argument("expert_parallel_comm_backend", "deepep", "each token crosses to a node once"),
}
PRECISIONS = ("bf16", "fp32", "fp8", "mxfp8")
ABILITIES = Abilities(weights=lambda plan: plan.strategy.zero == 3, modules=lambda modules: modules == ("ops",))
REFUSALS = (
    PATTERNED,
    Refusal(
        lambda s, plan: s.zero == 2 and s.weight_gather == "broadcasts",
        "weight_gather=broadcasts: it gathers weights from all ranks at once",
    ),
    Refusal(
        lambda s, plan: s.zero == 1 and s.dp * s.cp > 1,
        "zero=1: FSDP shards the gradients with the optimizer (take --fix zero=2, or 3)",
    ),
    Refusal(
        lambda s, plan: s.zero == 2 and s.pp > 1,
        "zero=2 under a pipeline: its schedules keep whole gradients and reduce them once a step",
    ),
    Refusal(lambda s, plan: s.zero == 0 and s.cp > 1, "zero=0 with cp: it shards the weights over the context ranks"),
    Refusal(
        lambda s, plan: s.zero > 0 and s.zero_group < s.cp * s.dp and s.zero_group % s.cp > 0,
        "zero_group={s.zero_group}: a sharding group holds all cp={s.cp} context ranks",
    ),
    Refusal(
        lambda s, plan: s.tp > 1 and not s.sequence_parallel,
        "tp without sequence_parallel: its tensor parallelism cuts the sequence too",
    ),
    Refusal(
        lambda s, plan: s.cp > 1 and s.cp_kind == "ulysses",
        "cp_kind=ulysses: its context parallelism is a ring (take --fix cp_kind=ring)",
    ),
    Refusal(
        lambda s, plan: s.placement == "pp-inside" and s.pp > 1 and s.dp > 1,
        "placement=pp-inside: its pipeline axis is the outermost (take --fix placement=dp-inside)",
    ),
    Refusal(lambda s, plan: not s.flash_attention, "flash_attention=off: its attention is always fused"),
    Refusal(
        lambda s, plan: s.overlap_ep and s.ep > 1,
        "overlap_ep: it overlaps experts' exchange under DualPipeV only",
    ),
    Refusal(
        lambda s, plan: s.pp > 1 and s.schedule not in SCHEDULES,
        "schedule={s.schedule}: it has 1F1B, Interleaved1F1B, GPipe, ZBVZeroBubble and DualPipeV (take --fix schedule=1f1b)",
    ),
    Refusal(lambda s, plan: s.etp not in (1, s.tp), "etp={s.etp}: it is 1 or tp={s.tp}"),
    Refusal(
        lambda s, plan: s.ep > 1 and s.etp == s.tp and s.ep % s.cp > 0, "ep={s.ep}: it must be a multiple of cp={s.cp}"
    ),
    Refusal(
        lambda s, plan: s.ep > 1 and s.etp != s.tp and s.ep % (s.cp * s.tp) > 0,
        "ep={s.ep}: it must be a multiple of cp·tp={s.cp}·{s.tp}",
    ),
    Refusal(
        lambda s, plan: s.recompute != "none" and not _is_every_nth(plan),
        "{s.recompute} recomputation of {s.recompute_layers:.0%} of the layers: it takes all, or every n-th",
    ),
    Refusal(
        lambda s, plan: (
            plan.job.precision.optimizer_size != (8.0 if plan.job.precision.linear == "fp32" else 12.0)
            or plan.job.precision.gradient_size != 4.0
        ),
        "gradients or optimizer state in fewer bytes: it keeps both in fp32",
    ),
    Refusal(
        lambda s, plan: plan.job.precision.name not in PRECISIONS,
        "precision {p.name}: it has bf16, fp32, fp8 (tensorwise) and mxfp8",
    ),
)


def _is_every_nth(plan: Plan) -> bool:
    """Return whether all, none, or in full every n-th of the layers are recomputed."""
    share = plan.strategy.recompute_layers
    if share in (0, 1):
        return True
    every = round(1 / share)
    is_whole = abs(every * share - 1) <= 1e-6 and plan.job.model.num_layers % every == 0
    return plan.strategy.recompute == "full" and is_whole


def write(plan: Plan, limits: Limits) -> list[Artefact]:
    """Return the configuration, its launcher and the table of ranks."""
    name, flavor = find_flavor(plan.job.model, limits)
    limits.apply(REFUSALS, plan)
    ABILITIES.apply(plan, limits)
    if not plan.strategy.overlap_dp:
        limits.note("torchtitan always overlaps the data-parallel communication; the plan does not.")
    elif plan.strategy.zero == 2 and plan.strategy.weight_gather == "exposed":
        limits.note("torchtitan gathers the weights beside the forward pass; the plan gathers them before it.")
    if plan.strategy.pp > 1 and plan.strategy.overlap_pp:
        limits.note("PyTorch's pipeline schedules wait for what they send; the plan counts overlap.")
    if plan.pool.chip.ecosystem == "cann":
        limits.note("On Ascend chips torchtitan needs torch_npu and its torchtitan-npu extension.")
    limits.note("torchtitan keeps fp32 weights and casts them; the plan counts a bf16 copy beside an fp32 master.")
    if plan.strategy.recompute == "selective" and not plan.strategy.recompute_modules:
        limits.note("torchtitan's selective recomputation repeats every second matmul too; the plan repeats none.")
    note_mathematics(plan, limits, "the flavour's arguments, where they differ")
    hosts = count_hosts(plan, limits)
    tree = (
        Argument("job", (Argument("dump_folder", "./outputs"), Argument("description", plan.job.model.name))),
        Argument("model", _model(plan, name, flavor)),
        Argument("optimizer", (Argument("name", "AdamW"), Argument("lr", 3e-4, "yours to choose"))),
        Argument("training", _training(plan)),
        Argument("parallelism", _parallelism(plan)),
        Argument("activation_checkpoint", _recomputation(plan)),
        Argument("compile", (Argument("enable", plan.hides_tensor_links),)),
        *_quantization(plan, limits),
        Argument(
            "checkpoint",
            (Argument("enable", True), Argument("folder", "checkpoint"), Argument("interval", *limits.save_steps)),
        ),
    )
    ask_rules("torchtitan", tree, plan, limits)
    limits.check()
    facts = header_lines(plan, limits)
    header = comment_lines("torchtitan 0.2 configuration, written by Tianji.", "", *facts) + "\n"
    section = torchrun_group(hosts)
    call = ["torchrun", spread(section), "-m torchtitan.train", "--job.config_file torchtitan.toml"]
    title = "Launcher for torchtitan, written by Tianji. Start it on every node, in this folder."
    script = write_script(
        "run_torchtitan.sh", title, facts, host_needs(hosts), collective_environment(plan), [section], call
    )
    return [Artefact("torchtitan.toml", to_toml(tree, header)), script, Artefact("ranks.tsv", rank_table(plan, limits))]


def _model(plan: Plan, name: str, flavor: str) -> Tree:
    sizes = f"{plan.job.model.num_layers} layers of {plan.job.model.hidden_size}, {plan.job.model.vocab_size} tokens"
    assets = Argument("hf_assets_path", "./assets/hf/FILL-IN", "FILL IN: folder of the model's tokenizer")
    quantized = {"fp8": "quantize.linear.float8", "mxfp8": "quantize.linear.mx"}.get(plan.job.precision.name)
    return (
        Argument("name", name),
        Argument("flavor", flavor, sizes),
        assets,
        Argument("converters", [quantized] if quantized else []),
    )


def _training(plan: Plan) -> Tree:
    job, s = plan.job, plan.strategy
    # A pipeline takes all micro-batches of a step in one call; without one, gradients accumulate over calls.
    local = s.micro_batch_size * (plan.num_microbatches if s.pp > 1 else 1)
    steps = max(round(job.tokens / job.tokens_per_step), 1) if job.tokens else 1000
    length = f"{job.tokens:.4g} tokens" if job.tokens else "FILL IN: the plan states no tokens"
    return (
        Argument("local_batch_size", local, "sequences of one replica in one call"),
        Argument("global_batch_size", job.global_batch_size),
        Argument("seq_len", job.seq_len),
        Argument("steps", steps, length),
        Argument("mixed_precision_param", "float32" if job.precision.linear == "fp32" else "bfloat16"),
        Argument("mixed_precision_reduce", "float32"),
        *([Argument("enable_cpu_offload", True, "weights, gradients and optimizer")] if s.offload_weights else []),
        Argument("dataset", "c4", "FILL IN: a dataset that torchtitan knows, or your own"),
    )


def _parallelism(plan: Plan) -> Tree:
    s = plan.strategy
    replicate, shard = (s.dp, 1) if s.zero == 0 else (1, s.dp)
    if s.zero and 0 < s.zero_group < s.cp * s.dp:
        shard = max(s.zero_group // s.cp, 1)
        replicate = s.dp // shard
    arguments = [
        Argument("data_parallel_replicate_degree", replicate),
        Argument("data_parallel_shard_degree", shard),
        Argument("fsdp_reshard_after_forward", RESHARD.get(s.zero, "default"), f"ZeRO-{s.zero}"),
        Argument("tensor_parallel_degree", s.tp, "with sequence parallelism"),
        Argument("enable_async_tensor_parallel", plan.hides_tensor_links),
        Argument("context_parallel_degree", s.cp),
        ROTATION.get(s.cp_kind, ROTATION["ring"]),
        Argument("expert_parallel_degree", s.ep),
        *([DISPATCH[s.ep_kind]] if s.ep > 1 else []),
        Argument("expert_tensor_parallel_degree", s.etp),
        Argument("pipeline_parallel_degree", s.pp),
    ]
    if s.pp > 1:
        arguments += [
            Argument("pipeline_parallel_schedule", SCHEDULES.get(s.schedule, "")),
            Argument("pipeline_parallel_microbatch_size", s.micro_batch_size),
            Argument(
                "module_fqns_per_model_part", _parts(plan), "one list for each chunk, as the plan deals the layers"
            ),
        ]
    return tuple(arguments)


def _parts(plan: Plan) -> list[list[str]]:
    parts: list[list[str]] = []
    layer = 0
    for count in hold_stages(plan).layers:
        parts.append([f"layers.{n}" for n in range(layer, layer + count)])
        layer += count
    parts[0].insert(0, "tok_embeddings")
    parts[-1] += ["norm", "output"]
    return parts


def _recomputation(plan: Plan) -> Tree:
    s = plan.strategy
    if s.recompute == "none" or s.recompute_layers == 0:
        return (Argument("mode", "none"),)
    if s.recompute_layers == 1:
        if s.recompute == "full":
            return (Argument("mode", "full"),)
        kept = "every second matmul and attention are kept" if s.recompute_modules else "matmuls and attention are kept"
        return (Argument("mode", "selective"), Argument("selective_ac_option", "op", kept))
    every = round(1 / s.recompute_layers)
    return (Argument("mode", "selective"), Argument("selective_ac_option", str(every), "one layer of so many, in full"))


def _quantization(plan: Plan, limits: Limits) -> Tree:
    p = plan.job.precision
    if p.name not in ("fp8", "mxfp8"):
        return ()
    if p.name == "fp8":
        gather = Argument("enable_fsdp_float8_all_gather", p.weight_wire == 1.0)
        linear = Argument("float8", (Argument("recipe_name", "tensorwise"), gather))
    else:
        linear = Argument("mx", (Argument("recipe_name", "mxfp8_cublas"),))
    if plan.job.model.moe:
        limits.note(
            "Its grouped matmuls of the experts stay in bf16 unless its prototype of fp8 grouped matmuls is switched on."
        )
    return (Argument("quantize", (Argument("linear", (linear,)),)),)


TARGET = Target(
    "torchtitan",
    "TOML file and launcher for torchtitan 0.2",
    write,
    space={
        "schedule": ("1f1b", "interleaved", "zbv", "dualpipev"), "zero": (0, 2, 3), "placement": ("dp-inside",),
        "cp_kind": ("ring", "all_gather"),
    },
    implied={("zero", 2): {"pp": 1}},
    other_tasks=dict.fromkeys(
        ADAPTED, "torchtitan has adapters as a converter in Python (components/lora.py), no key of the TOML file for them"
    ),
)  # fmt: skip
