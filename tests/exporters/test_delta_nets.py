"""Models with gated delta nets: written for Megatron-LM with all they have, read back equal, refused by the others by name."""

from dataclasses import replace
from pathlib import Path

import pytest

import tianji
from tianji.catalog import list_models, load_model
from tianji.errors import ExportError
from tianji.exporters import render_plan
from tianji.exporters.contract import FileBundle
from tianji.exporters.launch_reader.launches import read_launch
from tianji.parallel.plan import Plan

WITH_DELTA_NETS = [name for name in list_models() if name.startswith(("qwen3-next", "qwen3.5"))]


def export(name: str, target: str, pool: str = "hgx-h100", **layout: int) -> FileBundle:
    job = tianji.make_job(name, seq_len=4096, global_batch_size=64)
    strategy = replace(tianji.Strategy(dp=8, overlap_tp=False, ep_kind="all_to_all"), **layout)
    return render_plan(
        Plan(job, tianji.load_pool(pool, strategy.dp * strategy.tp * strategy.pp * strategy.cp), strategy), target
    )


@pytest.mark.parametrize("name", WITH_DELTA_NETS)
def test_a_model_with_delta_nets_reads_back_equal(name: str, tmp_path: Path) -> None:
    path = tmp_path / "pretrain_megatron.sh"
    path.write_text(export(name, "megatron").artefacts[0].text)
    read, wanted = read_launch(path).job.model, load_model(name)
    assert read.blocks == wanted.blocks
    assert read.pattern == wanted.pattern
    assert read.num_parameters == wanted.num_parameters
    assert read.num_mtp_layers == wanted.num_mtp_layers
    for what in ("rope_theta", "rope_share", "norm_epsilon", "router_scale", "balance_weight"):
        if getattr(wanted.mathematics, what):
            assert getattr(read.mathematics, what) == getattr(wanted.mathematics, what), what


def test_the_options_are_megatron_s() -> None:
    text = export("qwen3-next-80b-a3b", "megatron").artefacts[0].text
    for line in (
        "--experimental-attention-variant gated_delta_net", "--linear-attention-freq '([1]*3+[0])*12'",
        "--linear-num-value-heads 32", "--attention-output-gate", "--moe-shared-expert-gate", "--kv-channels 256",
    ):  # fmt: skip
        assert line in text


def test_heads_of_delta_nets_divide() -> None:
    with pytest.raises(ExportError, match="heads of gated delta nets must divide"):
        export("qwen3-next-80b-a3b", "megatron", tp=2, cp=16, dp=1)


@pytest.mark.parametrize(
    ("name", "target", "pool", "lack"),
    [
        ("qwen3-next-80b-a3b", "nemo", "hgx-h100", "Megatron Bridge 0.3.1 none are written of gated delta net"),
        ("qwen3-next-80b-a3b", "mindspeed", "atlas-900-a2", "MindSpeed-LLM none are written of gated delta net"),
        ("gemma-3-12b", "megatron", "hgx-h100", "Megatron-LM none are written of sandwich norms"),
        ("nemotron-h-56b", "nemo", "hgx-h100", "Megatron Bridge 0.3.1 none are written of mamba2"),
        ("nemotron-3-ultra-550b-a55b", "megatron", "hgx-h100", "this mixture of layers"),
        ("deepseek-v4-flash", "megatron", "hgx-h100", "Megatron-LM none are written of hyper-connections"),
    ],
)
def test_what_has_no_option_is_named(name: str, target: str, pool: str, lack: str) -> None:
    with pytest.raises(ExportError, match=lack):
        export(name, target, pool)


@pytest.mark.parametrize("name", ["nemotron-h-56b", "nemotron-3-nano-30b-a3b"])
@pytest.mark.parametrize("pp", [1, 2])
def test_a_hybrid_reads_back_equal(name: str, pp: int, tmp_path: Path) -> None:
    bundle = export(name, "megatron", pp=pp, dp=8 // pp)
    path = tmp_path / "pretrain_megatron.sh"
    path.write_text(bundle.artefacts[0].text)
    launch, wanted = read_launch(path), load_model(name)
    read = launch.job.model
    assert (read.blocks, read.pattern) == (wanted.blocks, wanted.pattern)
    assert read.num_parameters == wanted.num_parameters
    assert (launch.strategy.pp, launch.strategy.dp) == (pp, 8 // pp)
    assert read.mathematics.norm_epsilon == wanted.mathematics.norm_epsilon
    assert read.mathematics.router_scale == wanted.mathematics.router_scale
    assert "--position-embedding-type none" in bundle.artefacts[0].text
    assert "pretrain_hybrid.py" in bundle.artefacts[0].text


def test_a_hybrid_is_cut_into_equal_stages() -> None:
    with pytest.raises(ExportError, match="cut into equal stages"):
        export("nemotron-h-56b", "megatron", pp=4, dp=2)
