"""Formats of a row: its recipe, and what its framework keeps and sends beside it."""

import pytest
from tables import cells

from tianji.measurements.frameworks import HABITS, Habits, find_habits, read_precision
from tianji.workload import Precision
from tianji.workload.precision import ALIASES, PRECISIONS


def precision(framework: str = "ours", release: str = "", **changes: str) -> Precision:
    return read_precision(cells(**changes), framework, release)


@pytest.mark.parametrize("name", ["bf16", "fp32", "fp8", "mxfp8", "fp4"])
def test_an_unknown_framework_keeps_the_recipe_as_it_is(name: str) -> None:
    assert precision(precision=name) == PRECISIONS[name]


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_an_alias_is_the_recipe_that_it_stands_for(alias: str, name: str) -> None:
    assert precision(precision=alias) == precision(precision=name)


@pytest.mark.parametrize(
    ("framework", "release", "recipe", "sizes"),
    [
        ("megatron-lm", "", "bf16", (4.0, 4.0)),
        ("megatron-lm", "", "fp16", (2.0, 2.0)),
        ("mindformers", "1.3.0", "fp16", (4.0, 4.0)),
        ("megatron-bridge", "26.04", "bf16", (2.0, 2.0)),
        ("nemo", "24.07", "fp8", (4.0, 4.0)),
        ("nemo", "25.02", "fp8", (2.0, 2.0)),
        ("nemo", "dgxc-25.02", "fp8", (4.0, 4.0)),
        ("nemo", "dgxc-25.05.01", "fp8", (2.0, 2.0)),
        ("nemo", "mlperf-5.1", "fp8", (2.0, 2.0)),
        ("fms-fsdp", "", "bf16", (4.0, 2.0)),
        ("bigscience", "", "bf16", (6.0, 4.0)),
        ("deepspeed", "", "bf16", (6.0, 2.0)),
    ],
)
def test_gradients_in_memory_and_on_the_wire(
    framework: str, release: str, recipe: str, sizes: tuple[float, float]
) -> None:
    read = precision(framework, release, precision=recipe)
    assert (read.gradient_size, read.gradient_wire) == sizes


def test_a_stated_reduction_overrides_the_frameworks() -> None:
    assert precision("llm-foundry", precision="bf16", reduce_dtype="bf16").gradient_wire == 2.0
    assert precision("mindspeed", precision="fp16", reduce_dtype="fp32").gradient_wire == 4.0


def test_scaling_and_the_wire_format_of_weights_name_the_recipe() -> None:
    assert precision(precision="fp8", scaling="block").name == "fp8-block"
    assert precision(precision="fp8", scaling="tensor", weight_gather_dtype="fp8").name == "fp8-gather"
    assert precision("torchtitan", precision="fp8", scaling="block").name == "fp8-block-torch"
    assert precision(precision="bf16", scaling="block") == PRECISIONS["bf16"], "nothing is scaled"


@pytest.mark.parametrize(
    ("framework", "logit"), [("llm-foundry", 4.0), ("torchtitan", 14.0), ("automodel", 14.0), ("ours", 8.0)]
)
def test_copies_of_the_logits(framework: str, logit: float) -> None:
    assert precision(framework, precision="bf16").logit_size == logit


def test_an_unknown_framework_does_as_most_do() -> None:
    assert find_habits("one-of-ours") == Habits()
    assert all(habits != Habits() for habits in HABITS.values()), "a line that says nothing"
