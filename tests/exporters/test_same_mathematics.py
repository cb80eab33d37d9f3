"""The law of exports: config, export, read back gives the same model, its mathematics too; what has no option is a FILL IN."""

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
from tianji.workload import Model
from tianji.workload.mathematics import Mathematics

PLACES = {"megatron": ("hgx-h100", "pretrain_megatron.sh"), "mindspeed": ("atlas-900-a2", "pretrain_mindspeed.sh")}
MODELS = [name for name in list_models() if not load_model(name).blocks]


def export(model: Model, target: str) -> FileBundle:
    job = replace(tianji.make_job("llama-3.1-8b", seq_len=2048, global_batch_size=64), model=model)
    strategy = tianji.Strategy(dp=8, overlap_tp=False, ep_kind="all_to_all")
    return render_plan(Plan(job, tianji.load_pool(PLACES[target][0], 8), strategy), target)


def fill_ins(bundle: FileBundle) -> list[str]:
    return [note for note in bundle.notes if note.startswith("FILL IN")]


def as_written(m: Mathematics, model: Model) -> Mathematics:
    """Return what a script can say of a model's mathematics: words that mean the framework's default are its own."""
    scores = m.router_scores or (("sigmoid" if model.moe.router_bias else "softmax") if model.moe else "")
    return replace(
        m,
        others=(),
        activation="silu" if model.gated_mlp else "",
        router_scores=scores,
        router_normalises=False if model.moe and m.router_normalises is False and scores == "softmax" else None,
        router_scale=0.0 if m.router_scale == 1 else m.router_scale,
        rope_mscale=(m.rope_mscale or 1.0) if m.rope_scaling == "yarn" else m.rope_mscale,
        rope_beta_fast=(m.rope_beta_fast or 32.0) if m.rope_scaling == "yarn" else m.rope_beta_fast,
        rope_beta_slow=(m.rope_beta_slow or 1.0) if m.rope_scaling == "yarn" else m.rope_beta_slow,
    )


@pytest.mark.parametrize("target", PLACES)
@pytest.mark.parametrize("name", MODELS)
def test_a_model_reads_back_as_it_was_exported(name: str, target: str, tmp_path: Path) -> None:
    model = load_model(name)
    try:
        bundle = export(model, target)
    except ExportError as error:
        pytest.skip(str(error)[:80])
    path = tmp_path / PLACES[target][1]
    path.write_text(bundle.artefacts[0].text)
    read = read_launch(path).job.model
    wanted, notes = as_written(model.mathematics, model), " ".join(fill_ins(bundle))
    got = read.mathematics
    if "positions scaled by" in notes:
        scaling = {
            f: getattr(got, f)
            for f in Mathematics.__dataclass_fields__
            if f.startswith("rope_") and f not in ("rope_theta", "rope_share")
        }
        wanted = replace(wanted, **scaling)
    assert got == wanted
    assert read.num_parameters == model.num_parameters
    assert ("--rotary-base" in notes) == (model.mathematics.rope_theta == 0 and not model.learned_positions)
    for other in model.mathematics.others:
        assert other in notes
    assert ("its gate is" in notes) == (model.gated_mlp and model.mathematics.activation not in ("", "silu"))


def test_what_a_config_states_is_written_for_each_family() -> None:
    text = export(load_model("qwen3-30b-a3b"), "megatron").artefacts[0].text
    for line in ("--rotary-base 1000000", "--norm-epsilon 1e-06", "--init-method-std 0.02", "--moe-aux-loss-coeff 0.001",
                 "--moe-router-score-function softmax"):  # fmt: skip
        assert line in text
    text = export(load_model("llama-3.1-8b"), "megatron").artefacts[0].text
    assert "--use-rope-scaling" in text
    assert "--rope-scaling-factor 8" in text
    text = export(load_model("llama-3.1-8b"), "mindspeed").artefacts[0].text
    assert "--rope-scaling-type llama3" in text
