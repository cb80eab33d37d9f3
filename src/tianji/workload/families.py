"""How each family of language models spells its shape in a Hugging Face ``config.json``.

One :class:`Family` for each ``model_type``. The defaults and the traits are those of the family's own configuration and
modelling classes (https://github.com/huggingface/transformers/tree/main/src/transformers/models has a folder for each),
or of the classes in the model's repository where the library has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

Spellings: TypeAlias = dict[str, tuple[str, ...]]

BASE_WORDS = (
    "hidden_size",
    "num_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "intermediate_size",
    "vocab_size",
    "max_position_embeddings",
    "tie_word_embeddings",
    "sliding_window",
    "layer_types",
)
MOE_WORDS = (
    "num_experts",
    "top_k",
    "expert_size",
    "num_shared_experts",
    "shared_size",
    "num_leading_dense",
    "dense_layers",
    "sparse_step",
    "moe_layer_freq",
)
WINDOW_WORDS = ("use_sliding_window", "max_window_layers")
MLA_WORDS = ("q_lora_rank", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")


@dataclass(frozen=True, slots=True)
class Family:
    """What a ``model_type`` says about the shape of its models.

    ``spellings`` names the keys for our words where they differ; ``defaults`` is what a left-out key means; ``traits``
    are fields of :class:`Model` that the family's code fixes; ``flags`` are fields of Model that a key switches.
    """

    architectures: tuple[str, ...]
    spellings: Spellings = field(default_factory=dict)
    defaults: Mapping[str, object] = field(default_factory=dict)
    traits: Mapping[str, object] = field(default_factory=dict)
    flags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For a key of the file the fields of Model that are true when it is."""
    moe: bool = False
    moe_optional: bool = False
    """A missing number of experts means a dense model."""
    mla: bool = False
    shared_expert_gate: bool = False
    router_bias: bool = False
    window: str = "all"
    """Which layers a sliding window bounds unless ``layer_types`` says so: ``all``, ``alternate`` or ``upper``."""
    window_switched: bool = False
    """The window counts only where ``use_sliding_window`` is true."""
    learned_positions: int | None = None
    """Rows of a learned position table beyond ``max_position_embeddings``; None without such a table."""
    sandwich_norm_key: str = ""
    """The key that asks for norms after the attention and the MLP too (four in a layer)."""
    mlp_ratio: int = 0
    """Width of the MLP over ``hidden_size`` where the file states none."""
    must_be: Mapping[str, object] = field(default_factory=dict)
    """Keys that change the shape in a way not modelled, with the only value that is understood."""

    @property
    def words(self) -> tuple[str, ...]:
        """All words that this family's file may state."""
        extra = (MOE_WORDS if self.moe else ()) + (MLA_WORDS if self.mla else ())
        norms = (self.sandwich_norm_key,) if self.sandwich_norm_key else ()
        return (*BASE_WORDS, *extra, *self.flags, *self.must_be, *norms, *WINDOW_WORDS, "num_mtp_layers")


