"""ROLL's YAML, Primus over torchtitan and Megatron Bridge, and commands of Primus that name their YAML."""

from pathlib import Path

import pytest

from tianji.errors import InputError
from tianji.exporters.launch_reader.launches import Launch, read_launch

ROLL = """
pretrain: Qwen/Qwen2.5-7B
prompt_length: 2048
response_length: 4096
actor_train:
  model_args: {disable_gradient_checkpointing: false, dtype: bf16%(model)s}
  training_args: {per_device_train_batch_size: 2, gradient_accumulation_steps: 16}
  strategy_args:
    strategy_name: %(kind)s
    strategy_config: %(config)s
  device_mapping: list(range(0,16))
actor_infer:
  strategy_args: {strategy_name: vllm}
  device_mapping: list(range(0,12))
"""
MEGATRON = (
    "{tensor_model_parallel_size: 2, pipeline_model_parallel_size: 2, use_distributed_optimizer: true,"
    " recompute_granularity: full}"
)
FSDP2 = "{fsdp_size: 16, reshard_after_forward: true, offload_policy: true}"
PRIMUS = """
exp_name: a
workspace: ./output
modules:
  pre_trainer:
    framework: %s
    model: %s
    overrides: %s
"""


def read(folder: Path, name: str, text: str, chips: int | None = None) -> Launch:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return read_launch(file, chips)


def read_roll(folder: Path, kind: str, config: str, model: str = "") -> Launch:
    return read(folder, "roll.yaml", ROLL % {"kind": kind, "config": config, "model": model})


def test_the_actor_of_roll_trains_by_megatron(tmp_path: Path) -> None:
    launch = read_roll(tmp_path, "megatron_train", MEGATRON)
    s = launch.strategy
    assert (launch.stack, launch.job.model.name, launch.chips) == ("roll", "qwen2.5-7b", 16)
    assert (s.tp, s.pp, s.dp, s.micro_batch_size, s.recompute) == (2, 2, 4, 2, "full")
    assert (launch.job.seq_len, launch.job.global_batch_size) == (6144, 2 * 16 * 4)
    assert any("rollout" in text for text in launch.assumed)
    chunks = "virtual_pipeline_model_parallel_size: 7, additional_configs: {defer_embedding_wgrad_compute: true}}"
    launch = read_roll(tmp_path, "megatron_train", MEGATRON.replace("}", f", {chunks}"))
    assert (launch.strategy.vpp, launch.strategy.schedule) == (7, "interleaved")
    assert any("--defer-embedding-wgrad-compute" in text for text in launch.left_out)


def test_the_actor_of_roll_trains_by_fsdp_or_deepspeed(tmp_path: Path) -> None:
    s = read_roll(tmp_path, "fsdp2_train", FSDP2, ", ulysses_size: 4").strategy
    assert (s.zero, s.cp, s.dp, s.offload_optimizer, s.offload_weights) == (3, 4, 4, 1.0, True)
    launch = read_roll(tmp_path, "deepspeed_train", "${deepspeed_zero2_cpuoffload}", ", lora_rank: 8")
    assert (launch.strategy.zero, launch.strategy.offload_optimizer, launch.job.task.name) == (2, 1.0, "lora")
    with pytest.raises(InputError, match="ROLL trains by jax_train"):
        read_roll(tmp_path, "jax_train", "{}")


def write_model(folder: Path, framework: str, name: str, text: str) -> None:
    place = folder / "primus" / "configs" / "models" / framework
    place.mkdir(parents=True)
    (place / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("flavor", "name"), [("16B", "deepseek-v2-lite"), ("236B", "deepseek-v2"), ("671B", "deepseek-v3")]
)
def test_primus_over_torchtitan_has_the_flavor_that_it_names(flavor: str, name: str, tmp_path: Path) -> None:
    write_model(tmp_path, "torchtitan", "dsv3.yaml", f"model: {{name: deepseek_v3, flavor: {flavor}}}\n")
    overrides = (
        "{training: {local_batch_size: 6, seq_len: 4096}, parallelism: {expert_parallel_degree: 8,"
        " data_parallel_shard_degree: -1}, activation_checkpoint: {mode: none}}"
    )
    launch = read(tmp_path, "run.yaml", PRIMUS % ("torchtitan", "dsv3.yaml", overrides), 64)
    s = launch.strategy
    assert (launch.stack, launch.job.model.name) == ("primus", name)
    assert (s.ep, s.dp, s.zero, s.micro_batch_size, s.recompute) == (8, 64, 3, 6, "none")
    assert (launch.job.seq_len, launch.job.global_batch_size) == (4096, 384)


