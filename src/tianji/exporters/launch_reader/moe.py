"""The experts of a Megatron or MindSpeed launch script: how many, how wide, in which layers, and how tokens reach them."""

from __future__ import annotations

from tianji.errors import FormatError, UnsupportedModelError
from tianji.exporters.formats.layer_patterns import read_pattern
from tianji.exporters.launch_reader.options import Options
from tianji.workload import MoE


def read_moe(options: Options, layers: int, intermediate: int, assumed: list[str]) -> MoE | None:
    """Return the experts of a script's model, None where it has none.

    ``layers`` are all of the model, ``intermediate`` is the width of its dense MLP, which an expert has unless told otherwise.

    Raises FormatError for counts that do not fit each other, UnsupportedModelError for an order of layers that Tianji's models
    do not have.
    """
    if not options.has("--num-experts"):
        return None
    width = options.count("--moe-ffn-hidden-size", options.count("--moe-intermediate-size", intermediate))
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
