"""What a stack keeps in which format: DeepSpeed's gradients and buckets, losses, pure bf16, experts in a loop."""

import json
from pathlib import Path
from typing import Any

import pytest

from tianji.exporters.launch_reader.launches import Launch

from .test_stacks import plain, read

FACTORY = {
    "stage": "sft", "do_train": True, "finetuning_type": "full", "model_name_or_path": "Qwen/Qwen3-8B", "bf16": True,
    "cutoff_len": 4096, "per_device_train_batch_size": 1, "dataset": "x", "template": "qwen3",
}  # fmt: skip


def train(folder: Path, zero: dict[str, Any] | None = None, **more: object) -> Launch:
    """Read a training of LLaMA-Factory, under DeepSpeed where its part of ZeRO is given."""
    files = {"run.yaml": json.dumps(FACTORY | more | ({"deepspeed": "ds.json"} if zero else {}))}
    return read(folder, files | ({"ds.json": json.dumps({"zero_optimization": zero})} if zero else {}), chips=8)


@pytest.mark.parametrize("stage", [2, 3])
def test_deepspeed_has_its_eighteen_bytes_and_its_buckets(stage: int, tmp_path: Path) -> None:
    launch = train(tmp_path, {"stage": stage})
    kept = launch.job.precision
    assert kept.gradient_size + kept.optimizer_size == 18.0
    assert (launch.strategy.zero, launch.strategy.zero_kind) == (stage, "buckets")
    assert not any("bucket" in sentence for sentence in launch.left_out)


@pytest.mark.parametrize(("size", "errs"), [("auto", "high"), (2e8, "high"), (1e9, "low")])
def test_buckets_of_another_size_are_named_with_their_direction(size: object, errs: str, tmp_path: Path) -> None:
    launch = train(tmp_path, {"stage": 2, "reduce_bucket_size": size})
    assert any("reduce_bucket_size" in sentence and sentence.endswith(errs) for sentence in launch.left_out)


def test_fsdp_keeps_one_gradient_and_gathers_layers(tmp_path: Path) -> None:
    launch = train(tmp_path, fsdp="full_shard auto_wrap", fsdp_config={"x": 1})
    assert launch.job.precision.gradient_size == 4.0
    assert (launch.strategy.zero, launch.strategy.zero_kind) == (3, "layers")


def test_the_loss_is_that_of_the_stack(tmp_path: Path) -> None:
    assert train(tmp_path).job.precision.loss == "torch"
    assert train(tmp_path, enable_liger_kernel=True).job.precision.loss == "chunked"
    words = {
        "": "plain",
        "--cross-entropy-loss-fusion": "fused",
        "--cross-entropy-loss-fusion --cross-entropy-fusion-impl te": "in-place",
        "--cross-entropy-loss-fusion --cross-entropy-fusion-impl linear": "chunked",
        "--loss-compute-mode chunk --loss-chunk-size 1024": "chunked",
        "--loss-compute-mode default --loss-chunk-size 1024": "plain",
    }
    for options, loss in words.items():
        launch = read(tmp_path, {"run.sh": plain(options)})
        assert (launch.job.precision.loss, launch.left_out) == (loss, ())


def test_pure_bf16_is_eight_bytes(tmp_path: Path) -> None:
    launch = train(tmp_path, pure_bf16=True)
    kept = launch.job.precision
    assert (kept.weight_size, kept.gradient_size, kept.optimizer_size) == (2.0, 2.0, 4.0)
    assert launch.left_out == ()


def test_experts_in_a_loop_are_named_with_their_direction(tmp_path: Path) -> None:
    launch = train(tmp_path, {"stage": 3}, model_name_or_path="Qwen/Qwen3-30B-A3B")
    assert any("experts" in sentence and "time errs low" in sentence for sentence in launch.left_out)


def test_recomputation_of_some_layers_alone_is_named(tmp_path: Path) -> None:
    options = "--recompute-norm --recompute-norm-num-layers 8"
    assert any("memory is stated too low" in s for s in read(tmp_path, {"run.sh": plain(options)}).left_out)
