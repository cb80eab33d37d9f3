"""No key of a configuration is dropped in silence: it is priced, said to be left out, or named as not known."""

import json
from pathlib import Path

import pytest

from tianji.exporters.launch_reader.launches import Launch, read_launch
from tianji.exporters.launch_reader.read_keys import HARMLESS, load_key_effects

LLAMA_FACTORY = """
model_name_or_path: Qwen/Qwen3-8B
stage: sft
do_train: true
finetuning_type: full
cutoff_len: 4096
bf16: true
learning_rate: 1.0e-5
output_dir: saves
"""
TORCHTITAN = """
[model]
name = "llama3"
flavor = "8B"
[training]
seq_len = 8192
local_batch_size = 1
[parallelism]
tensor_parallel_degree = 2
"""
MINDSPEED = """
model: {model_name_or_path: Qwen/Qwen3-8B}
data: {cutoff_len: 4096}
parallel: {tp_size: 1, fsdp_size: 8, recompute: true}
training: {per_device_train_batch_size: 1}
"""
DEEPSPEED = {"train_micro_batch_size_per_gpu": 1, "bf16": {"enabled": True}, "zero_optimization": {"stage": 2}}
SET = {"model": "qwen3-8b", "seq": "4096"}


def read(folder: Path, name: str, text: str, settings: dict[str, str] | None = None) -> Launch:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return read_launch(file, 8, settings)


def read_deepspeed(folder: Path, **changes: object) -> Launch:
    return read(folder, "ds.json", json.dumps(DEEPSPEED | changes), SET)


SCRIPTS = {
    "llama_factory.yaml": (LLAMA_FACTORY + "zap_width: 3\n", "zap_width"),
    "torchtitan.toml": (TORCHTITAN + "zap_width = 3\n", "parallelism.zap_width"),
    "mindspeed.yaml": (MINDSPEED.replace("training: {", "training: {zap_width: 3, "), "training.zap_width"),
    "swift.sh": ("NPROC_PER_NODE=8 swift sft --model Qwen/Qwen3-8B --max_length 4096 --zap_width 3\n", "zap_width"),
    "trainer.sh": (
        "torchrun --nproc_per_node 8 train.py --model_name_or_path Qwen/Qwen3-8B --max_seq_length 4096"
        " --per_device_train_batch_size 1 --zap_width 3\n",
        "zap_width",
    ),
    "verl.sh": (
        "python3 -m verl.trainer.main_ppo actor_rollout_ref.model.path=Qwen/Qwen3-8B data.max_prompt_length=1024"
        " data.max_response_length=1024 actor_rollout_ref.actor.zap_width=3\n",
        "actor_rollout_ref.actor.zap_width",
    ),
    "megatron.sh": (
        "torchrun --nproc_per_node 8 pretrain_gpt.py --num-layers 32 --hidden-size 4096 --num-attention-heads 32"
        " --seq-length 4096 --micro-batch-size 1 --vocab-size 32000 --bf16 --zap-width 3\n",
        "--zap-width",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_key_that_nobody_knows_is_named(name: str, tmp_path: Path) -> None:
    text, key = SCRIPTS[name]
    assert key in read(tmp_path, name, text).ignored


def test_a_key_that_nobody_knows_is_named_in_files_of_deepspeed_and_fsdp(tmp_path: Path) -> None:
    assert read_deepspeed(tmp_path, zap_width=3).ignored == ("zap_width",)
    text = "distributed_type: FSDP\nnum_processes: 8\nfsdp_config: {fsdp_version: 2, zap_width: 3}\n"
    assert read(tmp_path, "fsdp.yaml", text, SET).ignored == ("zap_width",)


def test_what_is_not_priced_is_said_with_its_direction(tmp_path: Path) -> None:
    launch = read(tmp_path, "a.yaml", LLAMA_FACTORY + "use_galore: true\ntorch_compile: true\nuse_badam: false\n")
    assert launch.left_out == ("use_galore: memory is stated too high", "torch_compile: time is stated too high")
    assert launch.ignored == ()


def test_effects_come_before_what_is_harmless() -> None:
    assert all(name == name.strip() and name for name in load_key_effects())
    assert not HARMLESS.fullmatch("torch_compile") and HARMLESS.fullmatch("logging_steps")


def test_deepspeed_offloads_the_share_that_it_is_told(tmp_path: Path) -> None:
    offload = {"stage": 3, "offload_optimizer": {"device": "cpu", "ratio": 0.3}}
    assert read_deepspeed(tmp_path, zero_optimization=offload).strategy.offload_optimizer == 0.3
    nvme = {"stage": 3, "offload_optimizer": {"device": "nvme"}}
    launch = read_deepspeed(tmp_path, zero_optimization=nvme)
    assert launch.strategy.offload_optimizer == 1.0
    assert any("NVMe" in text for text in launch.left_out)


@pytest.mark.parametrize(
    ("name", "word"), [("AdamW", "adamw"), ("Lion", "lion"), ("Muon", "muon"), ("adamw_bnb_8bit", "adamw-8bit")]
)
def test_deepspeed_has_the_optimizer_that_it_is_told(name: str, word: str, tmp_path: Path) -> None:
    launch = read_deepspeed(tmp_path, optimizer={"type": name, "params": {"lr": 1e-5}})
    assert launch.job.precision.optimizer == word


def test_an_optimizer_that_keeps_something_else_is_said(tmp_path: Path) -> None:
    launch = read(tmp_path, "a.yaml", LLAMA_FACTORY + "optim: galore_adamw\n")
    assert any("galore_adamw is priced as AdamW: memory errs high" in text for text in launch.left_out)


def test_deepspeed_accumulates_in_the_dtype_that_it_is_told(tmp_path: Path) -> None:
    kept = read_deepspeed(tmp_path, data_types={"grad_accum_dtype": "bf16"}).job.precision
    assert kept.gradient_size == 2.0 < read_deepspeed(tmp_path).job.precision.gradient_size


def test_torchtitan_says_what_it_recomputes_keeps_and_offloads(tmp_path: Path) -> None:
    ops = TORCHTITAN + '[activation_checkpoint]\nmode = "selective"\nselective_ac_option = "op"\n'
    assert read(tmp_path, "a.toml", ops).strategy.recompute_modules == "ops"
    pure = TORCHTITAN.replace("[training]", '[training]\ndtype = "bfloat16"\nenable_cpu_offload = true')
    launch = read(tmp_path, "b.toml", pure)
    assert launch.job.precision.optimizer_size == 4.0 and launch.job.precision.gradient_size == 2.0
    assert launch.strategy.offload_weights and launch.strategy.offload_optimizer == 1.0
    compiled = read(tmp_path, "c.toml", TORCHTITAN + "[compile]\nenable = true\n")
    assert "compile.enable: time is stated too high" in compiled.left_out


def test_accelerate_has_the_mesh_that_it_is_told(tmp_path: Path) -> None:
    sizes = "{parallelism_config_tp_size: 2, parallelism_config_cp_size: 2, parallelism_config_dp_shard_size: 2}"
    mesh = f"parallelism_config: {sizes}"
    text = f"distributed_type: FSDP\nnum_processes: 8\nfsdp_config: {{fsdp_version: 2}}\n{mesh}\n"
    s = read(tmp_path, "mesh.yaml", text, SET).strategy
    assert (s.tp, s.cp, s.dp) == (2, 2, 2)
