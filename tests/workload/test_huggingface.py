import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tianji.catalog.entries import DATA
from tianji.errors import FormatError, InputError, UnsupportedModelError
from tianji.input_files import LARGEST_FILE
from tianji.workload import Model
from tianji.workload.config_file import parse_config
from tianji.workload.huggingface import load_config, read_config

LLAMA: dict[str, object] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 96,
    "vocab_size": 1000,
}
PUBLISHED = {path.parent.name: json.loads(path.read_text()) for path in (DATA / "models").glob("*/config.json")}


def llama(**change: object) -> Model:
    return read_config(LLAMA | change, "small")


def published(name: str, **change: object) -> Model:
    return read_config(PUBLISHED[name] | change, name)


def without(data: dict[str, object], *keys: str) -> dict[str, object]:
    return {key: value for key, value in data.items() if key not in keys}


def minimal(kind: str, architecture: str, **change: object) -> Model:
    return read_config(LLAMA | {"model_type": kind, "architectures": [architecture]} | change, "small")


# --- what a left-out key means ------------------------------------------------------------------------------
def test_left_out_key_value_heads_are_as_many_as_heads() -> None:
    assert read_config(without(LLAMA, "num_key_value_heads"), "m").num_key_value_heads == 4
    assert llama(num_key_value_heads=None).num_key_value_heads == 4


def test_left_out_head_dim_is_the_share_of_the_hidden_size() -> None:
    assert llama().head_dim == llama(head_dim=None).head_dim == 16
    assert llama(head_dim=32).head_dim == 32
    assert minimal("qwen3", "Qwen3ForCausalLM").head_dim == 128
    assert minimal("gemma", "GemmaForCausalLM").head_dim == 256


@pytest.mark.parametrize(
    ("kind", "architecture", "tied"),
    [
        ("llama", "LlamaForCausalLM", False),
        ("qwen2", "Qwen2ForCausalLM", False),
        ("gemma", "GemmaForCausalLM", True),
        ("gemma2", "Gemma2ForCausalLM", True),
        ("phi3", "Phi3ForCausalLM", False),
    ],
)
def test_left_out_tying_is_the_familys(kind: str, architecture: str, tied: bool) -> None:
    assert minimal(kind, architecture).tied_embeddings is tied
    assert minimal(kind, architecture, tie_word_embeddings=not tied).tied_embeddings is not tied


def test_a_left_out_model_type_is_known_by_its_architecture() -> None:
    assert read_config(without(LLAMA, "model_type"), "m").family == "llama"
    assert read_config(without(LLAMA, "architectures"), "m").family == "llama"


# --- details of the families --------------------------------------------------------------------------------
def test_biases() -> None:
    assert not llama().qkv_bias
    both = llama(attention_bias=True)
    assert (both.qkv_bias, both.output_bias) == (True, True)
    qwen = published("qwen2.5-7b")
    assert (qwen.qkv_bias, qwen.output_bias) == (True, False)
    glm = published("glm-4.5")
    assert (glm.qkv_bias, glm.output_bias, glm.qk_norm) == (True, False, True)


def test_latent_attention_with_and_without_a_query_rank() -> None:
    full = published("deepseek-v2-lite").mla
    low = published("deepseek-v2").mla
    assert full is not None and low is not None
    assert (full.q_lora_rank, low.q_lora_rank) == (0, 1536)
    left_out = read_config(without(PUBLISHED["deepseek-v2"], "q_lora_rank"), "m")
    assert left_out.mla == low and "q_lora_rank 1536" in left_out.remark


def test_experts_shared_leading_and_predicted() -> None:
    model = published("deepseek-v3")
    assert model.moe is not None
    assert (model.num_dense_layers, model.num_moe_layers, model.num_mtp_layers) == (3, 58, 1)
    assert (model.moe.shared_intermediate_size, model.moe.router_bias) == (2048, True)
    assert published("deepseek-v3", n_shared_experts=None).moe.shared_intermediate_size == 0  # type: ignore[union-attr]


def test_a_deepseek_without_experts_is_dense() -> None:
    assert published("deepseek-v3", n_routed_experts=None).moe is None


def test_sparse_steps_and_dense_layers() -> None:
    assert published("qwen3-30b-a3b", decoder_sparse_step=2).num_moe_layers == 24
    assert published("qwen3-30b-a3b", mlp_only_layers=[0, 1]).num_dense_layers == 2
    assert published("qwen3-30b-a3b", mlp_only_layers=[5]).num_moe_layers == 47


