"""The model as options of Megatron-LM; MindSpeed-LLM takes the same ones."""

from __future__ import annotations

from dataclasses import replace

from tianji.exporters.contract import Limits
from tianji.exporters.formats.arguments import Argument, Tree
from tianji.exporters.formats.layer_patterns import format_moe_pattern
from tianji.exporters.megatron_family.delta_nets import describe_lack, refuse_delta_nets, shape_of_others
from tianji.exporters.megatron_family.dialect import Dialect
from tianji.exporters.megatron_family.hybrids import refuse_hybrids, shape_of_hybrid
from tianji.exporters.megatron_family.mathematics import mathematics_arguments
from tianji.parallel.plan import Plan
from tianji.workload import MLA, Job, Model, MoE


def model_arguments(plan: Plan, limits: Limits, dialect: Dialect) -> Tree:
    """Return the options that give the model its shape; a model that Megatron cannot build is refused."""
    if not plan.job.model.blocks:
        return _plain_arguments(plan, limits, dialect)
    model = plan.job.model
    hybrid = shape_of_hybrid(model) if dialect.knows_patterns else None
    if hybrid is not None:
        refuse_hybrids(plan, limits)
        return _hybrid_arguments(replace(plan, job=replace(plan.job, model=hybrid[0])), limits, dialect, hybrid[1])
    shape = shape_of_others(model) if dialect.knows_patterns else None
    if shape is None:
        limits.refuse(
            f"{model.name} is a pattern of layers of its family {model.family}, which the options written here cannot say: for "
            f"{dialect.name} none are written of {describe_lack(model, dialect.knows_patterns)}"
        )
        return ()
    refuse_delta_nets(plan, limits)
    others, delta = shape
    limits.note(
        "Norms of gated delta nets' models have weights around zero: add --apply-layernorm-1p for their checkpoints."
    )
    return (*_plain_arguments(replace(plan, job=replace(plan.job, model=others)), limits, dialect), *delta)


def _hybrid_arguments(plan: Plan, limits: Limits, dialect: Dialect, pattern: Tree) -> Tree:
    """Return the options of a pattern of layers with one part each: no rotary positions, no lists of layers of a kind."""
    arguments = _plain_arguments(plan, limits, dialect)
    left_out = {"--moe-layer-freq", "--rotary-base", "--rotary-percent", "--position-embedding-type", "--num-layers"}
    limits.notes = [note for note in limits.notes if "--rotary-base" not in note]
    kept = tuple(argument for argument in arguments if argument.name not in left_out)
    return (*kept, *pattern, Argument("--position-embedding-type", "none", "its order comes from Mamba"))


def _plain_arguments(plan: Plan, limits: Limits, dialect: Dialect) -> Tree:
    job, model = plan.job, plan.job.model
    _refuse_unknown(job, limits)
    return (
        Argument("--num-layers", model.num_layers),
        Argument("--hidden-size", model.hidden_size),
        Argument("--ffn-hidden-size", model.intermediate_size, "width of the dense MLP"),
        Argument("--num-attention-heads", model.num_attention_heads),
        *_attention(model),
        *_mlp(model),
        *_norms_and_biases(model),
        *_positions(job),
        *mathematics_arguments(model, limits, dialect),
        *(_moe(model, model.moe, _dispatch(plan, dialect)) if model.moe else ()),
        *([Argument("--mtp-num-layers", model.num_mtp_layers)] if model.num_mtp_layers else []),
        Argument("--seq-length", job.seq_len),
        Argument("--vocab-size", model.vocab_size),
        Argument("--make-vocab-size-divisible-by", 1, "the plan counts no padding of the vocabulary"),
        *([] if model.tied_embeddings else [Argument("--untie-embeddings-and-output-weights")]),
        Argument("--attention-dropout", 0.0),
        Argument("--hidden-dropout", 0.0),
    )


def _refuse_unknown(job: Job, limits: Limits) -> None:
    model = job.model
    if model.num_norms != 2:
        limits.refuse(f"{model.num_norms} norms in a layer (sandwich norms): its layers have 2")
    if model.embedding_norm:
        limits.refuse("a norm behind the embedding: it has no option for one")
    if 0 < model.learned_positions < job.seq_len:
        limits.refuse(
            f"{job.seq_len:,} tokens with a table of {model.learned_positions:,} positions: it needs one each"
        )
    biases = (model.qkv_bias, model.output_bias, model.mlp_bias)
    if biases not in ((False,) * 3, (True, False, False), (True,) * 3):
        given = ", ".join(f"{n}={b}" for n, b in zip(("qkv_bias", "output_bias", "mlp_bias"), biases, strict=True))
        limits.refuse(f"{given}: it has biases in all linear layers, in the query, key and value only, or in none")
    if model.moe and model.moe.router_bias and not model.mla:
        limits.note(
            "A bias of the router is written as --moe-router-enable-expert-bias, which balances without a loss."
        )


