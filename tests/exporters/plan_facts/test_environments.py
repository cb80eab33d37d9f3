"""Variables of the collective libraries: those of the chips' own, and what the plan asks of them."""

import pytest

import tianji
from tianji.exporters.plan_facts.environments import HCCL_BUFFER, collective_environment
from tianji.parallel.plan import Plan


def environment(model: str, pool: str, **strategy: object) -> dict[str, object]:
    made = tianji.Strategy(**strategy)  # type: ignore[arg-type]
    job = tianji.make_job(model, global_batch_size=64, seq_len=2048)
    return {a.name: a.value for a in collective_environment(Plan(job, tianji.load_pool(pool, made.chips), made))}


@pytest.mark.parametrize(
    ("pool", "own", "other"), [("hgx-h100", "NCCL_", "HCCL_"), ("atlas-950-superpod", "HCCL_", "NCCL_")]
)
def test_each_chip_has_the_variables_of_its_library(pool: str, own: str, other: str) -> None:
    names = environment("llama-3.1-8b", pool, dp=8)
    assert any(name.startswith(own) for name in names)
    assert not any(name.startswith(other) for name in names)


def test_groups_that_move_tokens_have_larger_buffers() -> None:
    assert environment("qwen3-30b-a3b", "atlas-950-superpod", ep=8, dp=8)["HCCL_BUFFSIZE"] == 2 * HCCL_BUFFER
    assert environment("qwen3-30b-a3b", "atlas-950-superpod", dp=8)["HCCL_BUFFSIZE"] == HCCL_BUFFER


def test_sharded_weights_need_several_queues() -> None:
    assert environment("llama-3.1-8b", "hgx-h100", dp=8, zero=3)["CUDA_DEVICE_MAX_CONNECTIONS"] == 32
    assert environment("llama-3.1-8b", "hgx-h100", dp=8)["CUDA_DEVICE_MAX_CONNECTIONS"] == 1