def test_frequency_of_layers_with_experts() -> None:
    assert published("deepseek-v3", moe_layer_freq=2).num_moe_layers == 29  # layers 4, 6, ... 60
    assert published("deepseek-v3", moe_layer_freq=[0] * 3 + [1] * 58).num_moe_layers == 58
    with pytest.raises(FormatError, match="moe_layer_freq: expected an entry for each of the 61 layers"):
        published("deepseek-v3", moe_layer_freq=[1, 1])


def test_shared_expert_with_a_gate() -> None:
    # Qwen1.5-MoE-A2.7B, whose checkpoint holds 14,315,784,192 parameters
    model = minimal(
        "qwen2_moe", "Qwen2MoeForCausalLM", hidden_size=2048, num_hidden_layers=24, num_attention_heads=16,
        num_key_value_heads=16, intermediate_size=5632, vocab_size=151936, num_experts=60, num_experts_per_tok=4,
        moe_intermediate_size=1408, shared_expert_intermediate_size=5632, decoder_sparse_step=1, use_sliding_window=False,
    )  # fmt: skip
    assert model.num_parameters == 14_315_784_192


def test_sandwich_norms() -> None:
    assert published("pangu-ultra-moe").num_norms == 4
    assert published("pangu-ultra-moe", sandwich_norm=False).num_norms == 2
    assert minimal("gemma2", "Gemma2ForCausalLM").num_norms == 4


def test_gpt2_has_positions_biases_and_one_table() -> None:
    model = published("gpt3-175b")
    assert (model.learned_positions, model.intermediate_size, model.gated_mlp) == (2048, 4 * 12288, False)
    # Radford's count: layers of 12 h^2 + 13 h, one table for tokens, one for positions, a last norm
    assert model.num_parameters == 96 * (12 * 12288**2 + 13 * 12288) + (50257 + 2048) * 12288 + 2 * 12288


