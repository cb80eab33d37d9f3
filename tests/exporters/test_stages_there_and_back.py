"""What each stage holds goes into the files of a framework and comes back, or is refused with a reason."""

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import tianji
from tianji.errors import ExportError
from tianji.exporters import render_plan
from tianji.exporters.launch_reader.launches import read_launch
from tianji.parallel.plan import Plan
from tianji.parallel.stages import Stages
from tianji.parallel.strategy import Strategy
from tianji.perf.holdings import stages_of

FILES = {
    "megatron": ("hgx-h100", ".sh", ("llama-3.1-8b", "deepseek-v3")),
    "mindspeed": ("atlas-950-superpod", ".sh", ("llama-3.1-8b", "deepseek-v3")),
    "mindformers": ("atlas-950-superpod", ".yaml", ("qwen3-8b", "deepseek-v3")),
    "torchtitan": ("hgx-h100", ".toml", ("llama-3.1-8b",)),
}
"""Of each framework a pool, the file that is read, and models."""


@st.composite
def named_plans(draw: st.DrawFn, target: str) -> Plan:
    pool, _, models = FILES[target]
    model = tianji.load_model(draw(st.sampled_from(models)))
    pp, vpp = draw(st.sampled_from([(2, 1), (4, 1), (2, 2), (4, 2), (3, 1)]))
    places = st.integers(1, model.num_layers - 1)
    cuts = sorted(draw(st.sets(places, min_size=pp * vpp - 1, max_size=pp * vpp - 1)))
    layers = tuple(b - a for a, b in pairwise([0, *cuts, model.num_layers]))
    modules: tuple[int, ...] = ()
    if model.num_mtp_layers and draw(st.booleans()):
        modules = (*[0] * (len(layers) - 1), model.num_mtp_layers)
    strategy = Strategy(
        pp=pp, vpp=vpp, dp=8, ep=8 if model.moe else 1, stages=str(Stages(layers, modules)), overlap_tp=False,
        schedule="interleaved" if vpp > 1 else "1f1b", zero=0 if target == "torchtitan" else 1, ep_kind="all_to_all",
        overlap_pp=target != "torchtitan" and vpp > 1,
    )  # fmt: skip
    job = tianji.make_job(model, seq_len=2048, global_batch_size=8 * pp * 4)
    return Plan(job, tianji.load_pool(pool, strategy.chips), strategy)


@pytest.mark.parametrize("target", FILES)
def test_stages_there_and_back(target: str) -> None:
    came_back = []

    @settings(max_examples=20, suppress_health_check=list(HealthCheck))
    @given(plan=named_plans(target))
    def go(plan: Plan) -> None:
        try:
            bundle = render_plan(plan, target)
        except ExportError as error:
            assert "would run another plan" in str(error)
            assume(False)
        with TemporaryDirectory() as folder:
            name = next(a.name for a in bundle.artefacts if a.name.endswith(FILES[target][1]))
            path = Path(folder) / name
            path.write_text(next(a.text for a in bundle.artefacts if a.name == name))
            launch = read_launch(path, chips=plan.strategy.chips)
        assert (launch.strategy.pp, launch.strategy.vpp) == (plan.strategy.pp, plan.strategy.vpp)
        assert stages_of(launch.job.model, launch.strategy) == stages_of(plan.job.model, plan.strategy)
        came_back.append(plan)

    go()
    assert len(came_back) >= 5
