"""Classes of transformers read from their modules: the same model that the family's file describes."""

import json
from pathlib import Path

import pytest

from tianji.errors import FormatError, MissingExtraError, UnsupportedModelError
from tianji.workload import tracing
from tianji.workload.huggingface import read_config
from tianji.workload.layers import step_flops

COUNTED = json.loads((Path(__file__).parent / "data" / "class_counts.json").read_text())["types"]


def test_without_transformers_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(MissingExtraError, match="hf"):
        tracing.trace_config({"model_type": "llama"}, "m", "config.json")


@pytest.mark.parametrize("kind", ["llama", "qwen3_moe", "gemma2", "olmoe", "ernie4_5_moe"])
def test_a_class_comes_to_what_its_family_says(kind: str) -> None:
    pytest.importorskip("transformers")
    config = COUNTED[kind]["config"] | {"num_hidden_layers": 2}
    config = {key: value for key, value in config.items() if not isinstance(value, list) or key == "architectures"}
    traced, read = tracing.trace_config(config, "m", "config.json"), read_config(config, "m")
    assert abs(traced.num_parameters - read.num_parameters) < 1e-5 * read.num_parameters
    assert step_flops(traced, 4096, 1.0) == pytest.approx(step_flops(read, 4096, 1.0), rel=0.01)


def test_what_transformers_lacks_is_refused() -> None:
    pytest.importorskip("transformers")
    with pytest.raises(UnsupportedModelError, match="remote code is never run"):
        tracing.trace_config({"model_type": "quantum"}, "m", "config.json")
    with pytest.raises(FormatError, match="cannot be built from it"):
        tracing.trace_config({"model_type": "llama", "hidden_size": "wide"}, "m", "config.json")


def test_a_class_without_a_width_is_refused_in_a_sentence() -> None:
    pytest.importorskip("transformers")
    with pytest.raises(UnsupportedModelError, match="names no hidden_size"):
        tracing.trace_config({"model_type": "blt"}, "m", "config.json")
