"""Keys that a family does not read: refused where they announce a structure that it lacks, named where they might."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping

from tianji.errors import UnsupportedModelError
from tianji.workload.class_facts import keys_known
from tianji.workload.family_files import FamilyFile

SHARED = "shared experts"
STRUCTURES = {
    "kv_lora_rank": "multi-head latent attention",
    "attention_kv_lora_dim": "multi-head latent attention",
    "num_experts": "a mixture of experts",
    "num_local_experts": "a mixture of experts",
    "n_routed_experts": "a mixture of experts",
    "num_routed_experts": "a mixture of experts",
    "moe_num_experts": "a mixture of experts",
    "n_shared_experts": SHARED,
    "num_shared_experts": SHARED,
    "shared_expert_intermediate_size": "a shared expert",
    "moe_layers": "experts in some of the layers",
    "interleave_moe_layer_step": "experts in every so many layers",
    "intermediate_size_mlp": "dense layers of another width",
    "index_topk": "attention to selected tokens (an indexer)",
    "compress_ratios": "compressed attention",
    "hc_mult": "hyper-connections",
    "attention_chunk_size": "chunked attention",
    "linear_num_key_heads": "linear attention layers",
    "linear_attn_config": "linear attention layers",
    "mamba_d_state": "state-space layers",
    "mamba_num_heads": "state-space layers",
    "ssm_state_size": "state-space layers",
    "hybrid_override_pattern": "layers of several kinds",
    "layers_block_type": "layers of several kinds",
    "cross_attention_layers": "cross-attention layers",
    "block_configs": "layers of several shapes",
    "altup_num_inputs": "alternating updates",
    "num_kv_shared_layers": "layers that share keys and values",
    "hidden_size_per_layer_input": "per-layer embeddings",
    "zero_expert_num": "experts that compute nothing",
}
"""Keys that announce a structure; a family that does not own such a key does not have that structure."""

INERT = frozenset(
    {
        "_attn_implementation_autoset", "activation_function", "architectures", "attention_dropout",
        "attn_implementation", "attn_logit_softcapping", "attn_pdrop", "auto_map", "aux_loss_alpha", "bos_token_id",
        "cache_implementation", "chunk_size", "chunk_size_feed_forward", "dtype", "embd_pdrop",
        "encoder_no_repeat_ngram_size", "eod_token_id", "eos_token_id", "ep_size", "final_logit_softcapping",
        "hidden_act", "hidden_activation", "hidden_dropout", "id2label", "im_end_id", "im_start_id",
        "initial_context_length", "initializer_range", "is_encoder_decoder", "label2id", "layer_norm_eps",
        "layer_norm_epsilon", "layernorm_epsilon", "max_length", "max_position_embeddings", "min_length",
        "model_max_length", "model_type", "n_ctx", "no_repeat_ngram_size", "norm_eps", "norm_epsilon", "norm_topk_prob",
        "num_beam_groups", "num_beams", "num_logits_to_keep", "num_return_sequences",
        "original_max_position_embeddings", "output_attentions", "output_hidden_states", "output_router_logits",
        "pad_token_id", "partial_rotary_factor", "pretraining_tp", "problem_type", "qk_head_dim", "quantization_config",
        "query_pre_attn_scalar", "rescale_prenorm_residual", "resid_pdrop", "residual_in_fp32", "return_dict",
        "rms_norm_eps", "rope_interleave", "rope_parameters", "rope_scaling", "rope_theta", "rotary_dim",
        "routed_scaling_factor", "router_aux_loss_coef", "router_jitter_noise", "scoring_func", "sep_token_id",
        "seq_aux", "time_step_limit", "time_step_max", "time_step_min", "tokenizer_class", "top_k", "topk_method",
        "torch_dtype", "transformers_version", "unk_token_id", "use_cache",
        "mamba_chunk_size", "dim_model_base", "scale_emb", "scale_depth", "embedding_multiplier",
        "logits_scaling", "mup_denominator", "mlp_multipliers", "ssm_multipliers", "swiglu_limits", "swiglu_limits_shared",
        "partial_rotary_factors", "compress_rope_theta", "rope_local_base_freq", "no_rope_layers", "no_rope_layer_interval",
        "route_norm", "norm_expert_weight", "org_vocab_size", "layer_switch", "transformers.js_config",
        "moe_layer_end_index", "use_moe",
    }
)  # fmt: skip
"""Keys on which no shape and no count hangs, or that repeat what other keys say."""


PLAIN_KINDS = frozenset({"full_attention", "dense"})
"""Words of lists such as ``layer_types`` that announce nothing."""


def refuse_foreign(data: Mapping[str, object], kind: str, family: FamilyFile, where: str) -> None:
    """Refuse keys that announce a structure which the family does not have.

    A file that was given another name than its own has such keys. Raises UnsupportedModelError.
    """
    own, known = family.keys() | INERT | set(family.ignored), keys_known(family.same_class.get(kind, kind))
    for key, value in data.items():
        structure = STRUCTURES.get(key)
        one = value == 1 and not isinstance(value, bool) and structure == SHARED
        if key in own or key in known or not (one or _is_loud(value)):
            continue
        if key == "layer_types" and isinstance(value, list) and (strange := {str(v) for v in value} - PLAIN_KINDS):
            structure = f"layers of kind {', '.join(sorted(strange))}"
        if structure:
            raise UnsupportedModelError(
                f"{where}: {key} = {reprlib.repr(value)} announces {structure}, which the family {kind} does not have; set "
                f"model_type to the family that the model is of"
            )


def _is_loud(value: object) -> bool:
    """Return whether a value may add something: a switch that is off, a text or null does not."""
    return not (value is None or isinstance(value, str | bool | float)) and value not in (0, 1, [], {})


INERT_ENDS = ("_token_id", "_token_index", "_coef", "_eps", "_id")
PART = re.compile(
    r".*(vision|audio|speech|image|video|visual|talker|tower|projector|quantization|compression|generation|text|llm|language|"
    r"thinker|decoder|code2wav|vq|tts|encoder|vit|perceiver|adapter|resampler)\w*_config"
)
"""Objects that describe another part of the model, or how it is stored; the reader of parts names them."""


def _is_uniform(value: object) -> bool:
    return isinstance(value, list) and len(set(map(str, value))) <= 1


SWITCH_WORDS = (
    "attn",
    "attention",
    "conv",
    "expert",
    "gate",
    "head",
    "hybrid",
    "layer",
    "mla",
    "mlp",
    "moe",
    "norm",
    "shared",
)
"""A switch that is on, or a text, may change a structure where its key has one of these words."""
NO_STRUCTURE = (
    "act",
    "backend",
    "dtype",
    "fp32",
    "func",
    "fusion",
    "implementation",
    "kernel",
    "renormalize",
    "rope",
    "scal",
    "softmax",
)
"""Words of keys that say how something is computed, not what."""


def _may_switch(key: str, value: object) -> bool:
    return (value is True or (isinstance(value, str) and value != "")) and (
        any(word in key for word in SWITCH_WORDS) and not any(word in key for word in NO_STRUCTURE)
    )


def unread_keys(family: FamilyFile, data: Mapping[str, object]) -> str:
    """Return a remark that names the keys of a file which are neither read nor known to be without effect on a shape.

    A number above 1, a list and an object count, and a switch that is on or a text where the key speaks of a structure.
    """
    read = family.keys() | INERT | set(family.ignored)
    loud = [
        key
        for key, value in data.items()
        if key not in read
        and not (key in ("layer_types", "mlp_layer_types") and _is_uniform(value))
        and not key.startswith("_")
        and (_is_loud(value) or _may_switch(key, value))
        and not key.endswith(INERT_ENDS)
        and not PART.fullmatch(key)
    ]
    if data.get("tie_word_embeddings") is True and family.model.get("tied") is False:
        loud.append("tie_word_embeddings")
    return f"not read: {', '.join(sorted(loud))}" if loud else ""