LAYERS = ("num_hidden_layers",)
COMMON: Spellings = {
    "num_layers": LAYERS,
    "top_k": ("num_experts_per_tok", "experts_per_token"),
    "expert_size": ("moe_intermediate_size",),
    "shared_size": ("shared_expert_intermediate_size",),
    "dense_layers": ("mlp_only_layers",),
    "sparse_step": ("decoder_sparse_step",),
    "num_mtp_layers": ("num_nextn_predict_layers",),
}
DEEPSEEK: Spellings = COMMON | {
    "num_experts": ("n_routed_experts",),
    "num_shared_experts": ("n_shared_experts",),
    "num_leading_dense": ("first_k_dense_replace",),
    "num_groups": ("n_group",),
    "groups_per_token": ("topk_group",),
}
PANGU: Spellings = COMMON | {
    "num_experts": ("num_routed_experts",),
    "num_leading_dense": ("num_dense_layers",),
    "num_mtp_layers": ("num_mtp_layers", "num_nextn_predict_layers"),
    "q_lora_rank": ("attention_q_lora_dim",),
    "kv_lora_rank": ("attention_kv_lora_dim",),
    "qk_nope_head_dim": ("attention_qk_dim",),
    "qk_rope_head_dim": ("attention_qk_rope_dim",),
    "v_head_dim": ("attention_v_dim",),
}
GPT2: Spellings = {
    "hidden_size": ("n_embd", "hidden_size"),
    "num_layers": ("n_layer", "num_hidden_layers"),
    "num_attention_heads": ("n_head", "num_attention_heads"),
    "intermediate_size": ("n_inner", "intermediate_size"),
    "max_position_embeddings": ("n_positions", "max_position_embeddings"),
}
BLOOM: Spellings = {
    "hidden_size": ("hidden_size", "n_embed"),
    "num_layers": ("n_layer", "num_hidden_layers"),
    "num_attention_heads": ("n_head", "num_attention_heads"),
    "max_position_embeddings": ("seq_length",),
}
CHATGLM: Spellings = {
    "num_layers": ("num_layers",),
    "num_key_value_heads": ("multi_query_group_num",),
    "head_dim": ("kv_channels",),
    "intermediate_size": ("ffn_hidden_size",),
    "vocab_size": ("padded_vocab_size", "vocab_size"),
    "max_position_embeddings": ("seq_length",),
}
OPT: Spellings = {"num_layers": LAYERS, "intermediate_size": ("ffn_dim",)}

ATTENTION_BIAS = {"attention_bias": ("qkv_bias", "output_bias")}
QKV_BIAS = {"attention_bias": ("qkv_bias",)}
ALL_BIASES = {"qkv_bias": True, "output_bias": True, "mlp_bias": True, "norm_bias": True}
TIED = {"tie_word_embeddings": True}
QWEN_WINDOW = {"sliding_window": 4096, "max_window_layers": 28}

_llama = Family(("LlamaForCausalLM",), COMMON, flags={**ATTENTION_BIAS, "mlp_bias": ("mlp_bias",)})
_deepseek = Family(
    ("DeepseekV2ForCausalLM",), DEEPSEEK, moe=True, moe_optional=True, mla=True, must_be={"attention_bias": False}
)
_deepseek_v3 = replace(_deepseek, architectures=("DeepseekV3ForCausalLM",), router_bias=True)
_glm = Family(
    ("GlmForCausalLM",), COMMON, {"attention_bias": True, "head_dim": 128, "num_key_value_heads": 2}, flags=QKV_BIAS
)
_gemma = Family(
    ("GemmaForCausalLM",),
    COMMON,
    {**TIED, "head_dim": 256},
    flags=ATTENTION_BIAS,
    must_be={"use_bidirectional_attention": None},
)

