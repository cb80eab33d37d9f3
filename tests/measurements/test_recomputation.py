"""Modules, layers and shares become a kind of recomputation and a share of the layers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import MOE, cells

from tianji.measurements.columns import MODULES
from tianji.measurements.recomputation import Recompute, module_flops, read_recompute
from tianji.measurements.rows import read_setup
from tianji.workload import Model

FUSED = True


def model_of(**changes: str) -> Model:
    return read_setup(cells(**changes)).job.model


def read(fused: bool = FUSED, chunk: float = 12.0, **changes: str) -> Recompute:
    return read_recompute(cells(**changes), model_of(), chunk, fused)


def test_nothing_is_recomputed_whatever_else_stands_there() -> None:
    assert read(recompute="none", recompute_share="1/2", recompute_modules="mlp") == Recompute("none")


@pytest.mark.parametrize(
    ("changes", "share"),
    [
        ({}, 1.0),
        ({"recompute_share": "1/2"}, 0.5),
        ({"recompute_num_layers": "3"}, 0.25),
        ({"recompute_num_layers": "99"}, 1.0),
    ],
)
def test_a_share_of_the_layers(changes: dict[str, str], share: float) -> None:
    assert read(recompute="full", **changes) == Recompute("full", share)


@pytest.mark.parametrize("moe", [{}, MOE])
def test_no_module_takes_more_than_the_layers_do(moe: dict[str, str]) -> None:
    flops = module_flops(model_of(**moe), 1024)
    apart = ("core_attn", "qkv", "out_proj", "mlp", "moe")
    assert sum(flops[name] for name in apart) == pytest.approx(flops["all"], rel=1e-6)
    assert flops["mlpwo"] <= flops["mlp"] and flops["mla_up_proj"] <= flops["qkv"]
    assert flops["layernorm"] == flops["moe_act"] == 0.0


@given(st.sampled_from(["qkv", "out_proj"]), st.sets(st.sampled_from(["core_attn", "mlp"])))
def test_modules_recomputed_and_modules_kept_are_two_sides_of_one_share(first: str, others: set[str]) -> None:
    modules = " ".join([first, *others])
    again = read(recompute="selective", recompute_modules=modules)
    kept = read(recompute="full", kept_modules=modules)
    assert again.kind == kept.kind == "full"
    assert again.share + kept.share == pytest.approx(1.0)


@pytest.mark.parametrize(
    "modules", ["layernorm", "moe_act", "mlp", "core_attn", "layernorm moe_act", "layernorm mla_up_proj"]
)
def test_modules_that_a_strategy_knows_are_priced_one_by_one(modules: str) -> None:
    for fused in (True, False):
        found = read(fused, recompute="selective", recompute_modules=modules)
        assert found == Recompute("selective", modules=modules.replace(" ", "+"))
    strategy = read_setup(cells(recompute="selective", recompute_modules=modules)).strategy
    assert set(strategy.recompute_modules.split("+")) == set(modules.split())


def test_each_module_has_its_flops() -> None:
    assert {*MODULES, "all"} == module_flops(model_of(), 1024).keys()
