"""Towers: counted as their makers' classes count them, with the FLOPs that PyTorch counts, and planned before the text."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from tianji.catalog import load_pool
from tianji.cli import main
from tianji.errors import FormatError, TianjiError
from tianji.parallel import Strategy
from tianji.parallel.plan import Plan
from tianji.parallel.plan_file import read_plan, write_plan
from tianji.workload import Job, find_precision
from tianji.workload.description import read_description, write_description
from tianji.workload.huggingface import read_config
from tianji.workload.layers import step_flops
from tianji.workload.model import Model
from tianji.workload.towers import load_towers, with_tower

DATA: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "towers.json").read_text(encoding="utf-8"))
COUNTS, FLOPS = DATA["counts"], DATA["flops"]
SOUND, SOUND_FLOPS = DATA["audio_counts"], DATA["audio_flops"]
OF_ONE_SIZE = ("llava", "gemma3", "internvl", "llama4")
OF_ONE_LENGTH = ("qwen2_audio", "voxtral", "audioflamingo3")


def tower_of(name: str, images: int = 2, image_tokens: int = 1000) -> Model:
    return with_tower(COUNTS[name]["config"], name, name, images, 0 if name in OF_ONE_SIZE else image_tokens)


def test_every_tower_is_counted_by_its_class() -> None:
    assert set(load_towers()) <= set(COUNTS) | {"glm46v"} | {name for name in SOUND if SOUND[name]["vision"]}
    assert set(load_towers("audio_config")) <= set(SOUND) | {"musicflamingo"}


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_are_those_of_the_class(name: str) -> None:
    model, text = tower_of(name), read_config(COUNTS[name]["config"], name)
    assert model.num_parameters - text.num_parameters == COUNTS[name]["tower"]
    assert model.num_parameters == pytest.approx(COUNTS[name]["all"], rel=1e-5)


@pytest.mark.parametrize("name", FLOPS)
def test_flops_are_those_that_torch_counts(name: str) -> None:
    case = FLOPS[name]
    model = with_tower(case["config"], name, name, case["images"], case["image_tokens"])
    assert model.num_parameters == case["parameters"]
    # A pass forward is a third of a step; torch counts all pairs of tokens. CLIP's token of the class is dropped.
    forward = step_flops(model, case["tokens"], case["tokens"], causal=False) / 3
    assert forward == pytest.approx(case["forward"], rel=1e-3)


@pytest.mark.parametrize("name", SOUND)
def test_towers_of_sound_and_both_together_are_counted_by_their_class(name: str) -> None:
    row, tokens = SOUND[name], 0 if name in OF_ONE_LENGTH else 390
    text = read_config(row["config"], name)
    heard = with_tower(row["config"], name, name, clips=3, clip_tokens=tokens)
    assert heard.num_parameters - text.num_parameters == row["audio"]
    if not row["vision"]:
        assert heard.num_parameters == row["all"]
        return
    both = with_tower(row["config"], name, name, 2, 256, 3, tokens)
    assert both.num_parameters == row["all"]
    seen = with_tower(row["config"], name, name, 2, 256)
    own = step_flops(text, 8192, 8192)
    alone = step_flops(heard, 8192, 8192) + step_flops(seen, 8192, 8192) - own
    assert step_flops(both, 8192, 8192) == pytest.approx(alone, rel=1e-3)


@pytest.mark.parametrize("name", SOUND_FLOPS)
def test_flops_of_towers_of_sound_are_those_that_torch_counts(name: str) -> None:
    case = SOUND_FLOPS[name]
    model = with_tower(case["config"], name, name, clips=case["clips"])
    assert model.num_parameters == case["parameters"]
    forward = step_flops(model, case["tokens"], case["tokens"], causal=False) / 3
    assert forward == pytest.approx(case["forward"], rel=1e-3)


@given(images=st.integers(1, 50), tokens=st.integers(1, 5000))
def test_the_tower_works_in_proportion_to_the_images(images: int, tokens: int) -> None:
    text = step_flops(read_config(COUNTS["qwen3_vl"]["config"], "text"), 8192, 8192, causal=True)
    one, many = (step_flops(tower_of("qwen3_vl", n, tokens), 8192, 8192, causal=True) - text for n in (1, images))
    assert many == pytest.approx(images * one, rel=1e-3)


def test_a_description_gives_the_same_model_back(tmp_path: Path) -> None:
    model = tower_of("qwen2_5_vl")
    (tmp_path / "model.toml").write_text(write_description(model), encoding="utf-8")
    again = read_description(tmp_path / "model.toml")
    assert (again.blocks, again.pattern, again.num_parameters) == (model.blocks, model.pattern, model.num_parameters)
    assert (again.stem_width, again.stem_tokens, again.remark) == (model.stem_width, model.stem_tokens, model.remark)


@pytest.mark.parametrize(
    ("change", "images", "tokens", "message"),
    [
        ({}, 2, 0, "images of this tower keep their size"),
        ({}, 0, 256, "expected how many images or clips"),
        ({}, -1, 256, "expected 1 to 100,000"),
        ({"vision_config": None}, 2, 256, "no vision_config"),
        ({"vision_config": {"model_type": "dinov9"}}, 2, 256, "the tower dinov9 of qwen3_vl is not understood"),
        ({"vision_config": {"model_type": "qwen3_vl", "depth": "many"}}, 2, 256, "depth|many"),
        ({"vision_config": {"model_type": "qwen3_vl", "depth": 3}}, 2, 256, "architecture needs it"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any], images: int, tokens: int, message: str) -> None:
    with pytest.raises(TianjiError, match=message):
        with_tower({**COUNTS["qwen3_vl"]["config"], **change}, "model", "config.json", images, tokens)


def test_a_file_with_a_talker_is_read_by_its_thinker() -> None:
    inner = {key: value for key, value in SOUND["qwen2_5_omni_thinker"]["config"].items() if key != "model_type"}
    whole = {"model_type": "qwen2_5_omni", "thinker_config": inner, "talker_config": {"hidden_size": 896}}
    model = with_tower(whole, "omni", "config.json", clips=2, clip_tokens=250)
    assert "2 clips a sequence, 500 frames and 250 tokens each" in model.remark
    assert model.layer_titles[0] == ("windowed attention + dense", 32)


@pytest.mark.parametrize(
    ("name", "clips", "tokens", "message"),
    [
        ("glmasr", 2, 0, "clips of this tower keep their size.*--clip-tokens"),
        ("voxtral", 2, 100, "each clip is 375 tokens in this model, not 100"),
        ("voxtral", 0, 0, "expected how many images or clips"),
    ],
)
def test_clips_that_make_no_sense_are_refused(name: str, clips: int, tokens: int, message: str) -> None:
    with pytest.raises(TianjiError, match=message):
        with_tower(SOUND[name]["config"], name, name, clips=clips, clip_tokens=tokens)


def test_a_model_without_ears_hears_nothing() -> None:
    with pytest.raises(FormatError, match="no audio_config in it: it describes no tower for clips"):
        with_tower(COUNTS["qwen3_vl"]["config"], "model", "config.json", clips=1)


def test_a_tower_of_one_size_says_what_an_image_is() -> None:
    assert tower_of("llama4").stem_tokens == 2 * 256
    with pytest.raises(FormatError, match="each image is 256 tokens in this model, not 300"):
        with_tower(COUNTS["internvl"]["config"], "model", "config.json", 1, 300)


def test_the_command_writes_what_plan_reads(tmp_path: Path) -> None:
    config, out = tmp_path / "config.json", tmp_path / "model.toml"
    config.write_text(json.dumps(COUNTS["qwen2_vl"]["config"]), encoding="utf-8")
    words = ["model", "tower", str(config), "--images", "4", "--image-tokens", "256", "--out", str(out)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert "32 layers of a tower before 80 of text" in done.output
    planned = CliRunner().invoke(main, ["plan", str(out), "hgx-h100", "--chips", "64", "--batch", "64", "--json"])
    assert planned.exit_code == 0, planned.output
    assert json.loads(planned.output)


def test_a_plan_with_a_tower_is_kept_whole(tmp_path: Path) -> None:
    plan = Plan(
        Job(tower_of("qwen3_vl"), 4096, 64, find_precision("bf16")), load_pool("hgx-h100"), Strategy(tp=4, dp=4)
    )
    write_plan(plan, tmp_path / "plan.json")
    assert read_plan(tmp_path / "plan.json") == plan


def test_the_language_model_alone_says_how_its_tower_is_had() -> None:
    assert "`tianji model tower`" in read_config(COUNTS["qwen3_vl"]["config"], "model").remark
