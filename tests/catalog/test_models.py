"""The catalog's models against what their makers published; each figure's source stands in the entry's model.toml."""

import json
import re
from pathlib import Path

import pytest

from tianji.catalog.entries import DATA, ENVIRONMENT
from tianji.catalog.models import (
    PublishedCount,
    count_parameters,
    describe_model,
    list_aliases,
    list_models,
    load_model,
    training_defaults,
)
from tianji.errors import FormatError, InputError, UnknownNameError

NAMES = sorted(path.parent.name for path in (DATA / "models").glob("*/config.json"))
REQUIRED = {
    "gpt3-175b", "llama-3.1-8b", "llama-3.1-70b", "llama-3.1-405b", "deepseek-v3", "mixtral-8x7b", "qwen3-235b-a22b",
    "pangu-ultra-moe",
}  # fmt: skip
GAPS = {
    # The report's own shape (94 layers of 12,288 with a SwiGLU of 28,672, 96 and 8 heads, 153,376 tokens) comes to 133.9B.
    "pangu-ultra-135b": -0.0083,
}
"""Published totals that contradict the shape published with them, with the difference."""

CUT_OFF = {"qwen3-30b-a3b", "deepseek-v2-lite"}
"""Published active counts whose last digit is cut off rather than rounded: 3.353B as 3.3B, 2.451B as 2.4B."""

COUNTS = [(name, count) for name in NAMES for count in describe_model(name).published]
TOTALS = [(name, count) for name, count in COUNTS if count.what == "total"]


def half_unit(text: str) -> float:
    """Return how far a printed figure may lie from the true one for rounding alone.

    2.4B says 2.35B to 2.45B.
    """
    match = re.fullmatch(r"\d+(?:\.(\d+))?([BT]?)", text)
    assert match is not None, text
    return 0.5 * {"": 1, "B": 10**9, "T": 10**12}[match[2]] / 10 ** len(match[1] or "")


def test_the_names_that_scripts_rely_on_are_there() -> None:
    assert set(NAMES) >= REQUIRED
    assert set(list_models()) >= REQUIRED


@pytest.mark.parametrize(("name", "count"), TOTALS, ids=[name for name, _ in TOTALS])
def test_total_is_within_half_a_percent_of_the_published_one(name: str, count: PublishedCount) -> None:
    if name in GAPS:
        assert count.difference == pytest.approx(GAPS[name], abs=1e-4)
        assert count.figure.alternatives, "a contradiction is said in the entry"
    else:
        assert abs(count.difference) < 0.005


def test_every_model_has_a_published_total() -> None:
    assert [name for name, _ in TOTALS] == NAMES


@pytest.mark.parametrize(
    ("name", "count"), [c for c in COUNTS if c[1].what == "active"], ids=[n for n, c in COUNTS if c.what == "active"]
)
def test_active_parameters_are_the_published_ones_but_for_rounding(name: str, count: PublishedCount) -> None:
    lost = count.counted - count.figure.value
    unit = 2 * half_unit(count.figure.text)
    assert (0 < lost < unit) if name in CUT_OFF else abs(lost) <= unit / 2


def test_every_mixture_of_experts_has_a_published_active_count() -> None:
    mixtures = [name for name in NAMES if load_model(name).moe]
    assert [name for name, count in COUNTS if count.what == "active"] == mixtures


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        # what the model pages on Hugging Face count in the checkpoints
        ("llama-3.1-405b", 405_853_388_800),
        ("deepseek-v2", 235_741_434_880),
        ("qwen3-235b-a22b", 235_093_634_560),
        ("mixtral-8x22b", 140_620_634_112),
        ("gpt-oss-120b", 116_829_156_672),
        ("qwen2.5-72b", 72_706_203_648),
        ("deepseek-v2-lite", 15_706_484_224),
    ],
)
def test_counts_are_exact_where_the_checkpoint_is_published(name: str, parameters: int) -> None:
    assert load_model(name).num_parameters == parameters


@pytest.mark.parametrize(("name", "checkpoint"), [("glm-4.5", 358_337_791_296), ("glm-4.5-air", 110_468_824_832)])
def test_multi_token_prediction_is_exact(name: str, checkpoint: int) -> None:
    # The checkpoints of GLM-4.5 hold the module with a copy of both tables.
    model = load_model(name)
    copies = 2 * model.hidden_size * model.vocab_size
    assert model.num_parameters + model.mtp_parameters() + copies == checkpoint


def test_count_by_parts() -> None:
    model = load_model("deepseek-v3")
    table = model.hidden_size * model.vocab_size
    both = count_parameters(model, ["embedding", "head"])
    assert both == model.num_parameters
    assert both - count_parameters(model, ["head"]) == both - count_parameters(model, ["embedding"]) == table
    assert count_parameters(model, ["embedding", "head", "mtp"]) - both == model.mtp_parameters()
    assert count_parameters(model, ["embedding", "head"], active=True) == model.num_active_parameters
    tied = load_model("gpt3-175b")
    assert count_parameters(tied, ["embedding"]) == tied.num_parameters
    assert tied.num_parameters - count_parameters(tied, []) == tied.embedding_parameters()


