"""The model of a Megatron or MindSpeed launch script."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from tianji.errors import FormatError, UnsupportedModelError
from tianji.exporters.formats.layer_patterns import MAX_LAYERS, read_pattern
from tianji.exporters.launch_reader.mathematics import read_options_mathematics
from tianji.exporters.launch_reader.moe import read_moe
from tianji.exporters.launch_reader.named_models import find_like, find_named_model
from tianji.exporters.launch_reader.options import Options
from tianji.workload import MLA, Model
from tianji.workload.huggingface import read_config

GATED = ("--swiglu", "--geglu", "--gelu-tanh", "--quick-geglu")
"""Activations with a gate: Megatron-LM's, and MindSpeed-LLM's, whose ``--gelu-tanh`` sets one too (core/transformer/mlp.py)."""


def read_model(options: Options, name: str, assumed: list[str]) -> Model:
    """Return the model; what the framework takes where the script is silent is added to ``assumed``.

    Raises FormatError for a missing size, UnsupportedModelError for layers in an order that Tianji's models do not have.
    """
    if options.model is not None:
        return _take_named(options, options.model)
    hidden, heads = options.count("--hidden-size"), options.count("--num-attention-heads")
    if hybrid := _find_hybrid(options, hidden, heads, assumed):
        return hybrid
    if is_encoder_decoder(options):
        return _read_encoder_decoder(options, hidden, heads, assumed)
    layers = _count_layers(options, assumed)
    gated = options.has(*GATED)
    mla = _read_mla(options) if options.has("--multi-latent-attention") else None
    window = _read_window(options)
    grouped = options.has("--group-query-attention")
    groups = options.count("--num-query-groups", heads)
    length = options.count("--max-position-embeddings", options.count("--seq-length"))
    is_learned = not options.has("--use-rotary-position-embeddings") and (
        options.text("--position-embedding-type", "learned_absolute") == "learned_absolute"
    )
    qkv, others = _read_biases(options)
    width = "--ffn-hidden-size" if "--ffn-hidden-size" in options.values else "--intermediate-size"
    intermediate = options.count(width, _usual_width(hidden, gated))
    moe = read_moe(options, layers, intermediate, assumed)
    return Model(
        name=name,
        family="megatron",
        hidden_size=hidden,
        num_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=groups if grouped and not mla else heads,
        head_dim=options.count("--kv-channels", max(hidden // heads, 1)),
        intermediate_size=intermediate,
        vocab_size=_read_vocabulary(options, assumed),
        gated_mlp=gated,
        tied_embeddings=not options.has("--untie-embeddings-and-output-weights"),
        mla=mla,
        moe=moe,
        num_mtp_layers=options.count("--mtp-num-layers", 0, least=0),
        sliding_window=window,
        num_sliding_layers=_count_windowed(options, layers) if window else 0,
        max_position_embeddings=0 if is_learned else length,
        learned_positions=length if is_learned else 0,
        qkv_bias=qkv,
        output_bias=others,
        mlp_bias=others,
        norm_bias=options.text("--normalization", "LayerNorm") == "LayerNorm",
        qk_norm=options.has("--qk-layernorm") and not mla,
        num_norms=4 if options.has("--post-norm") else 2,
        attention_sinks=options.text("--softmax-type", "vanilla") == "learnable",
        source="launch script",
        mathematics=read_options_mathematics(options, has_experts=moe is not None, gated=gated),
    )


def _take_named(options: Options, model: Model) -> Model:
    """Return the model that a launch names, with the layers for further tokens that it asks for."""
    layers = options.count("--num-layers", 0)
    if layers and layers != model.num_layers and not model.blocks:
        model = replace(model, num_layers=layers)
    if options.has("--mtp-num-layers"):
        model = replace(model, num_mtp_layers=options.count("--mtp-num-layers", 0, least=0))
    return model


def _find_hybrid(options: Options, hidden: int, heads: int, assumed: list[str]) -> Model | None:
    """Return the catalog's model with layers of several kinds that a script's sizes are of; None for layers of one kind.

    Raises UnsupportedModelError where no model of the catalog has these sizes.
    """
    if options.has("--experimental-attention-variant") and "--linear-attention-freq" in options.values:
        return _read_delta_nets(options, hidden, heads, assumed)
    for name in ("--hybrid-layer-pattern", "--hybrid-override-pattern", "--mamba-state-dim", "--linear-num-key-heads"):
        if options.has(name):
            layers = options.count("--num-layers", 0)
            if "pattern" in name and set(options.text(name) or "") <= set("M*-E|/"):
                return _read_hybrid(options, hidden, heads, (options.text(name) or "").replace("|", ""), assumed)
            stated = {"groups": "--num-query-groups"}
            stated |= {} if options.has("--num-experts") else {"ffn": "--ffn-hidden-size"}
            sizes = {key: options.count(option) for key, option in stated.items() if options.has(option)}
            sizes |= {"hidden": hidden, "layers": layers, "heads": heads}
            if model := find_like(sizes | {"experts": options.count("--num-experts", 0, least=0)}):
                assumed.append(f"{name}: the model is {model.name} of the catalog, by its sizes")
                return model
            raise UnsupportedModelError(
                f"{options.where}: {name}: layers of state space or linear attention are read for models of the catalog, and none"
                f" has {layers} layers of {hidden} with {heads} heads; give its config.json with --set model=PATH"
            )
    return None


def _read_delta_nets(options: Options, hidden: int, heads: int, assumed: list[str]) -> Model:
    """Return the model of a script with gated delta nets in some layers, attention in the others.

    Raises UnsupportedModelError for another variant of attention, and where what is said of it is not Qwen3-Next's.
    """
    variant = options.text("--experimental-attention-variant")
    gate, shared = options.has("--attention-output-gate"), options.has("--moe-shared-expert-gate")
    has_experts = "--num-experts" in options.values
    if variant not in ("gated_delta_net", "gdn") or not gate or not options.has("--qk-layernorm"):
        raise UnsupportedModelError(
            f"{options.where}: --experimental-attention-variant {variant}: read are gated delta nets beside attention with a "
            f"gate and norms on queries and keys; give the model's config.json with --set model=PATH"
        )
    if has_experts and not shared:
        raise UnsupportedModelError(
            f"{options.where}: experts beside gated delta nets without --moe-shared-expert-gate"
        )
    layers = options.count("--num-layers")
    text = options.text("--linear-attention-freq") or ""
    kinds = read_pattern(text, options.where) if "[" in text else [int((i + 1) % int(text) > 0) for i in range(layers)]
    config = {
        "model_type": "qwen3_next", "num_hidden_layers": layers, "hidden_size": hidden, "num_attention_heads": heads,
        "num_key_value_heads": options.count("--num-query-groups", heads), "vocab_size": _read_vocabulary(options, assumed),
        "head_dim": options.count("--kv-channels", max(hidden // heads, 1)),
        "tie_word_embeddings": not options.has("--untie-embeddings-and-output-weights"),
        "intermediate_size": options.count("--ffn-hidden-size", 4 * hidden),
        "layer_types": ["linear_attention" if kind else "full_attention" for kind in kinds],
        "linear_conv_kernel_dim": options.count("--linear-conv-kernel-dim", 4),
        "linear_key_head_dim": options.count("--linear-key-head-dim", 128),
        "linear_value_head_dim": options.count("--linear-value-head-dim", 128),
        "linear_num_key_heads": options.count("--linear-num-key-heads", 16),
        "linear_num_value_heads": options.count("--linear-num-value-heads", 32),
        "max_position_embeddings": options.count("--max-position-embeddings", options.count("--seq-length")),
        "mtp_num_hidden_layers": options.count("--mtp-num-layers", 0, least=0), "decoder_sparse_step": 1,
        "num_experts": options.count("--num-experts", 0, least=0),
    }  # fmt: skip
    if has_experts:
        width = options.count("--moe-ffn-hidden-size", config["intermediate_size"])  # type: ignore[arg-type]
        config |= {
            "num_experts_per_tok": options.count("--moe-router-topk", 2), "moe_intermediate_size": width,
            "shared_expert_intermediate_size": options.count("--moe-shared-expert-intermediate-size", 0, least=0),
        }  # fmt: skip
    options.has("--group-query-attention", "--moe-layer-freq", "--moe-grouped-gemm", "--apply-layernorm-1p")
    model = read_config(config, Path(options.where).stem or "model", options.where)
    return replace(model, mathematics=read_options_mathematics(options, has_experts=has_experts, gated=True))


def _read_hybrid(options: Options, hidden: int, heads: int, pattern: str, assumed: list[str]) -> Model:
    """Return the model of a pattern of Mamba (M), attention (*), MLP (-) and expert (E) layers.

    Sizes of its Mamba layers that the script leaves out are Megatron's: states of 128, heads of 64, 8 groups.
    """
    pattern = pattern.split("/", maxsplit=1)[0]
    head = options.count("--mamba-head-dim", 64)
    config = {
        "model_type": "nemotron_h", "hybrid_override_pattern": pattern, "num_hidden_layers": len(pattern), "hidden_size": hidden,
        "num_attention_heads": heads, "num_key_value_heads": options.count("--num-query-groups", heads),
        "head_dim": options.count("--kv-channels", max(hidden // heads, 1)), "mamba_head_dim": head,
        "mamba_num_heads": options.count("--mamba-num-heads", max(2 * hidden // head, 1)), "conv_kernel": 4,
        "ssm_state_size": options.count("--mamba-state-dim", 128), "n_groups": options.count("--mamba-num-groups", 8),
        "intermediate_size": options.count("--ffn-hidden-size", 4 * hidden), "vocab_size": _read_vocabulary(options, assumed),
        "tie_word_embeddings": not options.has("--untie-embeddings-and-output-weights"),
    }  # fmt: skip
    if "E" in pattern:
        config |= {
            "n_routed_experts": options.count("--num-experts"), "num_experts_per_tok": options.count("--moe-router-topk", 2),
            "moe_intermediate_size": options.count("--moe-ffn-hidden-size", options.count("--ffn-hidden-size", 4 * hidden)),
            "moe_shared_expert_intermediate_size": options.count("--moe-shared-expert-intermediate-size", 0, least=0),
        }  # fmt: skip
    options.has("--group-query-attention", "--attention-backend", "--moe-grouped-gemm")
    model = read_config(config, Path(options.where).stem or "model", options.where)
    has_experts = "E" in pattern
    return replace(model, mathematics=read_options_mathematics(options, has_experts=has_experts, gated=False))


def is_encoder_decoder(options: Options) -> bool:
    """Return whether a script trains an encoder with a decoder: it has a length for each."""
    return "--encoder-seq-length" in options.values and "--decoder-seq-length" in options.values


def _read_encoder_decoder(options: Options, hidden: int, heads: int, assumed: list[str]) -> Model:
    """Return the model of ``pretrain_t5.py``: an encoder and a decoder with cross attention, of the family of T5."""
    layers = options.count("--encoder-num-layers" if options.has("--encoder-num-layers") else "--num-layers")
    long, short = sorted((options.count("--encoder-seq-length"), options.count("--decoder-seq-length")), reverse=True)
    if short < long:
        assumed.append(
            f"encoder and decoder with {long:,} tokens each, where one has {short:,}: time and memory err high"
        )
    config = {
        "model_type": "t5",
        "d_model": hidden,
        "num_heads": heads,
        "d_kv": options.count("--kv-channels", max(hidden // heads, 1)),
        "d_ff": options.count("--ffn-hidden-size", 4 * hidden),
        "num_layers": layers,
        "num_decoder_layers": options.count("--decoder-num-layers", layers),
        "vocab_size": _read_vocabulary(options, assumed),
    }
    return read_config(config, Path(options.where).stem or "model", options.where)


def _count_layers(options: Options, assumed: list[str]) -> int:
    name = "--num-layers" if options.has("--num-layers") else "--encoder-num-layers"
    layers = options.count(name if options.has(name) else "--num-layers")
    if layers > MAX_LAYERS:
        raise FormatError(f"{options.where}: --num-layers {layers:,} is absurd; expected at most {MAX_LAYERS:,}")
    empty = options.text("--noop-layers")
    if empty is None:
        return layers
    count = len({w for w in re.split(r"[,\s]+", empty) if w})
    assumed.append(f"--noop-layers: {count} of the {layers} layers are empty; {layers - count} are counted")
    if count >= layers:
        raise FormatError(f"{options.where}: --noop-layers {empty} leaves none of the {layers} layers")
    return layers - count


def _usual_width(hidden: int, gated: bool) -> int:
    # Megatron's default: four times the hidden size, or two thirds of it in multiples of 64 with a gate.
    return max(int(4 * hidden * 2 / 3 / 64) * 64, 64) if gated else 4 * hidden


VOCABULARIES = {
    "GPT2BPETokenizer": 50257,
    "Llama2Tokenizer": 32000,
    "BertWordPieceLowerCase": 30522,
    "BertWordPieceCase": 28996,
}
"""Sizes of the vocabularies that a tokenizer's type fixes."""
USUAL_VOCABULARY = 32000


