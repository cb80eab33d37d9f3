"""The model and its data in MindSpore Transformers' YAML.

Keys: MindSpore Transformers 2.1.0 (the configurations of Qwen3 and DeepSeek-V3).
"""

from __future__ import annotations

from tianji.exporters.contract import Limits
from tianji.exporters.formats.arguments import Argument, Tree
from tianji.exporters.plan_facts.layers import deal_layers
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


def model_tree(plan: Plan, limits: Limits) -> Tree:
    """Return the model's part of the file; a family that the release has not is refused."""
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
        Argument("hidden_act", model.mathematics.activation or "silu"),
        Argument("tie_word_embeddings", model.tied_embeddings),
        Argument("add_bias_linear", model.mlp_bias),
        Argument("use_flash_attention", plan.strategy.flash_attention),
        Argument("params_dtype", "float32"),
        Argument("compute_dtype", dtype),
        Argument("offset", _offsets(plan), "layers of each stage beyond an even share"),
        *([Argument("pp_interleave_num", plan.strategy.vpp)] if plan.strategy.vpp > 1 else []),
        *_experts(model),
        *_mathematics(model),
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
    arguments = [
        Argument("n_routed_experts" if is_deepseek else "num_experts", m.num_experts),
        Argument("num_experts_per_tok", m.top_k),
        Argument("moe_intermediate_size", m.intermediate_size),
        Argument("first_k_dense_replace", m.num_leading_dense),
        Argument("moe_grouped_gemm", True),
        Argument("moe_token_dispatcher_type", "alltoall"),
        Argument("moe_router_enable_expert_bias", m.router_bias),
    ]
    if m.shared_intermediate_size:
        arguments.append(Argument("n_shared_experts", m.shared_intermediate_size // m.intermediate_size))
    return tuple(arguments)


WRITTEN = frozenset(
    ("rope_theta", "norm_epsilon", "initializer_range", "router_scores", "router_normalises", "router_scale", "balance_weight",
     "activation", "balance")
)  # fmt: skip
"""Fields of a model's mathematics that the file has keys for."""


def _mathematics(model: Model) -> Tree:
    """Return what is trained beside the shape, as far as the model's configuration has keys for it."""
    m = model.mathematics
    pairs: dict[str, float | str | bool | None] = {
        "rope_theta": m.rope_theta, "rms_norm_eps": m.norm_epsilon, "initializer_range": m.initializer_range,
        "scoring_func": m.router_scores, "norm_topk_prob": m.router_normalises, "routed_scaling_factor": m.router_scale,
        "router_aux_loss_coef": m.balance_weight,
    }  # fmt: skip
    return tuple(Argument(key, value) for key, value in pairs.items() if value not in (0.0, "", None) or value is False)


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


def dataset_tree(plan: Plan) -> Tree:
    """Return the data's part of the file, with what the user fills in."""
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
