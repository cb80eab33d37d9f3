"""Laws of export: every legal plan goes to every target or is refused with a reason; what is written parses; the way back."""

import json
import subprocess
import tempfile
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from legal_plans import plans, with_its_loss
from tianji.errors import ExportError
from tianji.exporters import TARGETS, FileBundle, render_plan
from tianji.exporters.launch_reader.launches import read_launch
from tianji.exporters.lint.checks import check_file
from tianji.parallel.plan import Plan
from tianji.parallel.strategy import Strategy
from tianji.workload import Model
from tianji.workload.mathematics import Mathematics


def rendered(plan: Plan, target: str) -> FileBundle | None:
    try:
        return render_plan(with_its_loss(plan, target), target)
    except ExportError as error:
        assert str(error).startswith(f"--to {target} would run another plan: ")
        return None


def check_syntax(bundle: FileBundle) -> None:
    for artefact in bundle.artefacts:
        suffix = Path(artefact.name).suffix
        if suffix in (".sh", ".sbatch"):
            done = subprocess.run(["bash", "-n"], input=artefact.text, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
        elif suffix == ".yaml":
            assert all(isinstance(d, dict) for d in yaml.safe_load_all(artefact.text))
        elif suffix == ".toml":
            tomllib.loads(artefact.text)
        elif suffix == ".json":
            json.loads(artefact.text)
        elif suffix == ".py":
            compile(artefact.text, artefact.name, "exec")


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=25)
@given(plan=plans())
def test_every_legal_plan_is_written_or_refused_with_a_reason(target: str, plan: Plan) -> None:
    bundle = rendered(plan, target)
    if bundle:
        check_syntax(bundle)


ODD = st.text(alphabet=st.characters(codec="utf-8"), max_size=30) | st.sampled_from(
    [
        "a b",
        "it's",
        'say "hi"',
        "$(touch x)",
        "`touch x`",
        "a\nb: c",
        "\\",
        "# not",
        "*",
        "{{",
        "é中\u2028\x7f",
        "'; rm -r x; '",
    ]
)


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=15)
@given(name=ODD, plan=plans(("hgx-h100", "atlas-950-superpod")))
def test_a_name_of_any_characters_is_quoted(target: str, name: str, plan: Plan) -> None:
    named = replace(plan, job=replace(plan.job, model=replace(plan.job.model, name=name)))
    pool = replace(named.pool, title=name)
    bundle = rendered(replace(named, pool=pool), target)
    if bundle:
        check_syntax(bundle)


CHECKED = {"volcano": "job.yaml", "jobset": "jobset.yaml", "rayjob": "rayjob.yaml", "deepspeed": "ds_config.json",
           "llama-factory": "llama_factory.yaml", "swift": "swift.yaml"}  # fmt: skip


@pytest.mark.parametrize(("target", "name"), CHECKED.items())
@settings(max_examples=30)
@given(plan=plans(("atlas-950-superpod", "atlas-900-a3-dies", "hgx-h100", "gb200-nvl72")))
def test_what_we_write_fits_its_schema_and_keeps_its_rules(target: str, name: str, plan: Plan) -> None:
    bundle = rendered(plan, target)
    if bundle:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_text(next(a.text for a in bundle.artefacts if a.name == name))
            assert check_file(str(path)).violations == ()


def settle(s: Strategy, target: str) -> Strategy:
    """Return a strategy with the switches at their defaults that have nothing to act on."""
    idle = {
        "schedule": s.pp == 1, "sequence_parallel": s.tp == 1, "overlap_tp": s.tp == 1, "cp_kind": s.cp == 1,
        "overlap_pp": s.pp == 1, "weight_gather": s.zero in (0, 3) or not s.overlap_dp,
        "placement": s.pp == 1 or s.dp == 1, "overlap_ep": s.ep == 1, "recompute_layers": s.recompute == "none",
        "ep_kind": s.ep == 1 or target == "mindspeed",  # which has one way to its experts, and notes it
        "zero_group": s.zero == 0 or s.zero_group >= s.cp * s.dp,
    }  # fmt: skip
    plain = Strategy(overlap_tp=True)
    # What selective recomputation without names is written as: the scores where attention is not fused, else the cheap outputs.
    usual = {"core_attn"} if not s.flash_attention else {"layernorm", "mlp_act", "moe_act"}
    if s.recompute == "selective" and set(s.recompute_modules.split("+")) <= usual:
        s = replace(s, recompute_modules="")
    return replace(s, **{name: getattr(plain, name) for name, is_idle in idle.items() if is_idle})


def sizes(model: Model) -> Model:
    """Return a model without what no launch script states: its names, its source, and how long it could be."""
    odd = {"head_dim": 0, "num_key_value_heads": 0} if model.mla else {}
    width = {"intermediate_size": model.intermediate_size}
    plain = {
        "name": "",
        "family": "",
        "source": "",
        "max_position_embeddings": 0,
        "qk_norm": model.qk_norm and not model.mla,
        "mathematics": Mathematics(),  # test_same_mathematics holds what of it can be said
    }
    moe = replace(model.moe, layer_step=1, num_leading_dense=model.num_dense_layers) if model.moe else None
    return replace(model, **{**plain, **odd, **width, "moe": moe})  # type: ignore[arg-type]


@pytest.mark.parametrize(("target", "pool"), [("megatron", "hgx-h100"), ("mindspeed", "atlas-950-superpod")])
@settings(max_examples=120)
@given(data=st.data())
def test_there_and_back_is_the_same_plan(target: str, pool: str, data: st.DataObject) -> None:
    plan = data.draw(plans((pool,)))
    bundle = rendered(plan, target)
    if bundle is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "launch.sh"
        path.write_text(bundle.artefacts[0].text)
        launch = read_launch(path)
    assert settle(launch.strategy, target) == settle(plan.strategy, target)
    assert sizes(launch.job.model) == sizes(plan.job.model)
    assert launch.job.model.num_parameters == plan.job.model.num_parameters
    assert (launch.job.seq_len, launch.job.global_batch_size) == (plan.job.seq_len, plan.job.global_batch_size)
    assert launch.job.precision == plan.job.precision
    assert launch.ignored == ()
