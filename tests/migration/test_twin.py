"""A twin has the weights and the settings of the model that it is of; what cannot have one is told so."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tianji.backends.first_weights import open_first_weights, weight_shapes
from tianji.backends.mindspore.environment import find_python
from tianji.cli import main
from tianji.errors import FormatError, InputError, RunError, UnsupportedModelError
from tianji.migration.twin import TwinSizes, make_twin
from tianji.migration.twin.names import trainer_name
from tianji.migration.twin.settings import read_settings
from tianji.migration.twin.weight_files import open_weights
from tianji.workload.huggingface import read_config

CONFIG: dict[str, Any] = {
    "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 16, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 24, "vocab_size": 64, "rms_norm_eps": 1e-5,
    "rope_theta": 1e6, "max_position_embeddings": 512, "tie_word_embeddings": False,
}  # fmt: skip
_OWN = {
    "embedding": "model.embed_tokens", "head": "lm_head", "norm": "model.norm", "attention_norm": "input_layernorm",
    "mlp_norm": "post_attention_layernorm", "attention.wq": "self_attn.q_proj", "attention.wk": "self_attn.k_proj",
    "attention.wv": "self_attn.v_proj", "attention.wo": "self_attn.o_proj", "mlp.gate": "mlp.gate_proj",
    "mlp.up": "mlp.up_proj", "mlp.down": "mlp.down_proj",
}  # fmt: skip


def hugging_face_name(name: str) -> str:
    """The published name of one of the trainer's weights, by a table of the test's own."""
    *middle, kind = name.split(".")
    if middle[0] == "layers":
        return f"model.layers.{middle[1]}.{_OWN['.'.join(middle[2:])]}.{kind}"
    return f"{_OWN[middle[0]]}.{kind}"


def write_safetensors(path: Path, arrays: Mapping[str, np.ndarray], dtype: str = "F32") -> None:
    """Write the format by hand: the header's length, the header, the numbers."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    parts, place = [], 0
    for name, array in arrays.items():
        raw = array.tobytes() if dtype == "F32" else (array.view(np.uint32) >> 16).astype("<u2").tobytes()
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [place, place + len(raw)]}
        place += len(raw)
        parts.append(raw)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(parts))


def random_weights(config: Mapping[str, Any]) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(5)
    return {name: draw.normal(size=s).astype(np.float32) * 0.1 for name, s in weight_shapes(model_of(config)).items()}


def model_of(config: Mapping[str, Any]) -> Any:
    return read_config(config, "tiny")


@pytest.fixture
def published(tmp_path: Path) -> Path:
    folder = tmp_path / "repository" / "model"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    weights = {hugging_face_name(name): array for name, array in random_weights(CONFIG).items()}
    write_safetensors(folder / "model.safetensors", weights)
    return folder


def test_weights_and_settings_are_those_of_the_published_model(published: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    twin = make_twin(str(published.parent), tmp_path / "twin")
    first = open_first_weights(twin.weights)
    for name, array in random_weights(CONFIG).items():
        assert np.array_equal(first.arrays[name], array), name
    assert first.norm_epsilon == 1e-5
    assert first.rotary_rates is not None
    assert first.rotary_rates == pytest.approx([1.0, 1e-3], rel=1e-6)
    assert (twin.carried_from, twin.unused) == (str(published), ())
    assert (tmp_path / "twin" / "plan.json").is_file()


def test_a_shortened_twin_has_the_first_layers(published: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    twin = make_twin(str(published / "config.json"), tmp_path / "twin", "", TwinSizes(layers=1))
    assert (twin.plan.job.model.num_layers, twin.num_layers_of) == (1, 2)
    assert not any(name.startswith("layers.1.") for name in open_first_weights(twin.weights).arrays)
    with pytest.raises(FormatError, match="expected 1 to 2"):
        make_twin(str(published), tmp_path / "other", "", TwinSizes(layers=3))


def test_files_of_weights_give_the_same_numbers(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    arrays = {"a.weight": np.array([[1.5, -2.0], [0.25, 3.0]], np.float32), "b": np.ones(3, np.float32)}
    write_safetensors(tmp_path / "one.safetensors", arrays)
    write_safetensors(tmp_path / "half.safetensors", arrays, "BF16")
    np.savez(tmp_path / "two.npz", **arrays)
    state = {"module": {name: torch.from_numpy(array) for name, array in arrays.items()}, "step": 3}
    torch.save(state, tmp_path / "three.pt")
    for file in ("one.safetensors", "half.safetensors", "two.npz", "three.pt"):
        read = open_weights(tmp_path / file)
        assert set(read) == set(arrays)
        assert all(np.array_equal(read[name](), array) for name, array in arrays.items()), file


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("w.safetensors", b""),
        ("w.safetensors", (2**60).to_bytes(8, "little") + b"{}"),
        ("w.safetensors", (2).to_bytes(8, "little") + b"[]"),
        (
            "w.safetensors",
            (59).to_bytes(8, "little") + b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,9999999]}} ',
        ),
        ("w.safetensors", (2).to_bytes(8, "little") + b"{}"),
        ("w.npz", b"PK\x03\x04"),
        ("w.pt", b"\x80\x04cos\nsystem\n(S'true'\ntR."),
        ("w.txt", b"1 2 3"),
    ],
)
def test_what_holds_no_weights_is_refused(name: str, raw: bytes, tmp_path: Path) -> None:
    if name.endswith(".pt"):
        pytest.importorskip("torch")
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(FormatError, match="expected safetensors"):
        open_weights(tmp_path / name)


