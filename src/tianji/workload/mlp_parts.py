"""MLPs, dense and as a mixture of experts.

Widths are whole, in elements; what tensor parallelism divides stands with each matmul. What all parts call alike:

* ``h``: the hidden size; ``width``: that of the MLP inside, or of one expert; ``gated``: two input projections (SwiGLU);
* ``bias``, ``router_bias``: of the matrices, of the router; ``extra``: further parameters, in no matrix;
* ``shared_gate``, ``shared_gated``: a gate on the shared experts' output, and whether these have two input projections;
* ``num_groups``, ``groups_per_token``: groups of experts, and from how many of them a token's experts come;
* ``dense_width``: of an MLP beside the experts (0: none); ``layer_input``: of an embedding that each layer adds (0: none).
"""

from __future__ import annotations

from tianji.errors import FormatError
from tianji.workload.layer_part import LayerPart
from tianji.workload.ops import ExpertOps, Matmul, Role, Vector


def dense(h: int, *, width: int, gated: bool = True, bias: bool = False, layer_input: int = 0, extra: int = 0,
    receptance: bool = False,
) -> LayerPart:  # fmt: skip
    """Return an MLP; gated ones have two input projections (SwiGLU).

    ``layer_input`` is the width of an embedding that each layer adds of its own (Gemma 4), with its projection and gate;
    ``receptance`` a gate of hidden size on the output (RWKV).
    """
    inputs = 2 if gated else 1
    gate = (Matmul("receptance", h, h, "column"),) if receptance else ()
    return LayerPart(
        "MLP", (*_mlp(h, width, gated, "mlp"), *gate, *_layer_input(h, layer_input)),
        vectors=(_activation(width, gated, Role.MLP_ACTIVATION),),
        small=(inputs * width + h if bias else 0) + extra, saved=(inputs + 1.0) * width + receptance * h,
    )  # fmt: skip


def linear(h: int) -> LayerPart:
    """Return a square matrix in place of a mixer or an MLP (Nemotron-NAS). A tensor cut leaves it whole."""
    return LayerPart("linear", (Matmul("linear", h, h, "none"),), whole=h * h, saved=0.0)


def experts(
    h: int, *, num_experts: int, top_k: int, width: int, gated: bool = True, bias: bool = False, shared_width: int = 0,
    shared_gate: bool = False, shared_gated: bool = True, router_bias: bool = False, latent: int = 0, zero_experts: int = 0,
    num_groups: int = 1, groups_per_token: int = 1, extra: int = 0, dense_width: int = 0, layer_input: int = 0,
    twin_width: int = 0,
) -> LayerPart:  # fmt: skip
    """Return a mixture of experts, ``top_k`` of ``num_experts`` MLPs for each token.

    ``shared_width`` is the total width of the experts that every token visits. ``zero_experts`` of the choices compute
    nothing (LongCat): of ``top_k`` a share num_experts / (num_experts + zero_experts) does. ``latent`` experts work on a
    projection of the hidden state to that width (Nemotron 3). ``twin_width`` is that of as many experts, with a router of
    their own, that tokens of images go to and tokens of text do not (ERNIE 4.5 VL): held, not used.
    """
    if num_experts < 1:
        raise FormatError(f"num_experts: expected at least 1 in a layer of experts, got {num_experts}")
    inner = latent or h
    routed = num_experts + zero_experts
    matmuls = [Matmul("router", h, routed, "none", high=True, role=Role.ROUTER)]
    vectors: list[Vector] = []
    if shared_width:
        matmuls += _mlp(h, shared_width, gated, "shared", Role.SHARED_EXPERT, Role.SHARED_EXPERT)
        vectors.append(_activation(shared_width, gated, Role.SHARED_ACTIVATION))
    if dense_width:
        matmuls += _mlp(h, dense_width, gated, "mlp")
        vectors.append(_activation(dense_width, gated, Role.MLP_ACTIVATION))
    matmuls += _layer_input(h, layer_input)
    if latent:
        matmuls += [Matmul("latent down", h, latent, "none"), Matmul("latent up", latent, h, "none")]
    inputs = 2 if gated else 1
    twin = (inputs + 1) * inner * twin_width
    twin_router = (h + router_bias) * routed if twin_width else 0
    routed_experts = ExpertOps(
        num_experts, top_k, _mlp(inner, width, gated, "expert", Role.PLAIN, Role.PLAIN),
        (_activation(width, gated, Role.EXPERT_ACTIVATION), Vector("permute", 4.0 * inner, "tensor")),
        (num_groups, groups_per_token), bias=(inputs * width + inner if bias else 0) + twin, width=inner,
        computing=num_experts / routed,
    )  # fmt: skip
    shared_bias = bias * (inputs * shared_width + h) if shared_width else 0
    return LayerPart(
        "experts", tuple(matmuls), vectors=tuple(vectors), experts=routed_experts,
        small=(routed if router_bias else 0) + (h if shared_gate else 0) + extra + shared_bias + twin_router,
        whole=h * routed + 2 * h * latent + twin_router, saved=(inputs + 1.0) * (shared_width + dense_width),
        idle=twin_router + top_k * twin,
    )  # fmt: skip


def _mlp(
    h: int, width: int, gated: bool, name: str, into: Role = Role.MLP_IN, out: Role = Role.MLP_OUT
) -> tuple[Matmul, ...]:
    inputs = 2 if gated else 1
    return (
        Matmul(f"{name} in", h, inputs * width, "column", role=into),
        Matmul(f"{name} out", width, h, "row", role=out),
    )


def _layer_input(h: int, width: int) -> tuple[Matmul, ...]:
    if not width:
        return ()
    return (
        Matmul("layer input", h, width, "none"),
        Matmul("layer input gate", h, width, "none"),
        Matmul("layer input out", width, h, "none"),
    )


def _activation(width: int, gated: bool, role: Role) -> Vector:
    return Vector("activation", (3.0 if gated else 2.0) * width, "tensor", role=role)
