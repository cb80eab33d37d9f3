"""MindSpore Transformers: its YAML file and a launcher with msrun.

Keys: MindSpore Transformers 2.1.0 (its templates for pre-training and the configurations of Qwen3 and DeepSeek-V3).
"""

from __future__ import annotations

from tianji.export.arguments import Argument, Artefact, Limits, Section, Tree
from tianji.export.documents import comment_lines, to_yaml
from tianji.export.environments import collective_environment
from tianji.export.hosts import count_hosts, rank_table
from tianji.export.launchers import PORT, host_needs
from tianji.export.layers import deal_layers, recomputed_layers
from tianji.export.shells import spread, write_script
from tianji.export.summary import describe_plan
from tianji.parallel.plan import Plan
from tianji.workload import Model

TYPES = {
    "qwen3": ("qwen3", "Qwen3ForCausalLM"),
    "qwen3_moe": ("qwen3_moe", "Qwen3MoeForCausalLM"),
    "deepseek_v3": ("deepseek_v3", "DeepseekV3ForCausalLM"),
    "kimi_k2": ("deepseek_v3", "DeepseekV3ForCausalLM"),
    "glm4_moe": ("glm4_moe", "Glm4MoeForCausalLM"),
    "qwen2": ("qwen2", "Qwen2ForCausalLM"),
}
"""Families that release 2.1.0 trains or loads, with its names for them."""