def test_a_pickle_that_would_run_something_is_refused_and_not_run(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    import pickle

    mark = tmp_path / "mark"

    class Hostile:
        def __reduce__(self) -> tuple[Any, ...]:
            return (open, (str(mark), "w"))

    torch.save({"a": torch.ones(1), "b": Hostile()}, tmp_path / "w.pt")
    (tmp_path / "v.bin").write_bytes(pickle.dumps(Hostile()))
    for file in ("w.pt", "v.bin"):
        with pytest.raises(FormatError, match="not a plain state dict"):
            open_weights(tmp_path / file)
    assert not mark.exists()


def test_weights_that_are_missing_or_broken_are_named(published: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    weights = {hugging_face_name(name): array for name, array in random_weights(CONFIG).items()}
    weights["model.norm.weight"] = weights["model.norm.weight"] * np.float32(np.nan)
    write_safetensors(published / "model.safetensors", weights)
    with pytest.raises(InputError, match="not finite"):
        make_twin(str(published), tmp_path / "twin")
    del weights["model.norm.weight"]
    write_safetensors(published / "model.safetensors", weights)
    with pytest.raises(FormatError, match=r"no weight for norm\.weight \(16,\)"):
        make_twin(str(published), tmp_path / "twin")
    assert not (tmp_path / "twin").exists()


def test_names_in_wrappers_are_the_same_names() -> None:
    assert trainer_name("_orig_mod.module.model.layers.11.mlp.down_proj.weight") == "layers.11.mlp.down.weight"
    assert trainer_name("visual.patch.weight") == "visual.patch.weight"


def test_rotary_rates_are_stretched_as_the_file_says() -> None:
    model = model_of(CONFIG | {"head_dim": 16})
    plain = read_settings(CONFIG, model)[1]
    linear = read_settings(CONFIG | {"rope_scaling": {"type": "linear", "factor": 4.0}}, model)[1]
    assert linear == pytest.approx(plain / 4)
    stretch = {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192}
    rates = read_settings(CONFIG | {"rope_scaling": stretch}, model)[1]
    assert rates[0] == plain[0]  # Its wavelength is far below 8192 / 4.
    assert rates[-1] == pytest.approx(plain[-1] / 8)  # And this one's above 8192.
    assert all(small <= rate <= large for small, rate, large in zip(plain / 8, rates, plain, strict=True))
    parameters = {"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}, "rope_theta": None}
    assert read_settings(CONFIG | parameters, model)[1] == pytest.approx(plain)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"hidden_act": "gelu"}, "the executors have silu"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4}}, "'yarn'"),
        ({"partial_rotary_factor": 0.5}, "whole heads"),
        ({"rms_norm_eps": "small"}, "expected a positive number"),
        ({"rope_scaling": [1]}, "no table"),
        ({"model_type": "gemma", "architectures": ["GemmaForCausalLM"]}, "a twin needs a dense model"),
    ],
)
def test_what_the_executors_lack_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises((UnsupportedModelError, FormatError), match=says):
        read_settings(CONFIG | change, model_of(CONFIG | (change if "model_type" in change else {})))


def call(*words: str) -> Result:
    return CliRunner().invoke(main, ["migrate", *words])


def test_without_mindspore_the_files_are_written_and_what_to_install_is_said(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setenv("TIANJI_MINDSPORE_PYTHON", str(tmp_path / "none"))
    done = call("twin", str(published), "--out", str(tmp_path / "twin"))
    assert done.exit_code == 2
    assert "bash scripts/setup mindspore" in done.stderr
    assert (tmp_path / "twin" / "weights.npz").is_file()
    only = call("twin", str(published), "--out", str(tmp_path / "twin"), "--no-run", "--json")
    document = json.loads(only.stdout)
    assert (only.exit_code, document["parity"], document["runs"]) == (0, None, [])
    assert "--backend mindspore" in document["commands"][1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("twin", "no-such-model", "--out", "x"), "no such file"),
        (("twin", "deepseek-v3", "--out", "x"), "a twin needs a dense model"),
        (("twin", "llama-3.1-405b", "--out", "x"), "take fewer with --layers"),
        (("twin", "llama-3.1-8b", "--out", "x", "--steps", "1"), "at least 2"),
        (("scan", ".", "--twin", "x"), "give it with --to mindspore"),
        (("scan", ".", "--to", "mindspore", "--weights", "x"), "with --twin"),
    ],
)
def test_what_cannot_have_a_twin_is_told(
    words: tuple[str, ...], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = call(*words)
    assert done.exit_code == 2, done.output
    assert says in " ".join(done.stderr.split())


@pytest.mark.slow
def test_scan_makes_the_twin_runs_it_and_judges_it(published: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    try:
        find_python()
    except RunError as error:
        pytest.skip(str(error))
    (published.parent / "train.py").write_text(
        "import torch\ntorch.matmul(torch.ones(2, 2), torch.ones(2, 2)).cuda()\n"
    )
    done = call("scan", str(published.parent), "--to", "mindspore", "--twin", str(tmp_path / "twin"), "--json")
    assert done.exit_code == 0, done.output
    twin = json.loads(done.stdout)["mindspore"]["twin"]["made"]
    assert twin["weights"]["carried_from"] == str(published)
    assert (twin["outcome"], twin["parity"]["divergence"], twin["parity"]["steps"]) == ("pass", None, 20)
    assert [run["backend"] for run in twin["runs"]] == ["torch", "mindspore"]
