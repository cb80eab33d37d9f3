"""MindSpeed-LLM: what its own ``validate_args`` would refuse is never written.

The checks are those of Ascend/MindSpeed 028de58c and MindSpeed-LLM c77308a1, in the order of their files.
"""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import tianji
from legal_plans import plans
from tianji.errors import ExportError, IllegalStrategyError
from tianji.exporters import TARGETS, render_plan
from tianji.exporters.launch_reader.shell_reader import read_script
from tianji.exporters.runnable import plan_for_framework
from tianji.parallel.plan import Plan
from tianji.workload import PRECISIONS, Formats

Options = dict[str, str]


def options_of(plan: Plan) -> Options:
    text = render_plan(plan, "mindspeed").artefacts[0].text
    words = next(c for c in read_script(text, "script").commands if "pretrain_gpt.py" in c)
    return {name: value for name, value in zip(words, [*words[1:], ""], strict=True) if name.startswith("--")}


def check_start(o: Options) -> None:
    """Assert what MindSpeed asserts before the first step."""
    tp, pp, cp, ep, etp = (
        int(o.get(f"--{name}-parallel-size", 1))
        for name in ("tensor-model", "pipeline-model", "context", "expert-model", "expert-tensor")
    )
    # transformer_engine_basic.py
    is_te = o["--transformer-impl"] == "transformer_engine"
    assert not ("--fp8-format" in o and not is_te), "FP8 just support TE implement."
    assert not ("--use-ascend-coc" in o and is_te), "transformer engine does not support ascend coc"
    recipe = o.get("--fp8-recipe", "delayed")
    assert not ("--use-ascend-mc2" in o and "--fp8-format" in o and recipe != "mxfp8"), "MC2 is for mxfp8"
    assert o.get("--fp8-format") != "hif8" or recipe == "tensorwise", "hif8 only support tensorwise scaling type"
    if "--fp8-format" in o and "--moe-grouped-gemm" in o:
        assert recipe in ("mxfp8", "mxfp8-32x32", "tensorwise", "delayed"), "bf16 in grouped matmuls"
    # mc2.py and transformer_block.py
    if "--use-ascend-mc2" in o:
        assert tp > 1
        assert "--sequence-parallel" in o
        assert not ("--num-experts" in o and "--moe-grouped-gemm" in o), "Grouped Gemm is not supported with mc2"
    if "--num-layer-list" in o:
        assert len(o["--num-layer-list"].split(",")) == pp > 1
        assert "--num-layers-per-virtual-pipeline-stage" not in o
    # fb_overlap.py
    if "--moe-fb-overlap" in o:
        assert "--overlap-grad-reduce" not in o
        assert (etp, ep > 1) == (1, True)
        has_chunks = "--num-layers-per-virtual-pipeline-stage" in o
        assert pp == 1 or has_chunks
        world = int(o["--world"])
        per_step = int(o["--global-batch-size"]) // (int(o["--micro-batch-size"]) * pp * (world // (tp * pp * cp)))
        assert not has_chunks or per_step > 1
    # context_parallel_feature.py and swap_optimizer_feature.py
    if cp > 1 and o.get("--context-parallel-algo") != "ulysses_cp_algo":
        assert int(o["--seq-length"]) % (2 * cp) == 0
    assert "--swap-optimizer" not in o or "--use-distributed-optimizer" in o


def test_mindspeed_would_start_with_what_is_written() -> None:
    written: list[Options] = []

    @settings(max_examples=120, suppress_health_check=list(HealthCheck))
    @given(plan=plans(("atlas-950-superpod",), TARGETS["mindspeed"].space), data=st.data())
    def check(plan: Plan, data: st.DataObject) -> None:
        precision = tianji.make_job(
            "llama-3.1-8b", precision=data.draw(st.sampled_from(["fp8", "mxfp8", "hif8", "bf16"]))
        ).precision
        blocks = replace(precision, name="fp8-block", block_scaled=True) if precision.name == "fp8" else precision
        precision = data.draw(st.sampled_from([precision, blocks]))
        seq_len = data.draw(st.sampled_from([2048, 2046]))
        plan = replace(plan, job=replace(plan.job, precision=precision, seq_len=seq_len))
        try:
            options = options_of(plan)
        except (ExportError, IllegalStrategyError):
            assume(False)
            raise
        check_start(options | {"--world": str(plan.strategy.chips)})
        written.append(options)

    check()
    assert sum("--fp8-format" in o for o in written) > 5
    assert any("--use-ascend-mc2" in o for o in written)


def case(model: str, precision: str, **strategy: object) -> Plan:
    job = tianji.make_job(model, seq_len=4096, global_batch_size=64, precision=precision)
    fields = {"tp": 2, "dp": 4, "overlap_tp": True, "ep_kind": "all_to_all", **strategy}
    made = tianji.Strategy(**fields)  # type: ignore[arg-type]
    return Plan(job, tianji.load_pool("atlas-950-superpod", made.chips), made)


@pytest.mark.parametrize(("precision", "recipe"), [("fp8", "tensorwise"), ("mxfp8", "mxfp8")])
def test_fp8_layers_are_transformer_engines(precision: str, recipe: str) -> None:
    options = options_of(case("llama-3.1-8b", precision, overlap_tp=False))
    assert (options["--transformer-impl"], options["--fp8-recipe"]) == ("transformer_engine", recipe)
    assert options_of(case("llama-3.1-8b", "bf16", overlap_tp=False))["--transformer-impl"] == "local"