def write_mindformers(plan: Plan, limits: Limits) -> list[Artefact]:
    """Return the YAML file, its launcher and the table of ranks."""
    _refuse_strategy(plan, limits)
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
        Argument("model", (Argument("model_config", _model(plan, limits)),)),
        Argument("train_dataset", _dataset(plan)),
        Argument("train_dataset_task", (
            Argument("type", "CausalLanguageModelDataset"),
            Argument("dataset_config", _dataset(plan), "the same once more, as its templates do by reference"),
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
            (Argument("type", "CheckpointMonitor"), Argument("save_checkpoint_steps", 1000)),
        ]),
    )  # fmt: skip
    limits.check()
    facts = describe_plan(plan, limits)
    header = comment_lines("MindSpore Transformers configuration, written by Tianji.", "", *facts) + "\n"
    section = Section("MSRUN_ARGS", "one process on each chip", (
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


def _refuse_strategy(plan: Plan, limits: Limits) -> None:
    s, p = plan.strategy, plan.job.precision
    if plan.pool.chip.ecosystem != "cann":
        limits.refuse("MindSpore Transformers trains on Ascend chips only")
    if s.pp > 1 and s.schedule not in ("1f1b", "interleaved"):
        limits.refuse(f"schedule={s.schedule}: take --fix schedule=1f1b or interleaved")
    if s.placement == "pp-inside" and s.pp > 1 and s.dp > 1:
        limits.refuse("placement=pp-inside: its pipeline axis is the outermost (take --fix placement=dp-inside)")
    if s.etp > 1:
        limits.refuse(f"etp={s.etp}: its experts are whole (take --fix etp=1)")
    if s.ep > 1 and (s.dp * s.tp) % s.ep:
        limits.refuse(f"ep={s.ep}: it divides data_parallel · model_parallel = {s.dp * s.tp}")
    if s.zero in (2, 3):
        anew = ", gathered anew in the backward pass" if s.zero == 3 else ""
        limits.note(f"ZeRO-{s.zero} is its parallel optimizer with sharded accumulation{anew}.")
    if s.overlap_ep and s.ep > 1:
        limits.refuse("overlap_ep: no setting of its file overlaps the experts' exchange (take --fix overlap_ep=off)")
    if s.overlap_tp and s.tp > 1:
        limits.refuse(
            "overlap_tp: it lies in a parallel_speed_up.json of your CANN release (take --fix overlap_tp=off)"
        )
    if s.offload_optimizer:
        limits.refuse("offload_optimizer: its file has no setting for it")
    if p.name not in ("bf16", "fp16", "fp32"):
        limits.refuse(f"precision {p.name}: its file has bf16, fp16 and fp32")
    limits.note(
        "MindSpore keeps fp32 parameters and gradients; the plan counts a copy in the compute dtype beside them."
    )


def _runner(plan: Plan) -> Tree:
    found = [
        Argument("epochs", 1),
        Argument("batch_size", plan.strategy.micro_batch_size, "sequences of a micro-batch"),
    ]
    if plan.strategy.pp == 1:
        found.append(Argument("gradient_accumulation_steps", plan.num_microbatches, "micro-batches of a step"))
    return tuple(found)


def _degrees(plan: Plan) -> Tree:
    s = plan.strategy
    found = [
        Argument("data_parallel", s.dp),
        Argument("model_parallel", s.tp, "tensor parallel"),
        Argument("pipeline_stage", s.pp),
        Argument("context_parallel", s.cp),
        Argument("context_parallel_algo", "ulysses_cp" if s.cp_kind == "ulysses" else "colossalai_cp"),
        Argument("use_seq_parallel", s.sequence_parallel and s.tp > 1),
        Argument("micro_batch_num", plan.num_microbatches if s.pp > 1 else 1, "micro-batches of a pipeline"),
    ]
    return (*found, Argument("expert_parallel", s.ep)) if plan.job.model.moe else tuple(found)


def _parallel(plan: Plan) -> Tree:
    s = plan.strategy
    ranks = s.cp * s.dp
    state = [
        Argument("gradient_accumulation_shard", s.zero > 1, f"ZeRO-{s.zero}"),
        Argument("parallel_optimizer_threshold", 64),
    ]
    if 0 < s.zero_group < ranks:
        state.append(Argument("optimizer_weight_shard_size", s.zero_group, "ranks of one sharding group"))
    found = [
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
        found.append(Argument("pipeline_config", schedule))
    return tuple(found)


def _recomputation(plan: Plan, limits: Limits) -> Tree:
    s = plan.strategy
    is_on = s.recompute != "none" and s.recompute_layers > 0
    full: bool | list[int] = is_on and s.recompute == "full"
    if full and s.recompute_layers < 1:
        count = recomputed_layers(plan, limits) or 0
        full = [count * s.vpp] * s.pp
    if is_on and s.recompute == "selective" and s.recompute_layers < 1:
        limits.refuse(f"selective recomputation of {s.recompute_layers:.0%} of the layers: it takes all of them")
    return (
        Argument("recompute", full, "layers of each stage, or all"),
        Argument("select_recompute", is_on and s.recompute == "selective"),
        Argument("parallel_optimizer_comm_recompute", s.zero == 3),
        Argument("mp_comm_recompute", True, "full recomputation repeats its communication, as priced"),
    )


def _model(plan: Plan, limits: Limits) -> Tree:
    model, job = plan.job.model, plan.job
    if model.family not in TYPES:
        limits.refuse(
            f"{model.name}: release 2.1.0 has no model of the family {model.family!r}; it has {', '.join(TYPES)}"
        )
    kind, name = TYPES.get(model.family, ("", ""))
    dtype = {"bf16": "bfloat16", "fp16": "float16"}.get(job.precision.linear, "float32")
    return (
        Argument("model_type", kind),
        Argument("architectures", name),
        Argument("seq_length", job.seq_len),
        Argument("vocab_size", model.vocab_size),
        Argument("hidden_size", model.hidden_size),
        Argument("intermediate_size", model.intermediate_size),
        Argument("num_hidden_layers", model.num_layers),
        Argument("num_attention_heads", model.num_attention_heads),
        Argument("num_key_value_heads", model.num_key_value_heads),
        *_attention(model),
        Argument("max_position_embeddings", max(model.max_position_embeddings, job.seq_len)),
        Argument("hidden_act", "silu"),
        Argument("tie_word_embeddings", model.tied_embeddings),
        Argument("add_bias_linear", model.mlp_bias),
        Argument("use_flash_attention", plan.strategy.flash_attention),
        Argument("params_dtype", "float32"),
        Argument("compute_dtype", dtype),
        Argument("offset", _offsets(plan), "layers of each stage beyond an even share"),
        *([Argument("pp_interleave_num", plan.strategy.vpp)] if plan.strategy.vpp > 1 else []),
        *_experts(model),
        *([Argument("num_nextn_predict_layers", model.num_mtp_layers)] if model.num_mtp_layers else []),
    )


def _attention(model: Model) -> Tree:
    if model.mla is None:
        return (Argument("head_dim", model.head_dim), Argument("qk_layernorm", model.qk_norm))
    a = model.mla
    ranks = {"q_lora_rank": a.q_lora_rank, "kv_lora_rank": a.kv_lora_rank, "v_head_dim": a.v_head_dim}
    heads = {"qk_nope_head_dim": a.qk_nope_head_dim, "qk_rope_head_dim": a.qk_rope_head_dim}
    return (Argument("multi_latent_attention", True), *(Argument(k, v) for k, v in (ranks | heads).items()))


def _experts(model: Model) -> Tree:
    if model.moe is None:
        return ()
    m, is_deepseek = model.moe, model.mla is not None
    found = [
        Argument("n_routed_experts" if is_deepseek else "num_experts", m.num_experts),
        Argument("num_experts_per_tok", m.top_k),
        Argument("moe_intermediate_size", m.intermediate_size),
        Argument("first_k_dense_replace", m.num_leading_dense),
        Argument("moe_grouped_gemm", True),
        Argument("moe_token_dispatcher_type", "alltoall"),
        Argument("moe_router_enable_expert_bias", m.router_bias),
    ]
    if m.shared_intermediate_size:
        found.append(Argument("n_shared_experts", m.shared_intermediate_size // m.intermediate_size))
    return tuple(found)


def _offsets(plan: Plan) -> list[int] | list[list[int]] | int:
    s = plan.strategy
    if s.pp == 1:
        return 0
    dealt = deal_layers(plan)
    base = plan.job.model.num_layers // (s.pp * s.vpp)
    rows = [[dealt[i][k] - base for i in range(s.pp)] for k in range(s.vpp)]
    if not any(any(row) for row in rows):
        return 0
    return rows[0] if s.vpp == 1 else rows


def _dataset(plan: Plan) -> Tree:
    columns = ["input_ids", "labels", "loss_mask", "position_ids", "attention_mask"]
    config = (
        Argument("seed", 1234),
        Argument("split", "1, 0, 0"),
        Argument("seq_length", plan.job.seq_len),
        Argument("eod_mask_loss", False),
        Argument("create_attention_mask", True),
        Argument("eod", 1, "FILL IN: your tokenizer's end of document"),
        Argument("pad", -1),
        Argument("data_path", ["1", "FILL-IN/data_prefix"], "FILL IN: share and prefix of each data set, without .bin"),
    )
    loader = (
        Argument("type", "BlendedMegatronDatasetDataLoader"),
        Argument("datasets_type", "GPTDataset"),
        Argument("sizes", [1000, 0, 0], "FILL IN: sequences to train on"),
        Argument("config", config),
    )
    return (
        Argument("data_loader", loader),
        Argument("input_columns", columns),
        Argument("construct_args_key", columns),
        Argument("num_parallel_workers", 8),
        Argument("drop_remainder", True),
        Argument("prefetch_size", 1),
        Argument("seed", 1234),
    )
