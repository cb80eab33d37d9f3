"""Recipes: bytes of a parameter, other names, other moments."""

import pytest

from tianji.errors import UnknownNameError
from tianji.workload.formats import LOSSES, OPTIMIZERS, Formats
from tianji.workload.precision import PRECISIONS, find_precision


@pytest.mark.parametrize(("name", "expected"), [("bf16", 18), ("fp16", 18), ("fp8", 18), ("fp4", 18), ("fp32", 16)])
def test_bytes_that_a_parameter_takes(name: str, expected: float) -> None:
    """Mixed precision: 2 of weights, 4 of gradients, 12 of optimizer. In fp32 the weights are the master copy: 4, 4, 8."""
    p = find_precision(name)
    assert p.weight_size + p.gradient_size + p.optimizer_size == expected


@pytest.mark.parametrize(
    ("moments", "name", "expected"),
    [("fp32", "bf16", 12), ("bf16", "bf16", 8), ("fp8", "bf16", 6), ("bf16", "fp32", 4)],
)
def test_moments_of_another_dtype(moments: str, name: str, expected: float) -> None:
    """A master copy of 4 bytes (in fp32 none) and two moments."""
    assert Formats(optimizer_dtype=moments).apply(find_precision(name)).optimizer_size == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"optimizer_dtype": "bf16", "main_weights": "none", "gradient_dtype": "bf16"}, 2 + 2 + 4),  # pure bf16 Adam
        ({"optimizer": "adamw-8bit"}, 2 + 4 + 6.03125),
        ({"optimizer": "adamw-8bit", "main_weights": "none", "gradient_dtype": "bf16"}, 2 + 2 + 2.03125),
        ({"optimizer": "muon"}, 2 + 4 + 8),
        ({"optimizer": "adafactor"}, 2 + 4 + 4),
        ({"optimizer": "sgd", "main_weights": "none"}, 2 + 4 + 4),
        ({"main_weights": "reused"}, 2 + 4 + 10),  # MindSpeed's --reuse-fp32-param
        ({"gradient_dtype": "both"}, 20),  # DeepSpeed: 2 P of weights and 18 P over the ranks under ZeRO-2
    ],
)
def test_bytes_of_a_parameter_by_what_is_kept(words: dict[str, str], expected: float) -> None:
    p = Formats(**words).apply(find_precision("bf16"))
    assert p.weight_size + p.gradient_size + p.optimizer_size == expected
    assert all(word in p.describe() for word in words.values())


def test_kinds_of_loss_write_different_bytes_and_say_so() -> None:
    made = {word: Formats(loss_kernel=word).apply(find_precision("bf16")) for word in LOSSES}
    assert {p.logit_size for p in made.values()} == set(LOSSES.values())
    assert made["plain"] == find_precision("bf16")


def test_what_is_not_priced_of_an_optimizer_is_said() -> None:
    assert Formats(optimizer="muon").remarks
    assert [name for name in OPTIMIZERS if Formats(optimizer=name).remarks] == ["muon"]


def test_narrow_recipes_cast_their_inputs_and_keep_bf16_elsewhere() -> None:
    assert {name for name, p in PRECISIONS.items() if p.quantized} == {"fp8", "hif8", "mxfp8", "fp4"}
    assert all(p.high == "bf16" for p in PRECISIONS.values() if p.quantized)


def test_other_names_and_unknown_ones() -> None:
    assert find_precision("HiF8").linear == find_precision("fp8").linear
    assert find_precision("nvfp4").linear == "fp4"
    with pytest.raises(UnknownNameError, match="did you mean fp8"):
        find_precision("pf8")
    for name in ("optimizer", "optimizer_dtype", "main_weights", "gradient_dtype", "loss_kernel"):
        with pytest.raises(UnknownNameError, match=name.replace("_", " ")):
            Formats(**{name: "int4"}).apply(find_precision("bf16"))
