"""Rules of frameworks that take a configuration, torchtitan and DeepSpeed: in files that are checked, read and exported."""

import json
from pathlib import Path

import pytest

import tianji
from tianji.errors import FormatError, IllegalStrategyError
from tianji.exporters.launch_reader.launches import read_launch
from tianji.exporters.rules.tables import UNKNOWN, flatten_values, load_rules
from tianji.workload.expressions import names_in

MODEL = {
    "num_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "num_experts": 0,
    "ties_embeddings": False,
}
BREAKS = [
    ("torchtitan", "num_experts=64 p.expert_parallel_degree=8 p.expert_tensor_parallel_degree=4 chips=16", "neither 1 nor"),
    ("torchtitan", "p.tensor_parallel_degree=3 chips=6", "the attention heads"),
    ("torchtitan", "p.tensor_parallel_degree=16 chips=16", "key-value heads"),
    ("torchtitan", "p.tensor_parallel_degree=4 chips=6", "do not divide the chips"),
    ("torchtitan", "p.data_parallel_shard_degree=4 chips=16", "do not multiply to the chips"),
    ("torchtitan", "num_experts=64 p.expert_parallel_degree=48 chips=48", "does not divide the experts"),
    ("torchtitan", "num_experts=64 p.expert_parallel_degree=16 chips=8", "sharding, context and tensor ranks"),
    ("torchtitan", "ties_embeddings=true p.pipeline_parallel_degree=2 chips=8", "share their weights"),
    ("torchtitan", "p.context_parallel_degree=4 training_seq_len=4100 chips=8", "context and tensor ranks"),
    ("torchtitan", "p.tensor_parallel_degree=8 training_seq_len=4100 chips=8", "divide by the tensor ranks"),
    ("torchtitan", "compile_enable_async_tensor_parallel=true", "without torch.compile"),
    ("torchtitan", "p.pipeline_parallel_degree=4 p.pipeline_parallel_layers_per_stage=7", "layers_per_stage"),
    ("torchtitan", "p.pipeline_parallel_degree=64 chips=64", "more stages than layers"),
    ("deepspeed", "fp16_enabled=true bf16_enabled=true", "fp16 beside bf16"),
    ("deepspeed", "z.stage=4", "beyond 3"),
    ("deepspeed", "train_batch_size=30 train_micro_batch_size_per_gpu=4 gradient_accumulation_steps=2", "no multiple"),
    ("deepspeed", "train_batch_size=32 train_micro_batch_size_per_gpu=4 gradient_accumulation_steps=2 chips=8", "replicas"),
    ("deepspeed", "z.stage=2 z.offload_optimizer_ratio=0.5", "below ZeRO-3"),
    ("deepspeed", "z.stage=3 gradient_allreduce_op=sum", "summed under ZeRO-3"),
    ("deepspeed", "bf16_bf16_master_weights_and_grads=true", "without ZeRO"),
    ("deepspeed", "bf16_bf16_optimizer_states=true z.stage=1", "beside master weights of fp32"),
    ("deepspeed", "amp_enabled=true z.stage=1", "Apex AMP"),
    ("deepspeed", "optimizer_type=OneBitAdam z.stage=1", "1-bit"),
    ("deepspeed", "optimizer_params_max_grad_norm=1.0", "max_grad_norm"),
    ("deepspeed", "tensor_parallel_autotp_size=4 z.stage=3", "AutoTP under ZeRO-3"),
    ("deepspeed", "pipeline_stages=2 z.stage=2", "a pipeline under ZeRO"),
    ("deepspeed", "managed_gradient_accumulation=false z.stage=1 z.overlap_comm=true", "own accumulation"),
]  # fmt: skip
LEGAL = [
    ("torchtitan", "p.tensor_parallel_degree=8 p.pipeline_parallel_degree=4 chips=64 training_seq_len=8192"),
    ("torchtitan", "num_experts=64 p.expert_parallel_degree=8 chips=8"),
    ("torchtitan", "p.pipeline_parallel_degree=34 chips=34"),
    ("torchtitan", ""),
    ("deepspeed", "train_batch_size=auto train_micro_batch_size_per_gpu=3 gradient_accumulation_steps=2 chips=8"),
    ("deepspeed", "train_batch_size=64 train_micro_batch_size_per_gpu=4 gradient_accumulation_steps=2 chips=8"),
    ("deepspeed", "z.stage=3 z.offload_optimizer_ratio=0.3"),
]  # fmt: skip
LONG = {"p.": "parallelism_", "z.": "zero_optimization_"}