def _read_vocabulary(options: Options, assumed: list[str]) -> int:
    for name in ("--padded-vocab-size", "--vocab-size"):
        if options.has(name):
            return options.count(name)
    name = (options.texts("--tokenizer-model") or options.texts("--tokenizer-name-or-path") or [""])[0]
    if name and "${" not in name and (entry := find_named_model(name)):
        assumed.append(f"{entry[0].vocab_size:,} tokens in the vocabulary, by the tokenizer's name {name}")
        return entry[0].vocab_size
    # Merges of byte pairs are GPT-2's.
    kind = options.text("--tokenizer-type") or ("GPT2BPETokenizer" if options.has("--merge-file") else "")
    if kind in VOCABULARIES:
        assumed.append(f"{VOCABULARIES[kind]:,} tokens in the vocabulary, as in every {kind}")
        return VOCABULARIES[kind]
    unit = options.count("--make-vocab-size-divisible-by", 128) * options.count("--tensor-model-parallel-size", 1)
    if unit > USUAL_VOCABULARY and options.has("--make-vocab-size-divisible-by"):
        assumed.append(f"{unit:,} tokens in the vocabulary, to which --make-vocab-size-divisible-by pads a smaller one")
        return unit
    assumed.append(
        f"{USUAL_VOCABULARY:,} tokens in the vocabulary: the script leaves it to its tokenizer; add --vocab-size N to be sure"
    )
    return USUAL_VOCABULARY


def _read_mla(options: Options) -> MLA:
    # The defaults are those of Megatron's MLATransformerConfig.
    return MLA(
        q_lora_rank=options.count("--q-lora-rank", 0),
        kv_lora_rank=options.count("--kv-lora-rank", 32),
        qk_nope_head_dim=options.count("--qk-head-dim", 128),
        qk_rope_head_dim=options.count("--qk-pos-emb-head-dim", 64),
        v_head_dim=options.count("--v-head-dim", 128),
    )


def _read_biases(options: Options) -> tuple[bool, bool]:
    everywhere = not options.has("--disable-bias-linear")
    return options.has("--add-qkv-bias") or everywhere, everywhere


def _read_window(options: Options) -> int:
    text = " ".join(options.texts("--window-size"))
    numbers = re.findall(r"-?\d+", text)
    return int(numbers[0]) + 1 if numbers and int(numbers[0]) >= 0 else 0


def _count_windowed(options: Options, layers: int) -> int:
    text = options.text("--window-attn-skip-freq")
    if text is None:
        return layers
    if "[" in text:
        return min(sum(read_pattern(text, options.where)), layers)
    every = options.count("--window-attn-skip-freq")
    return layers - layers // every