@pytest.mark.parametrize(
    ("change", "parameters"),
    [
        # the checkpoints of bigscience/bloom-7b1 and facebook/opt-6.7b
        (
            {"model_type": "bloom", "architectures": ["BloomForCausalLM"], "n_embed": 4096, "n_layer": 30,
             "num_attention_heads": 32, "vocab_size": 250880},
            7_069_016_064,
        ),
        (
            {"model_type": "opt", "architectures": ["OPTForCausalLM"], "hidden_size": 4096, "num_hidden_layers": 32,
             "num_attention_heads": 32, "ffn_dim": 16384, "vocab_size": 50272, "max_position_embeddings": 2048},
            6_658_473_984,
        ),
        # google/gemma-2-9b
        (
            {"model_type": "gemma2", "architectures": ["Gemma2ForCausalLM"], "hidden_size": 3584, "num_hidden_layers": 42,
             "num_attention_heads": 16, "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 256000},
            9_241_705_984,
        ),
        # THUDM/glm-4-9b
        (
            {"model_type": "chatglm", "architectures": ["ChatGLMModel"], "hidden_size": 4096, "num_layers": 40,
             "num_attention_heads": 32, "kv_channels": 128, "multi_query_attention": True, "multi_query_group_num": 2,
             "ffn_hidden_size": 13696, "padded_vocab_size": 151552, "seq_length": 131072, "add_qkv_bias": True,
             "add_bias_linear": False, "rmsnorm": True, "num_key_value_heads": None},
            9_399_951_360,
        ),
        # mistralai/Mistral-7B-v0.1
        (
            {"model_type": "mistral", "architectures": ["MistralForCausalLM"], "hidden_size": 4096,
             "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336,
             "vocab_size": 32000},
            7_241_732_096,
        ),
    ],
    ids=lambda value: value["model_type"] if isinstance(value, dict) else "",
)  # fmt: skip
def test_further_families_count_what_their_checkpoints_hold(change: dict[str, object], parameters: int) -> None:
    assert read_config(change, "m").num_parameters == parameters


# --- sliding windows ----------------------------------------------------------------------------------------
def window(model: Model) -> tuple[int, int]:
    return model.sliding_window, model.num_sliding_layers


def test_windows_on_all_layers_or_on_every_second() -> None:
    assert window(minimal("mistral", "MistralForCausalLM")) == (4096, 4)
    assert window(minimal("mistral", "MistralForCausalLM", sliding_window=None)) == (0, 0)
    assert window(minimal("gemma2", "Gemma2ForCausalLM", num_hidden_layers=5)) == (4096, 3)
    assert window(published("gpt-oss-120b")) == (128, 18)
    assert window(read_config(without(PUBLISHED["gpt-oss-120b"], "layer_types"), "m")) == (128, 18)


def test_a_window_that_is_switched_off_bounds_nothing() -> None:
    assert window(published("qwen2.5-72b")) == (0, 0)
    on = published("qwen2.5-72b", use_sliding_window=True, max_window_layers=70)
    assert [on.blocks[i].title for i in on.pattern] == ["attention + dense"] * 70 + ["windowed attention + dense"] * 10


def test_layer_types_are_counted_and_checked() -> None:
    kinds = ["sliding_attention"] * 3 + ["full_attention"]
    mistral = minimal("mistral", "MistralForCausalLM", layer_types=kinds)
    assert mistral.layer_titles == (("windowed attention + dense", 3), ("attention + dense", 1))
    with pytest.raises(FormatError, match="layer_types has 3 entries, but the model has 4 layers"):
        llama(layer_types=["full_attention"] * 3)
    with pytest.raises(UnsupportedModelError, match="layers of kind linear_attention"):
        llama(layer_types=["linear_attention"] * 4)


# --- what is refused ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            {"model_type": "quantum", "architectures": ["QuantumForCausalLM"]},
            "model_type 'quantum'.*`tianji model trace` reads any model",
        ),
        ({"model_type": "led", "is_encoder_decoder": True}, "it has an encoder"),
        ({"_class_name": "SanaTransformer2DModel", "_diffusers_version": "0.30"}, "a part of a diffusion pipeline"),
        ({"architectures": ["QuxForCausalLM"], "hidden_size": 4}, "model_type None, architectures .'QuxForCausalLM'."),
        (LLAMA | {"architectures": ["LlamaForCausalLMEagle3"]}, "llama models are LlamaForCausalLM"),
        (LLAMA | {"architectures": ["Qwen2ForSequenceClassification"]}, "llama models are LlamaForCausalLM"),
        (LLAMA | {"model_type": "lama"}, "names like it, should it be misspelt: llama"),
        (LLAMA | {"num_local_experts": 8}, "num_local_experts = 8 announces a mixture of experts"),
        (LLAMA | {"kv_lora_rank": 512}, "announces multi-head latent attention"),
        (PUBLISHED["llama-4-maverick"]["text_config"] | {"model_type": "mixtral"}, "announces"),
        (
            {"model_type": "paligemma", "text_config": {"model_type": "nobody"}},
            "its text_config has model_type 'nobody'",
        ),
    ],
)
def test_an_architecture_that_is_not_understood_is_refused(data: dict[str, object], said: str) -> None:
    with pytest.raises(UnsupportedModelError, match=said):
        read_config(data, "m")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hidden_size": 2_000_000_000}, "hidden_size: expected a whole number from 0 to 10,000,000, got 2000000000"),
        ({"hidden_size": -64}, "hidden_size: .* got -64"),
        ({"hidden_size": True}, "hidden_size: .* got True"),
        ({"hidden_size": "64"}, "hidden_size: .* got '64'"),
        ({"hidden_size": 64.0}, "hidden_size: .* got 64.0"),
        ({"hidden_size": float("nan")}, "hidden_size: .* got nan"),
        ({"hidden_size": 66}, "66 does not divide by 4 .hidden_size 66, num_attention_heads 4"),
        ({"num_hidden_layers": 10**6}, "num_hidden_layers: expected a whole number from 0 to 10,000"),
        ({"num_key_value_heads": 3}, "4 attention heads do not divide into 3 key-value heads"),
        ({"vocab_size": None}, "'vocab_size' is null"),
        ({"tie_word_embeddings": 1}, "tie_word_embeddings: expected true or false, got 1"),
        ({"model_type": 3}, "model_type: expected a text"),
        ({"architectures": "LlamaForCausalLM"}, "architectures: expected a list of texts"),
    ],
)
def test_a_value_that_cannot_be_is_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(FormatError, match=said):
        llama(**change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"num_experts_per_tok": 300}, "each token goes to 300 experts, but there are only 256"),
        ({"first_k_dense_replace": 61}, "the first 61 layers are dense, but there are only 61 layers"),
        ({"n_shared_experts": -1}, "n_shared_experts: expected a whole number from 0"),
    ],
)
def test_experts_that_contradict_each_other_are_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(FormatError, match=said):
        published("deepseek-v3", **change)