def broken(table: str, text: str) -> list[str]:
    """Return what values break, written as ``p.tensor_parallel_degree=16``."""
    words = dict(word.split("=") for word in text.split())
    tree = {LONG.get(name[:2], name[:2]) + name[2:]: value for name, value in words.items()}
    values = {k: float(v) if "." in v else v for k, v in tree.items()}
    return [rule.says for rule in load_rules(table).broken_by(MODEL | flatten_values(values))]


@pytest.mark.parametrize(("table", "text", "says"), BREAKS)
def test_what_a_framework_stops_at_is_said(table: str, text: str, says: str) -> None:
    (found,) = broken(table, text)
    assert says in found


@pytest.mark.parametrize(("table", "text"), LEGAL)
def test_what_a_framework_takes_is_not_flagged(table: str, text: str) -> None:
    assert broken(table, text) == []


@pytest.mark.parametrize("table", ["torchtitan", "deepspeed"])
def test_every_rule_has_a_case_that_breaks_it(table: str) -> None:
    said = [says for name, text, _ in BREAKS if name == table for says in broken(table, text)]
    for rule in load_rules(table).rules:
        assert names_in(rule.when) and (".py" in rule.source or ".md" in rule.source)
        assert rule.effect == "differs" or rule.says in said, rule.says


def test_sections_are_flattened_and_auto_decides_nothing() -> None:
    assert flatten_values({"a": {"b": "3", "c-d": "true"}, "e": [1], "f": None}) == {"a_b": 3, "a_c_d": True}
    assert flatten_values({"train_batch_size": "auto"})["train_batch_size"] is UNKNOWN


def test_a_file_of_deepspeed_is_held_to_its_rules(tmp_path: Path) -> None:
    path = tmp_path / "ds.json"
    body = {"train_batch_size": "auto", "train_micro_batch_size_per_gpu": "auto", "zero_optimization": {"stage": 2}}
    path.write_text(json.dumps(body | {"fp16": {"enabled": "auto"}, "bf16": {"enabled": True}}))
    assert tianji.export(check=path).result.violations == ()
    path.write_text(json.dumps(body | {"fp16": {"enabled": True}, "bf16": {"enabled": True}}))
    assert [v.rule for v in tianji.export(check=path).result.violations] == ["fp16 beside bf16"]


TITAN = """[model]
name = "llama3"
flavor = "8B"
[training]
local_batch_size = 1
seq_len = 8192
[parallelism]
tensor_parallel_degree = 16
"""


def test_a_file_of_torchtitan_is_held_to_its_rules(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_text(TITAN.replace("16", "8"))
    assert tianji.export(check=path).result.violations == ()
    path.write_text(TITAN)
    (found,) = tianji.export(check=path).result.violations
    assert found.rule == "tensor_parallel_degree does not divide the key-value heads"
    path.write_text("[chip]\nname = 'x'\n")
    with pytest.raises(FormatError, match="torchtitan"):
        tianji.export(check=path)


def test_launches_at_which_their_framework_stops_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text(TITAN.replace("16", "8"))
    assert read_launch(tmp_path / "t.toml", 64).broken == ()
    (tmp_path / "ds.json").write_text(
        '{"zero_optimization": {"stage": 2, "offload_optimizer": {"device": "cpu", "ratio": 0.5}}}'
    )
    (tmp_path / "run.sh").write_text(
        "deepspeed --num_gpus 8 train.py --model_name_or_path meta-llama/Llama-3.1-8B --bf16 --deepspeed ds.json"
        " --per_device_train_batch_size 1 --max_length 2048 --gradient_checkpointing"
    )
    (said,) = read_launch(tmp_path / "run.sh").broken
    assert said.startswith("would stop: a part of the optimizer in host memory below ZeRO-3")
    with pytest.raises(IllegalStrategyError, match="does not start; it would stop: a part of the optimizer"):
        tianji.predict(from_=tmp_path / "run.sh", pool="hgx-h100")


def test_a_named_model_with_experts_is_known_to_have_them(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text(
        "NPROC_PER_NODE=8 megatron sft --model Qwen/Qwen3-30B-A3B --expert_model_parallel_size 8 --max_length 4096"
        " --train_type full"
    )
    assert read_launch(tmp_path / "run.sh").broken == ()