def test_training_sizes() -> None:
    sizes = {name: training_defaults(name) for name in NAMES}
    assert sizes["mixtral-8x7b"] is None
    known = {name: (run["seq_len"], run["global_batch_size"], run["tokens"]) for name, run in sizes.items() if run}
    assert known["deepseek-v3"] == (4096, 15360, pytest.approx(14.8 * 10**12))
    assert known["llama-3.1-405b"] == (8192, 2048, pytest.approx(15.6 * 10**12))
    assert known["gpt3-175b"] == (2048, 1536, pytest.approx(0.3 * 10**12))
    assert known["qwen3-8b"][1] is None
    assert all(run["source"] and run["confidence"] for run in sizes.values() if run)


# --- finding ------------------------------------------------------------------------------------------------
def test_a_name_may_be_written_in_capitals() -> None:
    assert load_model("DeepSeek-V3") == load_model("deepseek-v3")


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown model 'deepseek-v33'; did you mean deepseek-v3"):
        load_model("deepseek-v33")
    for name in ("", " ", "no such model", "a\0b"):
        with pytest.raises(UnknownNameError, match="given by the path"):
            load_model(name)


def test_an_alias_is_the_model_of_its_shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for alias, name in list_aliases().items():
        assert alias not in NAMES
        assert load_model(alias) == load_model(name)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "aliases.toml").write_text('[aliases]\n"ours" = "qwen3-8b"\n')
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
    assert load_model("Ours") == load_model("qwen3-8b")
    (tmp_path / "models" / "aliases.toml").write_text('[aliases]\n"ours" = "ours"\n')
    with pytest.raises(UnknownNameError, match="unknown model 'ours'"):
        load_model("ours")
    (tmp_path / "models" / "aliases.toml").write_text("aliases = 3\n")
    with pytest.raises(FormatError, match=r"expected a table \[aliases\]"):
        load_model("ours")


MODERN = {
    "deepseek-v2-lite", "moonlight-16b-a3b", "deepseek-v3.2", "deepseek-v4-flash", "deepseek-v4-pro", "glm-5",
    "qwen3-next-80b-a3b", "qwen3.5-397b-a17b", "kimi-linear-48b-a3b", "nemotron-3-nano-30b-a3b", "minimax-m2", "ling-1t",
    "llama-4-scout", "llama-4-maverick", "gemma-3-27b", "qwen3-vl-8b", "wan2.1-t2v-14b", "flux.1-dev", "qwen-image",
}  # fmt: skip


def test_the_catalog_has_models_of_each_kind_of_layer() -> None:
    assert set(NAMES) >= MODERN
    models = [load_model(name) for name in NAMES]
    mixers = {block.mixer.kind for model in models for block in model.blocks if block.mixer}
    assert mixers >= {
        "attention", "cross_attention", "latent", "compressed", "gated_delta_net", "delta_attention", "mamba2", "lightning",
    }  # fmt: skip
    assert any(block.residual_streams > 1 for model in models for block in model.blocks)
    assert any(model.num_mtp_layers for model in models)


def test_an_account_and_a_name_are_no_path() -> None:
    with pytest.raises(FormatError, match="the catalog has this model under the name 'llama-2-7b'"):
        load_model("someone/Llama-2-7b")


def test_a_path_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "config.json").write_text((DATA / "models" / "llama-2-7b" / "config.json").read_text())
    entry = describe_model(folder)
    assert entry == describe_model(str(folder / "config.json"))
    assert (entry.name, entry.published, entry.training) == ("mine", (), None)
    assert entry.model.num_parameters == load_model("llama-2-7b").num_parameters


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    data = json.loads((DATA / "models" / "llama-2-7b" / "config.json").read_text())
    path.write_text(json.dumps(data))
    before = load_model(path)
    path.write_text(json.dumps(data | {"num_hidden_layers": 1}))
    assert (before.num_layers, load_model(path).num_layers) == (32, 1)


def test_a_folder_of_the_users_own_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "models" / "llama-2-7b"
    folder.mkdir(parents=True)
    data = json.loads((DATA / "models" / "llama-2-7b" / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(data | {"num_hidden_layers": 2}))
    (folder / "model.toml").write_text('title = "Mine"\nsource = "our own note"\nconfidence = "user"\n')
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
    entry = describe_model("llama-2-7b")
    assert (entry.title, entry.source, entry.model.num_layers) == ("Mine", "our own note", 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('title = "Mine"\n', "source: missing"),
        ('title = "Mine"\nsource = "x"\nconfidence = "sure"\n', "confidence: 'sure' is not known"),
        ('title = "Mine"\nsource = "x"\nconfidence = "user"\ntraning = 1\n', "traning: unknown key"),
        (
            'title = "M"\nsource = "x"\nconfidence = "user"\n[parameters]\ntotal_counts = ["heads"]\n',
            "'heads' is not one of embedding, head, mtp",
        ),
        (
            'title = "M"\nsource = "x"\nconfidence = "user"\n[parameters.total]\nvalue = "7B"\n',
            "parameters.total.source: missing",
        ),
        ('title = "M"\nsource = "x"\nconfidence = "user"\n[training]\nseq_len = -1\n', "seq_len"),
        ("title = ", "model.toml, line 1"),
    ],
)
def test_an_entry_that_cannot_be_used_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "config.json").write_text((DATA / "models" / "llama-2-7b" / "config.json").read_text())
    (tmp_path / "model.toml").write_text(text)
    with pytest.raises(InputError, match=said):
        load_model(tmp_path)