def test_a_missing_or_misspelt_key_is_named() -> None:
    data = without(LLAMA, "hidden_size") | {"hiden_size": 64}
    with pytest.raises(FormatError, match="unknown key 'hiden_size'; did you mean 'hidden_size'"):
        read_config(data, "m")
    with pytest.raises(FormatError, match=r"'hidden_size' is missing, but the architecture needs it"):
        read_config(without(LLAMA, "hidden_size"), "m")
    data = without(LLAMA, "num_key_value_heads") | {"num_key_value_head": 2}
    with pytest.raises(FormatError, match="unknown key 'num_key_value_head'; did you mean 'num_key_value_heads'"):
        read_config(data, "m")
    with pytest.raises(FormatError, match="no model_type and no hidden_size"):
        read_config({"a": 1}, "m")


# --- text parts of larger models ----------------------------------------------------------------------------
def test_the_text_part_of_a_vision_language_model_is_read_and_said() -> None:
    whole = {"model_type": "llava", "architectures": ["LlavaForConditionalGeneration"], "text_config": LLAMA}
    model = read_config(whole, "m")
    assert model.num_parameters == llama().num_parameters
    assert "text_config of a 'llava' config" in model.remark
    assert read_config(whole | {"tie_word_embeddings": True}, "m").tied_embeddings


# --- files --------------------------------------------------------------------------------------------------
def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "config.json"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_file_and_its_folder_are_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    path = write(folder, "\ufeff" + json.dumps(LLAMA))
    assert load_config(path) == load_config(str(path))
    assert load_config(path).name == load_config(folder).name == "small"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"hidden_size": 64,\n "num', "not valid JSON at line 2, column 2: .* is it complete"),
        ('{"hidden_size": 64,}', "not valid JSON at line 1, column 20"),
        ("[1, 2]", "got a list; expected the config.json of a model"),
        ("", "not valid JSON at line 1, column 1"),
        ("[" * 100_000, "nested too deeply"),
        ('{"hidden_size": 1' + "0" * 5000 + "}", "not valid JSON"),
        (b"\xff\xfe\x00", "not UTF-8 text"),
        (" " * (int(LARGEST_FILE) + 1), "5 MB is too big|at most 5 MB"),
        (json.dumps({str(i): i for i in range(3000)}), "3,000 keys; the config.json of a model has fewer than 2,000"),
    ],
    ids=["truncated", "comma", "list", "empty", "deep", "digits", "bytes", "big", "keys"],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        load_config(write(tmp_path, text))


def test_a_path_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no such file; expected the config"):
        load_config(tmp_path / "none.json")
    for path in (tmp_path, "a\0b.json", "x" * 5000):
        with pytest.raises(FormatError):
            load_config(path)


def test_numbers_that_json_lacks_do_no_harm_where_nobody_reads_them() -> None:
    data = parse_config(json.dumps(LLAMA | {"time_step_limit": [0.0, float("inf")]}))
    assert read_config(data, "small") == llama()


# --- anything at all ----------------------------------------------------------------------------------------
JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 40), st.integers(), st.floats(), st.text(max_size=8),
    st.lists(st.integers(-1, 2) | st.booleans() | st.text(max_size=3), max_size=5),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2), st.just(LLAMA),
)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, object]:
    data: dict[str, object] = dict(PUBLISHED[draw(st.sampled_from(sorted(PUBLISHED)))])
    for key in draw(st.lists(st.sampled_from(sorted(data)), max_size=4)):
        if draw(st.booleans()):
            data.pop(key, None)
        else:
            data[key] = draw(JUNK)
    return data | draw(
        st.dictionaries(st.text(max_size=12) | st.sampled_from(["text_config", "layer_types"]), JUNK, max_size=2)
    )


@given(damaged())
def test_a_damaged_config_is_read_or_refused(data: dict[str, object]) -> None:
    try:
        model = read_config(data, "damaged")
    except InputError as error:
        assert len(str(error)) < 2000
    else:
        assert 0 < model.num_active_parameters <= model.num_parameters
        assert 0 <= model.num_moe_layers <= model.num_layers


@given(damaged(), st.integers(0, 3000), st.text(max_size=3))
def test_a_torn_text_is_read_or_refused(data: dict[str, object], cut: int, patch: str) -> None:
    text = json.dumps(data)
    with contextlib.suppress(InputError):
        read_config(parse_config(text[:cut] + patch + text[cut + len(patch) :]), "torn")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.json"
    path.write_bytes(content)
    with contextlib.suppress(InputError):
        load_config(path)
