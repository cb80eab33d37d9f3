"""What a random sample of public scripts showed to be read otherwise than its stack takes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tianji.exporters.launch_reader.launches import Launch, read_launch

TRAIN = (
    "torchrun --nproc_per_node 8 --nnodes 1 pretrain_gpt.py --num-layers 8 --hidden-size 512 --ffn-hidden-size 1024"
    " --num-attention-heads 8 --seq-length 1024 --max-position-embeddings 1024 --micro-batch-size 1 --global-batch-size 64"
    " --vocab-size 1024 --bf16"
)


def plain(more: str = "") -> str:
    """Return a launch of one node with further options."""
    return f"{TRAIN} {more}\n"


def read(tmp_path: Path, files: dict[str, str]) -> Launch:
    """Return the launch of the first of some files."""
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return read_launch(tmp_path / next(iter(files)))


def test_activations_with_a_gate_have_three_matrices(tmp_path: Path) -> None:
    bare = plain().strip()
    sizes = [
        read(tmp_path, {"run.sh": f"{bare} {option}"}).job.model.num_parameters
        for option in ("--swiglu", "--gelu-tanh", "--quick-geglu", "")
    ]
    assert sizes[0] == sizes[1] == sizes[2] > sizes[3]


@pytest.mark.parametrize(
    ("lengths", "tokens"),
    [("", 1024), ("--max_completion_length 2048", 2560), ("--max_length 1000 --max_completion_length 24", 1024)],
)
@pytest.mark.parametrize("start", ["megatron rlhf --micro_batch_size 1", "swift rlhf --per_device_train_batch_size 1"])
def test_generated_samples_are_as_long_as_their_answers(start: str, lengths: str, tokens: int, tmp_path: Path) -> None:
    line = f"NPROC_PER_NODE=8 {start} --rlhf_type grpo --model Qwen/Qwen3-8B --tuner_type full {lengths}"
    launch = read(tmp_path, {"run.sh": line})
    assert launch.job.seq_len == tokens
    assert any("grpo: samples of" in text for text in launch.assumed)


def test_a_comment_says_with_which_file_accelerate_starts(tmp_path: Path) -> None:
    body = "model_name_or_path: Qwen/Qwen3-8B\nstage: sft\ndo_train: true\nfinetuning_type: full\nbf16: true\n"
    (tmp_path / "fsdp.yaml").write_text("distributed_type: FSDP\nnum_processes: 16\nfsdp_config: {fsdp_version: 2}\n")
    (tmp_path / "sft.yaml").write_text("# accelerate launch --config_file fsdp.yaml src/train.py sft.yaml\n" + body)
    (tmp_path / "plain.yaml").write_text(body)
    launch = read_launch(tmp_path / "sft.yaml")
    assert (launch.strategy.zero, launch.chips) == (3, 16)
    bare = read_launch(tmp_path / "plain.yaml", 8)
    assert bare.strategy.zero == 0
    assert any("every chip holds the whole model" in text for text in bare.assumed)


def test_megatron_under_deepspeed_shards_by_its_stage(tmp_path: Path) -> None:
    assert read(tmp_path, {"run.sh": plain("--deepspeed --zero-stage 2")}).strategy.zero == 2
    assert read(tmp_path, {"run.sh": plain("--zero-stage 2")}).strategy.zero != 2


def test_megatron_under_deepspeed_shards_by_the_file_that_its_script_writes(tmp_path: Path) -> None:
    written = 'cat > ds.json <<EOT\n{"zero_optimization": {"stage": 2}}\nEOT\n'
    line = plain("--deepspeed --deepspeed_config ds.json --deepspeed-activation-checkpointing")
    launch = read(tmp_path, {"run.sh": written + line})
    assert (launch.strategy.zero, launch.strategy.recompute) == (2, "full")
    (tmp_path / "beside.json").write_text('{"zero_optimization": {"stage": 1}}')
    beside = read(tmp_path, {"run.sh": plain("--deepspeed --deepspeed_config beside.json")})
    assert (beside.strategy.zero, beside.strategy.recompute) == (1, "none")


TRAINER = (
    "torchrun --nproc_per_node 8 train.py --model_name_or_path Qwen/Qwen2.5-7B --per_device_train_batch_size 1 --bf16"
)


@pytest.mark.parametrize(
    ("words", "task"),
    [
        ("--use_qlora True --lora_r 8", "qlora of rank 8"), ("--lora_dim 64 --only_optimize_lora", "lora of rank 64"),
        ("--use_lora --lora_rank 4", "lora of rank 4"), ("--lora_r 8", "pretrain"),
    ],
)  # fmt: skip
def test_programs_name_their_adapters_in_many_ways(words: str, task: str, tmp_path: Path) -> None:
    launch = read(tmp_path, {"run.sh": f"{TRAINER} --max_seq_length 1024 {words}\n"})
    assert launch.job.task.describe().startswith(task)


def test_rollouts_of_a_program_set_its_lengths_and_its_batch(tmp_path: Path) -> None:
    words = "--response_length 4096 --max_prompt_token_length 2048 --num_unique_prompts_rollout 48"
    line = f"{TRAINER} {words} --num_samples_per_prompt_rollout 16 --deepspeed_stage 3\n"
    launch = read(tmp_path, {"run.sh": line})
    assert (launch.job.seq_len, launch.job.global_batch_size, launch.strategy.zero) == (6144, 768, 3)


def test_no_recomputed_layers_are_none(tmp_path: Path) -> None:
    words = "--recompute-granularity full --recompute-method block --recompute-num-layers 0"
    assert read(tmp_path, {"run.sh": plain(words)}).strategy.recompute_layers == 0