def _attention(model: Model) -> Tree:
    arguments: list[Argument] = []
    if model.mla:
        arguments += _latent(model.mla)
    else:
        arguments.append(Argument("--kv-channels", model.head_dim, "size of one head"))
        if model.num_key_value_heads != model.num_attention_heads:
            arguments.append(Argument("--group-query-attention"))
            arguments.append(Argument("--num-query-groups", model.num_key_value_heads, "key-value heads"))
    if model.qk_norm or model.mla:
        arguments.append(Argument("--qk-layernorm"))
    if model.sliding_window:
        arguments.append(
            Argument("--window-size", f"{model.sliding_window - 1},0", "tokens before and after each token")
        )
        if model.num_sliding_layers < model.num_layers:
            full = model.num_layers - model.num_sliding_layers
            pattern = f"[0]*{full}+[1]*{model.num_sliding_layers}"
            comment = "1: windowed; the plan knows how many layers, not which"
            arguments.append(Argument("--window-attn-skip-freq", pattern, comment))
    if model.attention_sinks:
        arguments.append(Argument("--softmax-type", "learnable", "one learned sink for each head"))
    return tuple(arguments)


def _latent(mla: MLA) -> list[Argument]:
    query = [Argument("--q-lora-rank", mla.q_lora_rank)] if mla.q_lora_rank else []
    return [
        Argument("--multi-latent-attention"),
        *query,
        Argument("--kv-lora-rank", mla.kv_lora_rank),
        Argument("--qk-head-dim", mla.qk_nope_head_dim),
        Argument("--qk-pos-emb-head-dim", mla.qk_rope_head_dim),
        Argument("--v-head-dim", mla.v_head_dim),
    ]


def _mlp(model: Model) -> Tree:
    return (Argument("--swiglu", None, "two input projections"),) if model.gated_mlp else ()


def _norms_and_biases(model: Model) -> Tree:
    arguments = [Argument("--normalization", "LayerNorm" if model.norm_bias else "RMSNorm")]
    if not (model.output_bias or model.mlp_bias):
        arguments.append(Argument("--disable-bias-linear"))
        if model.qkv_bias:
            arguments.append(Argument("--add-qkv-bias"))
    return tuple(arguments)


def _positions(job: Job) -> Tree:
    model = job.model
    learned = model.learned_positions
    longest = max(learned or model.max_position_embeddings, job.seq_len)
    kind = "learned_absolute" if learned else "rope"
    return (Argument("--position-embedding-type", kind), Argument("--max-position-embeddings", longest))


def _dispatch(plan: Plan, dialect: Dialect) -> Tree:
    """Return how tokens reach their experts; where each chip has all experts nothing is sent."""
    return dialect.dispatch[plan.strategy.ep_kind if plan.strategy.ep > 1 else "all_to_all"]


def _moe(model: Model, moe: MoE, dispatch: Tree) -> Tree:
    arguments = [
        Argument("--num-experts", moe.num_experts),
        Argument("--moe-router-topk", moe.top_k),
        Argument("--moe-ffn-hidden-size", moe.intermediate_size, "width of one expert"),
        Argument(
            "--moe-layer-freq",
            format_moe_pattern(model.num_layers, moe.num_leading_dense, moe.layer_step),
            "0: dense layer, 1: MoE layer",
        ),
        Argument("--moe-grouped-gemm"),
        *dispatch,
    ]
    if moe.shared_intermediate_size:
        width = moe.shared_intermediate_size
        arguments.append(Argument("--moe-shared-expert-intermediate-size", width, "all shared experts together"))
    if moe.num_groups > 1:
        arguments.append(Argument("--moe-router-num-groups", moe.num_groups))
        arguments.append(
            Argument("--moe-router-group-topk", moe.groups_per_token, "groups that a token's experts come from")
        )
    if moe.shared_expert_gate:
        arguments.append(Argument("--moe-shared-expert-gate"))
    if moe.router_bias:
        arguments.append(Argument("--moe-router-enable-expert-bias"))
        arguments.append(Argument("--moe-router-score-function", "sigmoid", "which the expert bias needs"))
    return tuple(arguments)
