"""The strategy of a Megatron or MindSpeed launch script."""

from __future__ import annotations

from typing import Any

from tianji.errors import FormatError
from tianji.exporters.launch_reader.options import Options
from tianji.exporters.launch_reader.stages import LAYOUT, name_stages, read_layout_option, read_stage_options
from tianji.exporters.megatron_family.dialect import Dialect
from tianji.parallel.strategy import MODULES, Strategy, read_field
from tianji.workload import Model

SHARDING = {"no_shard": 0, "optim": 1, "optim_grads": 2, "optim_grads_params": 3}
CONTEXT_KINDS = {
    "p2p": "ring", "megatron_cp_algo": "ring", "a2a": "ulysses", "ulysses_cp_algo": "ulysses",
    "all_gather": "all_gather", "kvallgather_cp_algo": "all_gather",
}  # fmt: skip


WHOLE_LAYERS = ("--checkpoint-activations", "--deepspeed-activation-checkpointing")
"""Full recomputation as older releases of Megatron-LM and Megatron-DeepSpeed have it."""
SWAPPED = 0.5
"""Of what a layer keeps: the attention's part (`--swap-modules` input_norm, self_attention, post_attention_norm by default)."""
FINE_MODULES = 6
"""Modules of a layer that `--offload-modules` knows: attn_norm, core_attn, attn_proj, mlp_norm, expert_fc1, moe_act.

qkv_linear has the input of attn_norm, fused_group_mlp has those of expert_fc1 and moe_act.
"""


def read_strategy_options(options: Options, model: Model, world: int, dialect: Dialect, assumed: list[str]) -> Strategy:
    """Return the strategy of a script's options on ``world`` chips; the data-parallel degree is what the others leave.

    Raises FormatError for degrees that do not divide the chips, and for values that the framework does not have.
    """
    tp = options.count("--tensor-model-parallel-size", 1)
    pp = options.count("--pipeline-model-parallel-size", 1)
    cp = options.count("--context-parallel-size", 1)
    dp, rest = divmod(world, tp * pp * cp)
    if rest or not dp:
        raise FormatError(
            f"{options.where}: --tensor-model-parallel-size {tp} · --pipeline-model-parallel-size {pp} ·"
            f" --context-parallel-size {cp} = {tp * pp * cp} does not divide {world:,} chips; --chips N gives another number"
        )
    vpp = _read_chunks(options, model, pp)
    ep, etp = _read_experts(options, model, tp, dialect)
    fields: dict[str, Any] = {
        "tp": tp, "pp": pp, "vpp": vpp, "cp": cp, "ep": ep, "etp": etp, "dp": dp,
        "micro_batch_size": options.count("--micro-batch-size"),
        "sequence_parallel": options.has("--sequence-parallel") or tp == 1,
        "schedule": _read_schedule(options, vpp),
        "cp_kind": _read_context(options, cp, assumed),
        **_read_dispatch(options),
        "placement": "pp-inside" if options.has("--use-tp-pp-dp-mapping") else "dp-inside",
        "flash_attention": _read_attention(options, dialect, assumed),
        **_read_offloading(options, model, pp, assumed),
        **_read_sharding(options, cp * dp),
        **_read_recomputation(options, model, pp * vpp, assumed),
        **_read_overlap(options, pp, vpp, assumed),
    }  # fmt: skip
    options.has("--no-gradient-accumulation-fusion")
    strategy = Strategy(**fields)
    return name_stages(model, strategy, read_stage_options(options, model, strategy))


def _read_chunks(options: Options, model: Model, pp: int) -> int:
    layout = read_layout_option(options)
    if layout is not None:
        chunks, rest = divmod(len(layout.layers), pp)
        if rest or not chunks:
            raise FormatError(f"{options.where}: {LAYOUT} {str(layout)[:60]!r} has no multiple of {pp} parts")
        return chunks
    if options.has("--num-virtual-stages-per-pipeline-rank"):
        return options.count("--num-virtual-stages-per-pipeline-rank")
    if not options.has("--num-layers-per-virtual-pipeline-stage"):
        return 1
    each = options.count("--num-layers-per-virtual-pipeline-stage")
    # The embedding and the loss may count as a layer each.
    alone = [f"--account-for-{part}-in-pipeline-split" for part in ("embedding", "loss")]
    written = options.count("--num-layers") + sum(options.has(name) for name in alone)
    if written % (pp * each):
        raise FormatError(
            f"{options.where}: --num-layers-per-virtual-pipeline-stage {each} does not divide the {written} layers"
            f" of {pp} stages"
        )
    return written // (pp * each)


def _read_experts(options: Options, model: Model, tp: int, dialect: Dialect) -> tuple[int, int]:
    ep = options.count("--expert-model-parallel-size", 1)
    default = tp if dialect.cuts_experts and model.moe else 1
    etp = options.count("--expert-tensor-parallel-size", default)
    if options.has("--moe-tp-extend-ep"):
        return ep * tp, 1
    return (ep, etp) if model.moe else (1, 1)


def _read_schedule(options: Options, vpp: int) -> str:
    if options.text("--schedules-method") == "dualpipev":
        return "dualpipev"
    return "interleaved" if vpp > 1 else "1f1b"


def _read_context(options: Options, cp: int, assumed: list[str]) -> str:
    kind = options.text("--cp-comm-type") or options.text("--context-parallel-algo")
    if kind is None:
        return "ring"
    if kind not in CONTEXT_KINDS and cp > 1:
        assumed.append(f"context parallelism by {kind}: priced as Ulysses, the nearest kind")
    return CONTEXT_KINDS.get(kind, "ulysses")


