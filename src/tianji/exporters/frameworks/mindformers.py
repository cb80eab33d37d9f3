"""MindSpore Transformers: its YAML file and a launcher with msrun.

Keys: MindSpore Transformers 2.1.0 (its templates for pre-training and the configurations of Qwen3 and DeepSeek-V3).
"""

from __future__ import annotations

from tianji.exporters.contract import PATTERNED, Limits, Refusal, Target
from tianji.exporters.formats.arguments import Argument, Artefact, OptionGroup, Tree
from tianji.exporters.formats.serialize import comment_lines, to_yaml
from tianji.exporters.formats.shell_scripts import spread, write_script
from tianji.exporters.frameworks.mindformers_model import WRITTEN, dataset_tree, model_tree
from tianji.exporters.plan_facts.abilities import Abilities
from tianji.exporters.plan_facts.environments import collective_environment
from tianji.exporters.plan_facts.experts import note_expert_copies
from tianji.exporters.plan_facts.header import header_lines
from tianji.exporters.plan_facts.hosts import count_hosts, rank_table
from tianji.exporters.plan_facts.layers import hold_stages, recomputed_layers
from tianji.exporters.plan_facts.mathematics import note_mathematics
from tianji.exporters.plan_facts.torchrun_options import PORT, host_needs
from tianji.parallel.plan import Plan
from tianji.workload.task import ADAPTED

PIPELINES = ("1f1b", "interleaved")
ABILITIES = Abilities()
REFUSALS = (
    PATTERNED,
    Refusal(lambda s, plan: plan.pool.chip.ecosystem != "cann", "MindSpore Transformers trains on Ascend chips only"),
    Refusal(
        lambda s, plan: s.pp > 1 and s.schedule not in PIPELINES,
        "schedule={s.schedule}: take --fix schedule=1f1b or interleaved",
    ),
    Refusal(
        lambda s, plan: s.placement == "pp-inside" and s.pp > 1 and s.dp > 1,
        "placement=pp-inside: its pipeline axis is the outermost (take --fix placement=dp-inside)",
    ),
    Refusal(
        lambda s, plan: s.cp > 1 and s.cp_kind == "all_gather",
        "cp_kind=all_gather: it has a ring and Ulysses (take --fix cp_kind=ring)",
    ),
    Refusal(
        lambda s, plan: s.pp > 1 and any(hold_stages(plan).modules[:-1]),
        "stages={s.stages}: its prediction modules lie on the last stage",
    ),
    Refusal(lambda s, plan: s.etp > 1, "etp={s.etp}: its experts are whole (take --fix etp=1)"),
    Refusal(
        lambda s, plan: s.ep > 1 and s.dp * s.tp % s.ep > 0,
        "ep={s.ep}: it divides data_parallel · model_parallel = {s.dp} · {s.tp}",
    ),
    Refusal(
        lambda s, plan: s.zero in (1, 2) and s.weight_gather == "broadcasts",
        "weight_gather=broadcasts: it gathers weights from all ranks at once",
    ),
    Refusal(
        lambda s, plan: s.overlap_ep and s.ep > 1,
        "overlap_ep: no setting of its file overlaps the experts' exchange (take --fix overlap_ep=off)",
    ),
    Refusal(
        lambda s, plan: plan.hides_tensor_links,
        "overlap_tp: it lies in a parallel_speed_up.json of your CANN release (take --fix overlap_tp=off)",
    ),
    Refusal(
        lambda s, plan: s.recompute == "selective" and 0 < s.recompute_layers < 1,
        "selective recomputation of {s.recompute_layers:.0%} of the layers: it takes all of them",
    ),
    Refusal(
        lambda s, plan: plan.job.precision.name not in ("bf16", "fp16", "fp32"),
        "precision {p.name}: its file has bf16, fp16 and fp32",
    ),
)


