"""The trainer's model has the parameters that the checkpoints of the same config.json have."""

import inspect
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import pytest
import torch

from tianji.backends import trained_parts
from tianji.backends.support import MODEL_LIMITS
from tianji.backends.trained_parts import lacking_parts
from tianji.backends.trainer.attention import rotate
from tianji.backends.trainer.context_parallel import UNCUT
from tianji.backends.trainer.transformer import MIXERS, MLPS, Transformer, draw_weights
from tianji.catalog import list_models, load_model
from tianji.workload import Model
from tianji.workload.plain import block_of

from ..samples import CONFIGS, model_of


def build(model: Model, layers: Iterable[int] | None = None) -> Transformer:
    with torch.device("meta"):
        layers_here = range(model.num_layers) if layers is None else layers
        return Transformer(model, layers_here, torch.arange(8), UNCUT, embed=True, predict=True)


def count(part: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in part.parameters())


def described(model: Model) -> int:
    """Parameters of the description as the trainer holds them: a tied head has a tensor, a balancing bias is no weight."""
    tied = model.vocab_size * model.hidden_size if model.tied_embeddings else 0
    blocks = [block_of(model, i) for i in range(model.num_layers)]
    sizes = [dict(block.mlp.sizes) for block in blocks if block.mlp and block.mlp.kind == "experts"]
    return model.num_parameters + tied - sum(one["num_experts"] for one in sizes if one.get("router_bias"))


def test_every_published_model_that_the_trainer_takes_has_the_parameters_of_its_description() -> None:
    counted = set()
    for name in list_models():
        model = replace(load_model(name), num_mtp_layers=0)
        if any(is_so(model) for is_so, _ in MODEL_LIMITS) or lacking_parts(model):
            continue
        # One layer of each kind is built, and counted as often as the model has it.
        kinds = Counter(block_of(model, i) for i in range(model.num_layers))
        first = {block_of(model, i): i for i in reversed(range(model.num_layers))}
        part = build(model, first.values())
        rest = sum((kinds[block] - 1) * count(part.layers[str(i)]) for block, i in first.items())
        assert count(part) + rest == described(model), name
        counted.add(name)
    dense, sparse = {"llama-3.1-8b", "qwen2.5-14b", "qwen3-32b"}, {"mixtral-8x7b", "deepseek-v3"}
    assert dense | sparse | {"gemma-3-27b", "qwen3-next-80b-a3b", "qwen3.5-27b", "nemotron-3-nano-30b-a3b"} <= counted


@pytest.mark.parametrize("name", CONFIGS)
def test_a_tiny_model_has_the_parameters_of_its_config(name: str) -> None:
    model = model_of(name)
    assert count(build(model)) == described(model)


def test_a_module_takes_the_sizes_that_the_table_of_what_is_trained_names() -> None:
    for table, modules in ((trained_parts.MIXERS, MIXERS), (trained_parts.MLPS, MLPS)):
        assert set(table) == set(modules)
        for kind, module in modules.items():
            taken = inspect.signature(module.__init__).parameters.values()
            assert {one.name for one in taken if one.kind is one.KEYWORD_ONLY} == table[kind], kind


def test_a_weight_depends_on_its_name_and_the_seed_alone() -> None:
    model = model_of("llama")

    def first(layers: range, seed: int) -> torch.Tensor:
        part = Transformer(model, layers, torch.arange(8), UNCUT, embed=False, predict=False)
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


@pytest.mark.parametrize("window", [1, 3, 11, 40])
def test_a_window_bounds_what_a_token_sees(window: int) -> None:
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, heads, 16, 8, generator=generator) for heads in (4, 2, 2))
    seen = UNCUT.attend(q, k, v, window)
    for head in range(4):
        for token in range(16):
            first = max(token - window + 1, 0)
            keys, values = k[:, head // 2, first : token + 1], v[:, head // 2, first : token + 1]
            weights = (keys @ q[:, head, token, :, None] / 8**0.5).squeeze(-1).softmax(-1)
            assert torch.allclose(seen[:, head, token], (weights[..., None] * values).sum(1), atol=1e-5)