def _read_dispatch(options: Options) -> dict[str, str]:
    """Return how tokens reach their experts, where the script says it."""
    kind = options.text("--moe-token-dispatcher-type")
    backend = options.text("--moe-flex-dispatcher-backend")
    options.has("--moe-router-dtype")
    if options.has("--moe-enable-deepep") or (kind == "flex" and backend != "ncclep"):
        return {"ep_kind": "deduplicated"}
    return {"ep_kind": "all_to_all"} if kind is not None else {}


def _read_attention(options: Options, dialect: Dialect, assumed: list[str]) -> bool:
    fused = options.has("--use-flash-attn")
    backend = options.text("--attention-backend")
    if backend is not None:
        return backend not in ("unfused", "local")
    if not dialect.fuses_attention or options.text("--transformer-impl") == "local":
        return fused
    assumed.append("attention: fused, Transformer Engine's default")
    return True


def _read_sharding(options: Options, ranks: int) -> dict[str, int]:
    zero = 1 if options.has("--use-distributed-optimizer") else 0
    kind = options.text("--data-parallel-sharding-strategy", "no_shard") or "no_shard"
    if options.has("--use-megatron-fsdp", "--use-custom-fsdp"):
        if kind not in SHARDING:
            known = ", ".join(SHARDING)
            raise FormatError(
                f"{options.where}: --data-parallel-sharding-strategy: expected one of {known}, got {kind!r}"
            )
        zero = max(SHARDING[kind], zero)
    if options.has("--use-torch-fsdp2"):
        zero = 3
    if options.has("--deepspeed") and "--zero-stage" in options.values:
        zero = min(options.count("--zero-stage", 0, least=0), 3)
    instances = options.count("--num-distributed-optimizer-instances", 1)
    if ranks % instances:
        raise FormatError(
            f"{options.where}: --num-distributed-optimizer-instances {instances} does not divide {ranks:,} data and"
            " context ranks"
        )
    return {"zero": zero, "zero_group": ranks // instances if instances > 1 else 0}


def _read_recomputation(options: Options, model: Model, chunks: int, assumed: list[str]) -> dict[str, Any]:
    granularity = options.text("--recompute-granularity")
    if granularity is None and options.has(*WHOLE_LAYERS):
        return {"recompute": "full"}
    modules = {module for text in options.texts("--recompute-modules") for module in text.replace(",", " ").split()}
    method, count = options.text("--recompute-method"), options.count("--recompute-num-layers", 1, least=0)
    modules |= {"layernorm"} if options.has("--recompute-norm") else set()
    modules |= {"mlp_act", "moe_act"} if options.has("--recompute-activation-function") else set()
    cheap = options.has("--recompute-activations") or (granularity is None and bool(modules))
    if granularity == "full":
        if method == "block":
            return {"recompute": "full", "recompute_layers": min(count * chunks / model.num_layers, 1.0)}
        if count > 1:
            assumed.append(
                f"--recompute-num-layers {count}: priced as one layer at a time; {count} together keep fewer inputs and work on"
                " more at once"
            )
        return {"recompute": "full"}
    if granularity == "selective" or cheap:
        known = modules & set(MODULES)
        if modules - known:
            assumed.append(
                f"--recompute-modules: {' '.join(sorted(modules - known))} is not priced, memory is high by it"
            )
        # Megatron's default where no module is named; a script that names only unknown ones keeps that out.
        named = known or ({"core_attn"} if not modules else set())
        return {"recompute": "selective", "recompute_modules": "+".join(named)} if named else {"recompute": "none"}
    return {"recompute": "none"}


def _read_offloading(options: Options, model: Model, pp: int, assumed: list[str]) -> dict[str, Any]:
    """Return what lives in host memory: the optimizer by Megatron's fraction or swapped by MindSpeed, layers, attention."""
    fraction = options.text("--optimizer-offload-fraction", "1.0")
    offload: dict[str, Any] = {"offload_overlap": options.has("--overlap-cpu-optimizer-d2h-h2d")}
    if options.has("--optimizer-cpu-offload"):
        offload["offload_optimizer"] = read_field("offload_optimizer", fraction)
    if options.has("--swap-optimizer"):
        offload |= {"offload_optimizer": 1.0, "offload_update": "chip"}
    layers = options.count("--cpu-offloading-num-layers", 0, least=0)
    if layers:
        offload["offload_activations"] = min(layers * pp / model.num_layers, 1.0)
    if options.has("--swap-attention"):
        offload["offload_activations"] = SWAPPED
        assumed.append("--swap-attention: priced as half of what each layer keeps in host memory")
    if options.has("--fine-grained-activation-offloading"):
        share = options.text("--activation-offload-fraction", "1.0")
        modules = options.texts("--offload-modules")
        offload["offload_activations"] = read_field("offload_activations", share) * min(
            len(modules) / FINE_MODULES, 1.0
        )
        assumed.append(
            f"--offload-modules {' '.join(modules)}: priced as {len(modules)} of {FINE_MODULES} equal parts of a layer"
        )
    return offload


def _read_overlap(options: Options, pp: int, vpp: int, assumed: list[str]) -> dict[str, str | bool]:
    overlap: dict[str, str | bool] = {
        "weight_gather": "hidden" if options.has("--overlap-param-gather") else "exposed",
        "overlap_dp": options.has("--overlap-grad-reduce"),
        "overlap_tp": options.has("--tp-comm-overlap", "--use-ascend-mc2", "--use-ascend-coc"),
        "overlap_pp": not options.has("--no-overlap-p2p-communication"),
        "overlap_ep": options.has(
            "--overlap-moe-expert-parallel-comm", "--moe-fb-overlap", "--moe-alltoall-overlap-comm"
        ),
    }
    if pp > 1 and vpp == 1 and overlap["overlap_pp"]:
        assumed.append(
            "sends between stages: priced as hidden, though the framework overlaps them only with interleaving"
        )
    return overlap
