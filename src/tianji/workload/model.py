"""A model: an architecture and its parameter counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tianji.workload.blocks import BlockParts, LayerBlock, parts_of
from tianji.workload.mathematics import UNSTATED, Mathematics


@dataclass(frozen=True, slots=True)
class MLA:
    """Multi-head latent attention (DeepSeek-V2): low-rank query and key-value projections.

    ``q_lora_rank`` 0 means a full query projection.
    """

    q_lora_rank: int
    kv_lora_rank: int
    qk_nope_head_dim: int
    qk_rope_head_dim: int
    v_head_dim: int


@dataclass(frozen=True, slots=True)
class MoE:
    """Mixture of experts in some of the layers.

    Of ``num_layers`` the first ``num_leading_dense`` are dense; of the rest every ``layer_step``-th is MoE.
    ``shared_intermediate_size`` is the total width of the experts that every token visits (0: none).
    """

    num_experts: int
    top_k: int
    intermediate_size: int
    shared_intermediate_size: int = 0
    num_leading_dense: int = 0
    layer_step: int = 1
    shared_expert_gate: bool = False
    router_bias: bool = False
    """A learned or balancing bias of one value for each expert."""
    num_groups: int = 1
    """Groups that the experts lie in; a token's experts come from ``groups_per_token`` of them (DeepSeek's limited routing)."""
    groups_per_token: int = 1


@dataclass(frozen=True, slots=True)
class Model:
    """A decoder-only transformer, as its ``config.json`` describes it.

    ``intermediate_size`` is the width of the dense MLP; ``gated_mlp`` says that it has two input projections (SwiGLU).
    ``sliding_window`` tokens bound the attention of ``num_sliding_layers`` of the layers (0: none).
    """

    name: str
    family: str
    hidden_size: int
    num_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    intermediate_size: int
    vocab_size: int
    gated_mlp: bool = True
    tied_embeddings: bool = False
    mla: MLA | None = None
    moe: MoE | None = None
    num_mtp_layers: int = 0
    sliding_window: int = 0
    num_sliding_layers: int = 0
    max_position_embeddings: int = 0
    """Longest sequence that the model was made for (0: not stated)."""
    learned_positions: int = 0
    """Rows of a learned position table (GPT-3); 0 with rotary positions or ALiBi."""
    qkv_bias: bool = False
    output_bias: bool = False
    mlp_bias: bool = False
    norm_bias: bool = False
    """LayerNorm with a bias (2h) in place of RMSNorm (h)."""
    qk_norm: bool = False
    """Norms on each head's query and key (Qwen3)."""
    num_norms: int = 2
    """Norms of hidden size in each layer: 2, or 4 with sandwich norms (Pangu Ultra, Gemma 2)."""
    attention_sinks: bool = False
    """One learned sink logit for each head (GPT-OSS)."""
    embedding_norm: bool = False
    embedding_size: int = 0
    """Width of the token table and of the head where it is not the layers' (OPT-350M), with projections between (0: the same)."""
    stem_width: int = 0
    """Elements of an input token that a projection brings to the layers: of a patch, of frames (0: a table of words)."""
    stem_tokens: int = 0
    """Tokens of a sequence that go through it (0: the job's)."""
    head_width: int = 0
    """Width of a layer before the head's outputs (BERT; 0: none)."""
    outputs: int | None = None
    """Outputs of the head: None means one for each word of the vocabulary, 0 no head (an embedding model), 1 a reward."""
    source: str = ""
    blocks: tuple[LayerBlock, ...] = ()
    """Kinds of layers, where they differ in more than experts and windows; empty for a transformer of one attention. The fields
    above then describe the layers with attention, and the widest heads, widths and experts of all."""
    pattern: tuple[int, ...] = ()
    """Of each layer, from the first on, which block it is."""
    embedding_extra: int = 0
    """Parameters of the input side beside the token table (per-layer embeddings)."""
    head_extra: int = 0
    """Parameters of the output side beside norm and projection."""
    remark: str = ""
    """What was left out of the file, and what was not read."""
    mathematics: Mathematics = UNSTATED
    """What is trained beside the shape: positions, norms, router, initialisation. Nothing of it changes time or memory."""

    # --- blocks ---------------------------------------------------------------------------------------------
    @property
    def block_parts(self) -> tuple[BlockParts, ...]:
        """Ops and parameters of each block."""
        return tuple(parts_of(block, self.hidden_size, self.norm_bias) for block in self.blocks)

    @property
    def block_counts(self) -> Counter[int]:
        """How many layers each block has."""
        return Counter(self.pattern)

    @property
    def layer_titles(self) -> tuple[tuple[str, int], ...]:
        """Each kind of layer in words, with how many there are; empty where all are alike."""
        titles = Counter[str]()
        for i, block in enumerate(self.blocks):
            titles[block.title] += self.block_counts[i]
        return tuple(titles.items())

    @property
    def stream_size(self) -> int:
        """Elements of one token between layers: the hidden size, times the residual streams."""
        return self.hidden_size * max((block.residual_streams for block in self.blocks), default=1)

    @property
    def num_outputs(self) -> int:
        """Outputs of the head for each token."""
        return self.vocab_size if self.outputs is None else self.outputs

    @property
    def table_parameters(self) -> int:
        """Parameters of the token table."""
        return (self.embedding_size or self.hidden_size) * self.vocab_size

    # --- layers ---------------------------------------------------------------------------------------------
    @property
    def num_moe_layers(self) -> int:
        """Layers whose MLP is a mixture of experts."""
        if self.blocks:
            return sum(1 for i in self.pattern if self.block_parts[i].num_experts)
        if self.moe is None:
            return 0
        rest = self.num_layers - self.moe.num_leading_dense
        return rest // self.moe.layer_step

    @property
    def num_dense_layers(self) -> int:
        """Layers whose MLP is dense."""
        return self.num_layers - self.num_moe_layers

    @property
    def query_size(self) -> int:
        """Width of all queries together (MLA: no-position and rotary part)."""
        if self.mla:
            return self.num_attention_heads * (self.mla.qk_nope_head_dim + self.mla.qk_rope_head_dim)
        return self.num_attention_heads * self.head_dim

    @property
    def value_size(self) -> int:
        """Width of all heads' outputs together, the input of the output projection."""
        return self.num_attention_heads * (self.mla.v_head_dim if self.mla else self.head_dim)

    @property
    def key_value_size(self) -> int:
        """Width of the keys plus values of a token in memory during training (MLA: after expansion to all heads)."""
        if self.mla:
            return self.query_size + self.value_size
        return 2 * self.num_key_value_heads * self.head_dim

    # --- parameters, counted as the checkpoints store them --------------------------------------------------
    def attention_parameters(self) -> int:
        """Parameters of one layer's attention, norms excluded."""
        h = self.hidden_size
        if self.mla:
            a = self.mla
            query = (
                h * a.q_lora_rank + a.q_lora_rank + a.q_lora_rank * self.query_size
                if a.q_lora_rank
                else h * self.query_size
            )
            latent = h * (a.kv_lora_rank + a.qk_rope_head_dim) + a.kv_lora_rank
            expand = a.kv_lora_rank * self.num_attention_heads * (a.qk_nope_head_dim + a.v_head_dim)
            weights = query + latent + expand + self.value_size * h
        else:
            weights = h * (self.query_size + self.key_value_size) + self.value_size * h
        bias = (self.query_size + self.key_value_size if self.qkv_bias else 0) + (h if self.output_bias else 0)
        norms = 2 * self.head_dim if self.qk_norm and not self.mla else 0
        return weights + bias + norms + (self.num_attention_heads if self.attention_sinks else 0)

    def mlp_parameters(self, width: int) -> int:
        """Parameters of one MLP of the given intermediate width."""
        inputs = 2 if self.gated_mlp else 1
        bias = inputs * width + self.hidden_size if self.mlp_bias else 0
        return (inputs + 1) * self.hidden_size * width + bias

    def norm_parameters(self) -> int:
        """Parameters of the norms of one layer."""
        return self.num_norms * self.hidden_size * (2 if self.norm_bias else 1)

    def expert_parameters(self) -> int:
        """Parameters of one routed expert."""
        return self.mlp_parameters(self.moe.intermediate_size) if self.moe else 0

    def moe_common_parameters(self) -> int:
        """Parameters of a MoE layer's MLP that every token uses: router and shared experts."""
        if self.moe is None:
            return 0
        m = self.moe
        shared = self.mlp_parameters(m.shared_intermediate_size) if m.shared_intermediate_size else 0
        gate = self.hidden_size if m.shared_expert_gate else 0
        return self.hidden_size * m.num_experts + (m.num_experts if m.router_bias else 0) + shared + gate

    def dense_layer_parameters(self) -> int:
        """Parameters of one dense layer."""
        return self.attention_parameters() + self.mlp_parameters(self.intermediate_size) + self.norm_parameters()

    def moe_layer_parameters(self, num_experts: int | None = None) -> int:
        """Parameters of one MoE layer with ``num_experts`` routed experts (default: all)."""
        if self.moe is None:
            return 0
        count = self.moe.num_experts if num_experts is None else num_experts
        common = self.attention_parameters() + self.norm_parameters() + self.moe_common_parameters()
        return common + count * self.expert_parameters()

    def replicated_parameters(self, *, moe: bool) -> int:
        """Parameters of one layer that tensor parallelism does not divide: norms, MLA's projections to latents.

        ``moe`` asks for a layer of experts, whose router is not divided either.
        """
        count = self.norm_parameters()
        if self.mla:
            a = self.mla
            latents = a.q_lora_rank + a.kv_lora_rank
            count += self.hidden_size * (latents + a.qk_rope_head_dim) + latents
        if moe and self.moe:
            count += self.hidden_size * self.moe.num_experts
        return count

    def embedding_parameters(self) -> int:
        """Parameters of the token and position tables."""
        norm = 2 * self.hidden_size if self.embedding_norm else 0
        positions = self.hidden_size * self.learned_positions
        between = 2 * self.hidden_size * self.embedding_size
        return self.table_parameters + positions + between + norm + self.embedding_extra

    def head_parameters(self) -> int:
        """Parameters of the output projection and the final norm; a tied projection has none of its own."""
        norm = self.hidden_size * (2 if self.norm_bias else 1)
        own = (self.embedding_size or self.hidden_size) * self.num_outputs
        return norm + self.head_extra + (0 if self.tied_embeddings else own)

    def mtp_parameters(self) -> int:
        """Parameters of the multi-token-prediction modules: a projection of 2h to h, three norms and one layer each.

        Their embedding and head are shared with the model's.
        """
        if self.blocks:
            layer = self.block_parts[self.pattern[-1]].all_parameters
        else:
            layer = self.moe_layer_parameters() if self.moe else self.dense_layer_parameters()
        return self.num_mtp_layers * (2 * self.hidden_size**2 + 3 * self.hidden_size + layer)

    @property
    def num_parameters(self) -> int:
        """Parameters of the model without its multi-token-prediction modules, as the makers publish it."""
        if self.blocks:
            layers = sum(n * self.block_parts[i].all_parameters for i, n in self.block_counts.items())
            return self.embedding_parameters() + layers + self.head_parameters()
        dense = self.num_dense_layers * self.dense_layer_parameters()
        moe = self.num_moe_layers * self.moe_layer_parameters()
        return self.embedding_parameters() + dense + moe + self.head_parameters()

    @property
    def num_active_parameters(self) -> int:
        """Parameters that one token uses: of the routed experts only ``top_k``."""
        if self.blocks:
            layers = sum(n * self.block_parts[i].active_parameters for i, n in self.block_counts.items())
            return self.embedding_parameters() + layers + self.head_parameters()
        idle = 0
        if self.moe:
            idle = self.num_moe_layers * (self.moe.num_experts - self.moe.top_k) * self.expert_parameters()
        return self.num_parameters - idle
