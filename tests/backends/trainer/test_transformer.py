"""The trainer's model has the parameters that the checkpoints of the same config.json have."""

import pytest
import torch

from tianji.backends.trainer.context_parallel import attend_whole
from tianji.backends.trainer.transformer import Transformer, draw_weights, has_experts, rotate
from tianji.catalog import load_model
from tianji.workload import Model

from ..samples import CONFIGS, model_of


def build(model: Model) -> Transformer:
    with torch.device("meta"):
        whole = range(model.num_layers)
        return Transformer(model, whole, torch.arange(8), attend_whole, embed=True, predict=True)


def count(part: Transformer) -> int:
    return sum(weight.numel() for weight in part.parameters())


@pytest.mark.parametrize(
    "name",
    ["llama-3.1-8b", "llama-2-70b", "qwen2.5-14b", "qwen3-32b", "qwen3-30b-a3b", "mixtral-8x7b", "deepseek-v2-lite"],
)
def test_a_published_model_has_its_published_parameters(name: str) -> None:
    model = load_model(name)
    assert count(build(model)) == model.num_parameters


def test_deepseek_v3_has_all_but_the_balancing_bias_which_is_no_weight() -> None:
    model = load_model("deepseek-v3")
    assert model.moe is not None
    biases = model.num_moe_layers * model.moe.num_experts
    assert count(build(model)) == model.num_parameters - biases


@pytest.mark.parametrize("name", CONFIGS)
def test_a_tiny_model_has_the_parameters_of_its_config(name: str) -> None:
    model = model_of(name)
    tied = model.vocab_size * model.hidden_size if model.tied_embeddings else 0
    bias = model.num_moe_layers * model.moe.num_experts if model.moe and model.moe.router_bias else 0
    assert count(build(model)) == model.num_parameters + tied - bias


def test_experts_are_where_the_config_says() -> None:
    assert [has_experts(model_of("deepseek"), i) for i in range(4)] == [False, True, True, True]
    assert not has_experts(model_of("llama"), 3)


def test_a_weight_depends_on_its_name_and_the_seed_alone() -> None:
    model = model_of("llama")

    def first(layers: range, seed: int) -> torch.Tensor:
        part = Transformer(model, layers, torch.arange(8), attend_whole, embed=False, predict=False)
        draw_weights(part, seed)
        return dict(part.named_parameters())["layers.3.attention.wq.weight"]

    assert torch.equal(first(range(4), 0), first(range(3, 4), 0))
    assert not torch.equal(first(range(4), 0), first(range(4), 1))


def test_rotation_keeps_lengths_and_depends_on_the_distance_alone() -> None:
    q, k = torch.randn(1, 1, 1, 8), torch.randn(1, 1, 1, 8)

    def score(i: int, j: int) -> float:
        return float((rotate(q, torch.tensor([i])) * rotate(k, torch.tensor([j]))).sum())

    assert rotate(q, torch.tensor([7])).norm().item() == pytest.approx(q.norm().item(), rel=1e-5)
    assert score(5, 2) == pytest.approx(score(9, 6), abs=1e-5)
    assert score(3, 3) == pytest.approx(score(0, 0), abs=1e-5)