FAMILIES: dict[str, Family] = {
    "llama": _llama,
    "Yi": replace(_llama, architectures=("YiForCausalLM",)),
    "aquila": replace(_llama, architectures=("AquilaForCausalLM",)),
    "mistral": Family(("MistralForCausalLM",), COMMON, {"sliding_window": 4096, "num_key_value_heads": 8}),
    "mixtral": Family(
        ("MixtralForCausalLM",),
        COMMON | {"num_experts": ("num_local_experts",), "expert_size": ("intermediate_size",)},
        {"num_key_value_heads": 8},
        moe=True,
    ),
    "qwen2": Family(
        ("Qwen2ForCausalLM",), COMMON, QWEN_WINDOW, {"qkv_bias": True}, window="upper", window_switched=True
    ),
    "qwen2_moe": Family(
        ("Qwen2MoeForCausalLM",),
        COMMON,
        {**QWEN_WINDOW, "qkv_bias": True},
        flags={"qkv_bias": ("qkv_bias",)},
        moe=True,
        shared_expert_gate=True,
        window="upper",
        window_switched=True,
    ),
    "qwen3": Family(
        ("Qwen3ForCausalLM",),
        COMMON,
        {**QWEN_WINDOW, "head_dim": 128},
        {"qk_norm": True},
        flags=ATTENTION_BIAS,
        window="upper",
        window_switched=True,
    ),
    "qwen3_moe": Family(
        ("Qwen3MoeForCausalLM",),
        COMMON | {"num_experts": ("num_experts", "num_local_experts")},
        {"sliding_window": 4096, "num_key_value_heads": 4},
        {"qk_norm": True},
        flags=ATTENTION_BIAS,
        moe=True,
        window_switched=True,
    ),
    "deepseek_v2": _deepseek,
    "deepseek_v3": _deepseek_v3,
    "kimi_k2": replace(_deepseek_v3, architectures=("DeepseekV3ForCausalLM", "KimiK2ForCausalLM")),
    "glm": _glm,
    "glm4": replace(_glm, architectures=("Glm4ForCausalLM",), traits={"num_norms": 4}),
    "chatglm": Family(
        ("ChatGLMModel", "ChatGLMForConditionalGeneration", "ChatGLMForCausalLM"),
        CHATGLM,
        flags={"add_qkv_bias": ("qkv_bias",)},
        must_be={"add_bias_linear": False, "rmsnorm": True, "multi_query_attention": True},
    ),
    "glm4_moe": Family(
        ("Glm4MoeForCausalLM",),
        DEEPSEEK,
        {"num_key_value_heads": 8},
        flags={**QKV_BIAS, "use_qk_norm": ("qk_norm",)},
        moe=True,
        router_bias=True,
    ),
    "gpt_oss": Family(
        ("GptOssForCausalLM",),
        COMMON | {"num_experts": ("num_local_experts",), "expert_size": ("intermediate_size",)},
        {"attention_bias": True, "head_dim": 64, "sliding_window": 128},
        {"mlp_bias": True, "attention_sinks": True},
        flags=ATTENTION_BIAS,
        moe=True,
        router_bias=True,
        window="alternate",
    ),
    "gpt2": Family(
        ("GPT2LMHeadModel",),
        GPT2,
        TIED,
        {**ALL_BIASES, "gated_mlp": False},
        learned_positions=0,
        mlp_ratio=4,
        must_be={"add_cross_attention": False},
    ),
    "bloom": Family(
        ("BloomForCausalLM",), BLOOM, TIED, {**ALL_BIASES, "gated_mlp": False, "embedding_norm": True}, mlp_ratio=4
    ),
    "opt": Family(
        ("OPTForCausalLM",),
        OPT,
        {**TIED, "enable_bias": True},
        {"gated_mlp": False, "norm_bias": True},
        flags={"enable_bias": ("qkv_bias", "output_bias", "mlp_bias")},
        learned_positions=2,
        must_be={"_remove_final_layer_norm": False, "layer_norm_elementwise_affine": True},
    ),
    "gemma": _gemma,
    "gemma2": replace(
        _gemma,
        architectures=("Gemma2ForCausalLM",),
        defaults={**TIED, "head_dim": 256, "sliding_window": 4096},
        traits={"num_norms": 4},
        window="alternate",
    ),
    "phi3": Family(("Phi3ForCausalLM",), COMMON),
    "baichuan": Family(("BaichuanForCausalLM", "BaiChuanForCausalLM"), COMMON),
    "internlm": Family(("InternLMForCausalLM",), COMMON, {"bias": True}, flags={"bias": ("qkv_bias", "output_bias")}),
    "internlm2": Family(
        ("InternLM2ForCausalLM",), COMMON, {"bias": False}, flags={"bias": ("qkv_bias", "output_bias")}
    ),
    "PanguEmbedded": Family(
        ("PanguEmbeddedForCausalLM",),
        COMMON,
        {"bias": True},
        flags={"bias": ("qkv_bias", "output_bias")},
        sandwich_norm_key="sandwich_norm",
        must_be={"param_sink_number": None},
    ),
    "pangu_ultra_moe": Family(
        ("PanguUltraMoEForCausalLM",),
        PANGU,
        moe=True,
        mla=True,
        sandwich_norm_key="sandwich_norm",
        must_be={"attention_bias": False},
    ),
}
"""All families that are understood, by ``model_type``."""