def test_a_flavor_that_nobody_knows_is_not_the_largest_of_its_name(tmp_path: Path) -> None:
    text = '[model]\nname = "deepseek_v3"\nflavor = "7B"\n[training]\nseq_len = 4096\n'
    with pytest.raises(InputError, match="deepseek_v3-7B is not in the catalog"):
        read(tmp_path, "a.toml", text, 64)


def test_primus_over_megatron_bridge_has_the_model_that_it_names(tmp_path: Path) -> None:
    write_model(tmp_path, "megatron_bridge", "q.yaml", "flavor: qwen3_8b_own_config\nhf_path: Qwen/Qwen3-8B\n")
    overrides = (
        "{tensor_model_parallel_size: 2, global_batch_size: 64, micro_batch_size: 8, seq_length: '${LEN:2048}', peft: lora,"
        " virtual_pipeline_model_parallel_size: null}"
    )
    launch = read(tmp_path, "run.yaml", PRIMUS % ("megatron_bridge", "q.yaml", overrides), 16)
    assert (launch.job.model.name, launch.job.seq_len, launch.job.task.name) == ("qwen3-8b", 2048, "lora")
    assert (launch.strategy.tp, launch.strategy.dp, launch.strategy.micro_batch_size) == (2, 8, 8)


def test_a_command_of_primus_lies_over_the_yaml_that_it_names(tmp_path: Path) -> None:
    write_model(
        tmp_path,
        "megatron",
        "m.yaml",
        "{num_layers: 32, hidden_size: 4096, ffn_hidden_size: 14336, num_attention_heads: 32, group_query_attention: true,"
        " num_query_groups: 8, max_position_embeddings: 8192, padded_vocab_size: 128256}\n",
    )
    overrides = "{seq_length: 8192, micro_batch_size: 1, global_batch_size: 128, tensor_model_parallel_size: 1}"
    (tmp_path / "exp.yaml").write_text(PRIMUS % ("megatron", "m.yaml", overrides), encoding="utf-8")
    words = (
        "--micro_batch_size 4 --tensor_model_parallel_size 2 --recompute_granularity full --recompute_method uniform"
    )
    started = 'torchrun --nproc_per_node 8 --nnodes ${NNODES} primus/cli/main.py train pretrain --config $EXP "$@"\n'
    (tmp_path / "run_pretrain.sh").write_text(started, encoding="utf-8")
    for text in (
        f"export EXP=exp.yaml\nexport NNODES=2\nbash run_pretrain.sh {words} --recompute_num_layers 1\n",
        f"NNODES=2\n./primus-cli direct -- train pretrain --config exp.yaml {words} --recompute_num_layers 1\n",
    ):
        launch = read(tmp_path, "run.sh", text)
        s = launch.strategy
        assert (launch.stack, launch.chips, s.tp, s.dp, s.micro_batch_size) == ("primus", 16, 2, 8, 4)
        assert (launch.job.seq_len, launch.job.global_batch_size, s.recompute) == (8192, 128, "full")


@pytest.mark.parametrize("framework", ["megatron", "torchtitan", "megatron_bridge", "[1]"])
def test_a_yaml_of_primus_that_is_none_is_refused(framework: str, tmp_path: Path) -> None:
    for changes in ("[1, 2]", "7", "{training: [1], parallelism: 3, flavor: {a: 1}, hf_path: 3}"):
        with pytest.raises(InputError):
            read(tmp_path, "run.yaml", PRIMUS % (framework, "[1]", changes), 8)
