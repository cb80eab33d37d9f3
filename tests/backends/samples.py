"""Tiny models of every kind that the trainer knows, and plans for them; without torch."""

from typing import Any

from tianji.catalog import load_pool
from tianji.parallel import Strategy
from tianji.parallel.plan import Plan
from tianji.workload import Job, Model, find_precision
from tianji.workload.huggingface import read_config

SIZES = {
    "hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 4, "intermediate_size": 96,
    "vocab_size": 256,
}  # fmt: skip
QWEN_EXPERTS = {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "norm_topk_prob": True}
DEEPSEEK = {
    "num_key_value_heads": 8, "n_routed_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 32,
    "n_shared_experts": 1, "first_k_dense_replace": 1, "q_lora_rank": 32, "kv_lora_rank": 16, "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 8, "v_head_dim": 8, "num_nextn_predict_layers": 0,
}  # fmt: skip
DELTA = {
    "full_attention_interval": 2, "linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 16,
    "linear_value_head_dim": 12, "linear_conv_kernel_dim": 4, "shared_expert_intermediate_size": 32, "decoder_sparse_step": 1,
    "mlp_only_layers": [],
}  # fmt: skip
MINIMAX = {"layer_types": ["linear_attention", "full_attention"] * 2, "num_local_experts": 4, "num_experts_per_tok": 2}
MAMBA = {
    "hybrid_override_pattern": "ME*M", "mamba_num_heads": 8, "mamba_head_dim": 8, "ssm_state_size": 12, "n_groups": 2,
    "conv_kernel": 4, "n_routed_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 32,
    "moe_shared_expert_intermediate_size": 32, "moe_latent_size": 0,
}  # fmt: skip
CONFIGS: dict[str, dict[str, Any]] = {
    "llama": {"model_type": "llama", **SIZES},
    "qwen": {"model_type": "qwen3", "head_dim": 8, **SIZES},
    "tied": {"model_type": "qwen2", "tie_word_embeddings": True, **SIZES},
    "qwen-moe": {"model_type": "qwen3_moe", "head_dim": 8, **SIZES, **QWEN_EXPERTS},
    "deepseek": {"model_type": "deepseek_v3", **SIZES, **DEEPSEEK},
    "windowed": {
        "model_type": "gemma3_text",
        **SIZES,
        "head_dim": 8,
        "sliding_window": 11,
        "sliding_window_pattern": 2,
        "tie_word_embeddings": False,
    },
    "delta": {"model_type": "qwen3_next", "head_dim": 8, **SIZES, **QWEN_EXPERTS, **DELTA},
    "lightning": {"model_type": "minimax", "head_dim": 8, **SIZES, **MINIMAX},
    "mamba": {"model_type": "nemotron_h", "head_dim": 8, **SIZES, **MAMBA},
}
STEPS, SEQ_LEN, BATCH, RATE = 3, 32, 8, 0.1


def model_of(name: str) -> Model:
    return read_config(CONFIGS[name], name)


def plan_of(name: str, strategy: dict[str, Any], precision: str = "fp32") -> Plan:
    return Plan(
        Job(model_of(name), SEQ_LEN, BATCH, find_precision(precision)), load_pool("hgx-h100"), Strategy(**strategy)
    )