def test_mc2_goes_with_bf16_and_without_experts() -> None:
    assert "--use-ascend-mc2" in options_of(case("llama-3.1-8b", "bf16"))
    with pytest.raises(ExportError, match=r"MC2 takes mxfp8 only.*--fix overlap_tp=off"):
        render_plan(case("llama-3.1-8b", "fp8"), "mindspeed")
    with pytest.raises(ExportError, match=r"documentation excludes it.*--fix overlap_tp=off"):
        render_plan(case("llama-3.1-8b", "mxfp8"), "mindspeed")
    with pytest.raises(ExportError, match=r"MC2 excludes grouped matmuls.*--fix overlap_tp=off"):
        render_plan(case("qwen3-30b-a3b", "bf16", ep=4), "mindspeed")


def test_hif8_is_a_format_with_the_tensorwise_recipe() -> None:
    options = options_of(case("qwen3-30b-a3b", "hif8", overlap_tp=False, ep=4))
    assert (options["--fp8-format"], options["--fp8-recipe"]) == ("hif8", "tensorwise")
    check_start(options | {"--world": "8"})


def test_moments_of_one_byte_are_quantised_states() -> None:
    plan = case("llama-3.1-8b", "bf16", overlap_tp=False)
    narrow = replace(plan, job=replace(plan.job, precision=Formats(optimizer_dtype="fp8").apply(PRECISIONS["bf16"])))
    assert options_of(narrow)["--quant-states"] == "fp8"
    offloaded = replace(narrow, strategy=replace(narrow.strategy, offload_optimizer=True))
    with pytest.raises(ExportError, match="--quant-grads beside --swap-optimizer"):
        render_plan(offloaded, "mindspeed")


@pytest.mark.parametrize("pool", ["atlas-900-a2", "atlas-900-a3-dies", "atlas-950-superpod"])
@pytest.mark.parametrize("model", ["llama-3.1-8b", "qwen3-30b-a3b"])
def test_every_precision_of_every_generation_starts(pool: str, model: str) -> None:
    """Each precision that a chip of the pool has starts under MindSpeed's own checks, or is refused with a reason."""
    place = tianji.load_pool(pool, 16)
    started = []
    for name in PRECISIONS:
        job = tianji.make_job(model, seq_len=4096, global_batch_size=64, precision=name)
        s = tianji.Strategy(tp=2, dp=8, ep=4 if job.model.moe else 1, overlap_tp=False, ep_kind="all_to_all")
        if job.precision.linear not in place.chip.peak:
            continue
        try:
            check_start(options_of(Plan(job, place, s)) | {"--world": "16"})
        except ExportError as error:
            assert "no 4-bit recipe" in str(error)
        else:
            started.append(name)
    assert started == [n for n, p in PRECISIONS.items() if p.linear in place.chip.peak and n != "fp4"]
    assert ("hif8" in started) == (pool == "atlas-950-superpod")


SWITCHES: tuple[dict[str, object], ...] = (
    {}, {"recompute": "full"}, {"recompute": "selective", "recompute_modules": "layernorm+mlp_act"}, {"overlap_tp": True},
    {"overlap_ep": True}, {"offload_optimizer": 1.0, "offload_update": "chip"}, {"pp": 2, "dp": 4}, {"cp": 2, "dp": 4},
    {"zero": 0},
)  # fmt: skip


@pytest.mark.parametrize("pool", ["atlas-900-a2", "atlas-900-a3-dies", "atlas-950-superpod"])
@pytest.mark.parametrize("model", ["llama-3.1-8b", "qwen3-30b-a3b"])
def test_what_is_written_passes_the_check_of_scripts(pool: str, model: str, tmp_path: Path) -> None:
    """Every precision of a pool under every switch: written and without a finding of `export --check`, or refused."""
    place, file, written = tianji.load_pool(pool, 16), tmp_path / "launch.sh", 0
    for name, precision in PRECISIONS.items():
        if precision.linear not in place.chip.peak:
            continue
        job = tianji.make_job(model, seq_len=4096, global_batch_size=64, precision=name)
        for switches in SWITCHES:
            fields = {"tp": 2, "dp": 8, "ep": 4 if job.model.moe else 1, "overlap_tp": False, "ep_kind": "all_to_all"}
            plan = Plan(job, place, tianji.Strategy(**{**fields, **switches}))  # type: ignore[arg-type]
            try:
                bundle = render_plan(plan, "mindspeed")
            except ExportError as error:
                assert "would run another plan" in str(error)
                continue
            file.write_text(bundle.artefacts[0].text, encoding="utf-8")
            assert tianji.export(check=file).document["violations"] == [], (name, switches)
            written += 1
    assert written > 15


def test_the_best_fp8_plan_for_an_atlas_950_starts() -> None:
    job = tianji.make_job("qwen3-30b-a3b", seq_len=4096, global_batch_size=256, tokens="1T", precision="mxfp8")
    best = (
        plan_for_framework("mindspeed", job, tianji.load_pool("atlas-950-superpod", 16), fixed={"pp": 1}, top=1)
        .outcome.results[0]
        .plan
    )
    assert best.strategy.ep_kind == "all_to_all"
    check_start(options_of(best) | {"--world": str(best.strategy.chips)})
