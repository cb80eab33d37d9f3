"""The model of a Megatron or MindSpeed launch script."""

from __future__ import annotations

import re

from tianji.errors import FormatError, UnsupportedModelError
from tianji.exporters.formats.layer_patterns import MAX_LAYERS, read_pattern
from tianji.exporters.launch_reader.moe import read_moe
from tianji.exporters.launch_reader.options import Options
from tianji.workload import MLA, Model


def read_model(options: Options, name: str, assumed: list[str]) -> Model:
    """Return the model; what the framework takes where the script is silent is added to ``assumed``.

    Raises FormatError for a missing size, UnsupportedModelError for layers in an order that Tianji's models do not have.
    """
    hidden, heads = options.count("--hidden-size"), options.count("--num-attention-heads")
    _refuse_hybrids(options)
    if options.has("--lora-r"):
        assumed.append("--lora-r: adapters alone are trained, and the price is that of training all weights")
    layers = _count_layers(options, assumed)
    gated = options.has("--swiglu", "--geglu")
    mla = _read_mla(options) if options.has("--multi-latent-attention") else None
    window = _read_window(options)
    grouped = options.has("--group-query-attention")
    groups = options.count("--num-query-groups", heads)
    length = options.count("--max-position-embeddings", options.count("--seq-length"))
    is_learned = not options.has("--use-rotary-position-embeddings") and (
        options.text("--position-embedding-type", "learned_absolute") == "learned_absolute"
    )
    qkv, others = _read_biases(options)
    intermediate = options.count("--ffn-hidden-size", _usual_width(hidden, gated))
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
        moe=read_moe(options, layers, intermediate, assumed),
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
    )


def _refuse_hybrids(options: Options) -> None:
    for name in ("--hybrid-layer-pattern", "--hybrid-override-pattern", "--mamba-state-dim", "--linear-num-key-heads"):
        if options.has(name):
            raise UnsupportedModelError(
                f"{options.where}: {name}: Tianji's models have attention in every layer, none of state space or linear attention"
            )


def _count_layers(options: Options, assumed: list[str]) -> int:
    layers = options.count("--num-layers")
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


VOCABULARIES = {"GPT2BPETokenizer": 50257, "Llama2Tokenizer": 32000, "BertWordPieceLowerCase": 30522}
"""Sizes of the vocabularies that a tokenizer's type fixes."""
USUAL_VOCABULARY = 32000


def _read_vocabulary(options: Options, assumed: list[str]) -> int:
    for name in ("--padded-vocab-size", "--vocab-size"):
        if options.has(name):
            return options.count(name)
    # Merges of byte pairs are GPT-2's.
    kind = options.text("--tokenizer-type") or ("GPT2BPETokenizer" if options.has("--merge-file") else "")
    if kind in VOCABULARIES:
        assumed.append(f"{VOCABULARIES[kind]:,} tokens in the vocabulary, as in every {kind}")
        return VOCABULARIES[kind]
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