def write(plan: Plan, limits: Limits) -> list[Artefact]:
    """Return the YAML file, its launcher and the table of ranks."""
    limits.apply(REFUSALS, plan)
    ABILITIES.apply(plan, limits)
    if plan.strategy.zero > 1:
        anew = ", gathered anew in the backward pass" if plan.strategy.zero == 3 else ""
        limits.note(f"ZeRO-{plan.strategy.zero} is its parallel optimizer with sharded accumulation{anew}.")
    note_expert_copies(plan, limits)
    note_mathematics(plan, limits, "model_config", WRITTEN)
    _note_overlap(plan, limits)
    limits.note(
        "MindSpore keeps fp32 parameters and gradients; the plan counts a copy in the compute dtype beside them."
    )
    hosts = count_hosts(plan, limits)
    tree = (
        Argument("run_mode", "train"),
        Argument("use_parallel", True),
        Argument("use_legacy", False),
        Argument("seed", 0),
        Argument("output_dir", "./output", "FILL IN: logs and checkpoints"),
        Argument("load_checkpoint", "", "FILL IN to resume or fine-tune"),
        Argument("trainer", (Argument("type", "CausalLanguageModelingTrainer"), Argument("model_name", "llm"))),
        Argument("runner_config", _runner(plan)),
        Argument("parallel_config", _degrees(plan)),
        Argument("micro_batch_interleave_num", 1),
        Argument("parallel", _parallel(plan)),
        Argument("recompute_config", _recomputation(plan, limits)),
        Argument("model", (Argument("model_config", model_tree(plan, limits)),)),
        Argument("train_dataset", dataset_tree(plan)),
        Argument("train_dataset_task", (
            Argument("type", "CausalLanguageModelDataset"),
            Argument("dataset_config", dataset_tree(plan), "the same once more, as its templates do by reference"),
        )),
        Argument("optimizer", (Argument("type", "AdamW"), Argument("betas", [0.9, 0.95]), Argument("weight_decay", 0.1))),
        Argument("lr_schedule", (
            Argument("type", "CosineWithWarmUpLR"),
            Argument("learning_rate", 3e-4, "yours to choose"),
            Argument("total_steps", -1),
        )),
        Argument("runner_wrapper", (Argument("type", "MFTrainOneStepCell"), Argument("use_clip_grad", True))),
        Argument("context", (Argument("mode", 0, "graph mode"), Argument("device_target", "Ascend"))),
        Argument("callbacks", [
            (Argument("type", "MFLossMonitor"),),
            (Argument("type", "CheckpointMonitor"), Argument("save_checkpoint_steps", *limits.save_steps)),
        ]),
    )  # fmt: skip
    limits.check()
    facts = header_lines(plan, limits)
    header = comment_lines("MindSpore Transformers configuration, written by Tianji.", "", *facts) + "\n"
    section = OptionGroup("MSRUN_ARGS", "one process on each chip", (
        Argument("--worker_num", plan.strategy.chips),
        Argument("--local_worker_num", hosts.per_node, "chips of a node"),
        Argument("--master_addr", "${MASTER_ADDR}"),
        Argument("--master_port", PORT),
        Argument("--node_rank", "${NODE_RANK}"),
        Argument("--log_dir", "./output/log"),
        Argument("--join", "True"),
        Argument("--cluster_time_out", 7200),
    ))  # fmt: skip
    call = ["msrun", spread(section), "run_mindformer.py", "--config mindformers.yaml"]
    title = "Launcher for MindSpore Transformers, written by Tianji. Start it on every node, from its folder."
    environment = collective_environment(plan)
    script = write_script("run_mindformers.sh", title, facts, host_needs(hosts), environment, [section], call)
    return [
        Artefact("mindformers.yaml", to_yaml(tree, header)),
        script,
        Artefact("ranks.tsv", rank_table(plan, limits)),
    ]


