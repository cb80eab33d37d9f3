"""The model of a Megatron or MindSpeed launch script."""

from __future__ import annotations

import re

from tianji.errors import FormatError, UnsupportedModelError
from tianji.export.formats.layer_patterns import MAX_LAYERS, read_pattern
from tianji.export.launch_reader.options import Options
from tianji.workload import MLA, Model, MoE


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
        moe=_read_moe(options, layers, intermediate, assumed),
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


def _read_moe(options: Options, layers: int, intermediate: int, assumed: list[str]) -> MoE | None:
    if not options.has("--num-experts"):
        return None
    width = options.count("--moe-ffn-hidden-size", intermediate)
    leading, step = _read_frequency(options, layers, assumed)
    shared = options.count("--n-shared-experts", 0, least=0) * width
    shared = options.count("--moe-shared-expert-intermediate-size", shared, least=0)
    experts, top_k = options.count("--num-experts"), options.count("--moe-router-topk", 2)
    if top_k > experts:
        raise FormatError(f"{options.where}: --moe-router-topk {top_k} of only --num-experts {experts}")
    groups, chosen = _read_routing(options, experts)
    return MoE(
        num_experts=experts,
        top_k=top_k,
        intermediate_size=width,
        shared_intermediate_size=shared,
        num_leading_dense=leading,
        layer_step=step,
        shared_expert_gate=options.has("--moe-shared-expert-gate", "--use-shared-expert-gate"),
        router_bias=options.has("--moe-router-enable-expert-bias"),
        num_groups=groups,
        groups_per_token=chosen,
    )


def _read_routing(options: Options, experts: int) -> tuple[int, int]:
    """Return the groups of experts and from how many a token's experts come; without a limit there is one group."""
    groups, chosen = options.count("--moe-router-num-groups", 1), options.count("--moe-router-group-topk", 1)
    if chosen > groups or experts % groups:
        raise FormatError(
            f"{options.where}: --moe-router-group-topk {chosen} of --moe-router-num-groups {groups}; expected no more than there"
            f" are, and groups that divide the {experts} experts"
        )
    return groups, chosen


def _read_frequency(options: Options, layers: int, assumed: list[str]) -> tuple[int, int]:
    """Return how many leading layers are dense and the step of MoE layers after them."""
    text = options.text("--moe-layer-freq", "1") or "1"
    # MindSpeed's scripts say -1 where there are none such.
    leading = (
        0 if options.text("--first-k-dense-replace") == "-1" else options.count("--first-k-dense-replace", 0, least=0)
    )
    if text == "-1":
        return min(leading, layers), 1
    if "[" not in text:
        step = options.count("--moe-layer-freq", 1)
        if step > 1:
            assumed.append(
                f"--moe-layer-freq {step}: counted as the last of every {step} layers, the framework takes the first"
            )
        return min(leading, layers), step
    pattern = read_pattern(text, options.where)[:layers]
    if 1 not in pattern:
        return layers, 1
    first = pattern.index(1)
    ones = [i for i, kind in enumerate(pattern) if kind]
    step = ones[1] - ones[0] if len(ones) > 1 else 1
    leading = first - (step - 1)
    want = {first + i * step for i in range((len(pattern) - leading) // step)} if leading >= 0 else set()
    if want != set(ones):
        raise UnsupportedModelError(
            f"{options.where}: --moe-layer-freq {text[:60]}: Tianji's models have dense layers first and then every n-th"
            " layer MoE"
        )
    return leading, step