def _note_overlap(plan: Plan, limits: Limits) -> None:
    """Note what the plan does not overlap: the graph's compiler overlaps by itself, and no setting forbids it."""
    s = plan.strategy
    exposed = {
        "the reduction of gradients": not s.overlap_dp,
        "the gather of updated weights": s.overlap_dp and s.zero in (1, 2) and s.weight_gather != "hidden",
        "sends between stages": s.pp > 1 and not s.overlap_pp,
    }
    what = [name for name, is_exposed in exposed.items() if is_exposed]
    if what:
        limits.note(f"Its compiler overlaps communication where it can; the plan does not overlap {', '.join(what)}.")


def _runner(plan: Plan) -> Tree:
    arguments = [
        Argument("epochs", 1),
        Argument("batch_size", plan.strategy.micro_batch_size, "sequences of a micro-batch"),
    ]
    if plan.strategy.pp == 1:
        arguments.append(Argument("gradient_accumulation_steps", plan.num_microbatches, "micro-batches of a step"))
    return tuple(arguments)


def _degrees(plan: Plan) -> Tree:
    s = plan.strategy
    arguments = [
        Argument("data_parallel", s.dp),
        Argument("model_parallel", s.tp, "tensor parallel"),
        Argument("pipeline_stage", s.pp),
        Argument("context_parallel", s.cp),
        Argument("context_parallel_algo", "ulysses_cp" if s.cp_kind == "ulysses" else "colossalai_cp"),
        Argument("use_seq_parallel", s.sequence_parallel and s.tp > 1),
        Argument("micro_batch_num", plan.num_microbatches if s.pp > 1 else 1, "micro-batches of a pipeline"),
    ]
    return (*arguments, Argument("expert_parallel", s.ep)) if plan.job.model.moe else tuple(arguments)


def _parallel(plan: Plan) -> Tree:
    s = plan.strategy
    ranks = s.cp * s.dp
    state = [
        Argument("gradient_accumulation_shard", s.zero > 1, f"ZeRO-{s.zero}"),
        Argument("parallel_optimizer_threshold", 64),
    ]
    if 0 < s.zero_group < ranks:
        state.append(Argument("optimizer_weight_shard_size", s.zero_group, "ranks of one sharding group"))
    arguments = [
        Argument("parallel_mode", 1, "semi-automatic: the degrees are given"),
        Argument("gradients_mean", False),
        Argument("full_batch", False),
        Argument("dataset_strategy", [[s.dp, 1], [s.dp, 1], [s.dp, 1], [s.dp, 1], [s.dp, 1, 1, 1]]),
        Argument("enable_alltoall", s.ep > 1),
        Argument("enable_parallel_optimizer", s.zero > 0),
        Argument("parallel_optimizer_config", tuple(state)),
    ]
    if s.pp > 1:
        schedule = (Argument("pipeline_interleave", s.vpp > 1), Argument("pipeline_scheduler", "1f1b"))
        arguments.append(Argument("pipeline_config", schedule))
    return tuple(arguments)


def _recomputation(plan: Plan, limits: Limits) -> Tree:
    s = plan.strategy
    is_on = s.recompute != "none" and s.recompute_layers > 0
    full: bool | list[int] = is_on and s.recompute == "full"
    if full and s.recompute_layers < 1:
        count = recomputed_layers(plan, limits) or 0
        full = [count * s.vpp] * s.pp
    return (
        Argument("recompute", full, "layers of each stage, or all"),
        Argument("select_recompute", is_on and s.recompute == "selective"),
        Argument("parallel_optimizer_comm_recompute", s.zero == 3),
        Argument("mp_comm_recompute", True, "full recomputation repeats its communication, as priced"),
    )


TARGET = Target(
    "mindformers",
    "YAML file and launcher for MindSpore Transformers",
    write,
    space={
        "schedule": PIPELINES, "zero": (0, 1, 2, 3), "placement": ("dp-inside",), "etp": (1,), "overlap_tp": (False,),
        "ep_kind": ("all_to_all",),
    },
    other_tasks=dict.fromkeys(
        ADAPTED, "its adapters (pet_config) name the cells of a model's code, which the YAML file written here does not know"
    ),
)  # fmt: skip
