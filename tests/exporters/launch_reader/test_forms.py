"""Unusual forms of launches: what a reader meets that knows only the examples of the projects themselves."""

from pathlib import Path

import pytest

from tianji.errors import FormatError
from tianji.exporters.launch_reader.launches import Launch, read_launch
from tianji.exporters.launch_reader.starters import read_starter

REST = """--num-layers 32 --hidden-size 4096 --num-attention-heads 32 --seq-length 4096 --micro-batch-size 1
--global-batch-size 64 --bf16 --vocab-size 32000""".replace("\n", " ")


def read(folder: Path, text: str, name: str = "run.sh", chips: int | None = None, *arguments: str) -> Launch:
    (folder / name).write_text(text)
    return read_launch(folder / name, chips, None, arguments)


def short(launch: Launch) -> tuple[object, ...]:
    s, job = launch.strategy, launch.job
    return launch.chips, s.tp, s.pp, s.zero, s.micro_batch_size, job.global_batch_size, job.seq_len, s.recompute


def test_maps_functions_defaults_and_a_document_make_the_options(tmp_path: Path) -> None:
    launch = read(tmp_path, '''
declare -A SIZES=( [layers]=32 [hidden]=4096 )
: "${TP:=4}"
model_args() { local ffn=$(( SIZES[hidden] * 7 / 2 )); echo "--num-layers ${SIZES[layers]} --hidden-size ${SIZES[hidden]} --ffn-hidden-size $ffn"; }
read -r -d '' TRAIN <<-EOT || true
\t--micro-batch-size 2 --global-batch-size $(( 16 * ${NNODES:-2} ))
\t--seq-length ${SEQ:-$((8*1024))} --bf16
EOT
PAR=( --tensor-model-parallel-size "$TP" )
[[ "${RECOMPUTE:-1}" == 1 ]] && PAR+=( --recompute-granularity full )
torchrun --nnodes=${NNODES:-2} --nproc-per-node 8 pretrain_gpt.py $(model_args) --num-attention-heads 32 ${TRAIN} "${PAR[@]}" --vocab-size 32000
''')  # fmt: skip  # noqa: E501
    assert short(launch) == (16, 4, 1, 0, 2, 32, 8192, "full")
    assert launch.job.model.intermediate_size == 14336


PARSER = "TP=2 PP=${PP:-2}\nwhile [[ $# -gt 0 ]]; do case $1 in --tp) TP=$2; shift 2 ;; --pp=*) PP=${1#*=}; shift ;; esac; done\n"
GETOPTS = "TP=2 PP=2\nwhile getopts ':t:p:' o; do case $o in t) TP=$OPTARG ;; p) PP=$OPTARG ;; esac; done\n"


@pytest.mark.parametrize(
    ("head", "arguments", "expected"),
    [
        (PARSER, (), (2, 2)),
        (PARSER, ("--tp", "4", "--pp=1"), (4, 1)),
        (GETOPTS, (), (2, 2)),
        (GETOPTS, ("-t", "8", "-p1"), (8, 1)),
    ],
)
def test_own_arguments_are_read_with_and_without(
    tmp_path: Path, head: str, arguments: tuple[str, ...], expected: tuple[int, int]
) -> None:
    line = f"mpirun -np 16 python pretrain_gpt.py {REST} --tensor-model-parallel-size $TP --pipeline-model-parallel-size $PP"
    strategy = read(tmp_path, head + line, "run.sh", None, *arguments).strategy
    assert (strategy.tp, strategy.pp) == expected


@pytest.mark.parametrize(
    ("launcher", "chips"),
    [
        ("mpirun -np 32 --hostfile h", 32), ("mpiexec -n 16", 16), ("mpirun -H a:8,b:8", 16), ("mpirun -N 8 -np 16", 16),
        ("srun -N4 --ntasks-per-node=4 python", 16), ("srun -n 24", 24), ("torchrun --nproc_per_node 8", 8),
        ("python -m torch.distributed.run --nproc-per-node=4 --nnodes=2", 8), ("accelerate launch --num_processes 16", 16),
        ("srun --nodes=4 torchrun --nproc_per_node 8", 32), ("msrun --worker_num=16 --local_worker_num=8", 16),
        ("deepspeed --num_nodes 2 --num_gpus 8", 16), ("srun --ntasks=3 torchrun --nproc_per_node 8", 24),
    ],
)  # fmt: skip
def test_every_launcher_says_how_many_chips(tmp_path: Path, launcher: str, chips: int) -> None:
    assert read(tmp_path, f"{launcher} pretrain_gpt.py {REST.replace('64', '384')}").chips == chips


def test_slurm_lines_stand_back_behind_the_command() -> None:
    assert read_starter(["srun", "-N", "2"], {"-N": "4", "--gres": "gpu:a100:8"}) == {
        "--nodes": ["2"], "--gpus-per-node": ["8"],
    }  # fmt: skip


TRAINER = "--model_name_or_path meta-llama/Llama-3.1-8B --bf16 --per_device_train_batch_size 2 --gradient_accumulation_steps 4"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('cat > ds.json <<E\n{"zero_optimization": {"stage": 3}, "train_micro_batch_size_per_gpu": "auto"}\nE\n'
         f"deepspeed --num_nodes 2 --num_gpus 8 run_clm.py {TRAINER} --deepspeed ds.json --block_size 4096"
         " --gradient_checkpointing True",
         (16, 1, 1, 3, 2, 128, 4096, "full")),
        ("cat <<'E' > f.yaml\ndistributed_type: FSDP\nmixed_precision: bf16\nnum_processes: 16\nfsdp_config:\n"
         "  fsdp_sharding_strategy: FULL_SHARD\n  fsdp_activation_checkpointing: true\nE\n"
         f"accelerate launch --config_file f.yaml train.py {TRAINER} --max_seq_length 16384",
         (16, 1, 1, 3, 2, 128, 16384, "full")),
        (f"torchrun --nproc_per_node 8 sft.py {TRAINER} --max_length 2048", (8, 1, 1, 0, 2, 64, 2048, "none")),
        (f"accelerate launch --num_processes 8 --use_deepspeed --zero_stage 2 sft.py {TRAINER} --max_length 2048",
         (8, 1, 1, 2, 2, 64, 2048, "none")),
        ("cat > c.yaml <<E\nmodel_name_or_path: Qwen/Qwen2.5-7B\nstage: sft\ndo_train: true\nfinetuning_type: full\n"
         "cutoff_len: $((4*1024))\nper_device_train_batch_size: 1\nbf16: true\nE\n"
         "NNODES=2 NPROC_PER_NODE=8 llamafactory-cli train c.yaml",
         (16, 1, 1, 0, 1, 16, 4096, "full")),
        ("python3 -m verl.trainer.main_ppo data.train_batch_size=512 data.max_prompt_length=1024 data.max_response_length=3072"
         " actor_rollout_ref.model.path=Qwen/Qwen2.5-7B-Instruct actor_rollout_ref.actor.ppo_mini_batch_size=256"
         " actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=4 actor_rollout_ref.rollout.n=2 trainer.nnodes=2",
         (16, 1, 1, 3, 4, 512, 4096, "full")),
    ],
    ids=["deepspeed", "accelerate-fsdp", "torchrun", "accelerate-deepspeed", "llama-factory", "verl-fsdp"],
)  # fmt: skip
def test_programs_with_the_arguments_of_the_trainer(tmp_path: Path, text: str, expected: tuple[object, ...]) -> None:
    assert short(read(tmp_path, text)) == expected


NEMO = """
from nemo.collections import llm
NODES = 2 * 2
def recipe(gpus: int = 8, cp=2):
    r = llm.llama3_70b.pretrain_recipe(name="x", num_nodes=NODES, num_gpus_per_node=gpus)
    r.trainer.strategy.tensor_model_parallel_size = 4
    r.trainer.strategy.context_parallel_size = cp
    r.trainer.strategy.virtual_pipeline_model_parallel_size = None
    r.data.global_batch_size = 16 * 8
    return r
"""
BRIDGE = """
from megatron.bridge.recipes.llama import llama3_70b_pretrain_config as unused, llama3_70b_pretrain_config
cfg = llama3_70b_pretrain_config()
cfg.model.tensor_model_parallel_size = 8
cfg.train.global_batch_size, cfg.train.micro_batch_size = 256, 1
cfg.train.global_batch_size = 256
"""


@pytest.mark.parametrize(("text", "tp", "cp", "vpp", "batch"), [(NEMO, 4, 2, 1, 128), (BRIDGE, 8, 2, 5, 256)])
def test_programs_that_take_a_recipe(tmp_path: Path, text: str, tp: int, cp: int, vpp: int, batch: int) -> None:
    launch = read(tmp_path, text, "train.py", 64)
    s = launch.strategy
    assert (s.tp, s.pp, s.cp, s.vpp, launch.job.global_batch_size) == (tp, 4, cp, vpp, batch)
    assert launch.job.model.name == "llama-3-70b"


def test_other_programs_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="takes no recipe"):
        read(tmp_path, "import os\nos.system('rm x')\n", "a.py")
    with pytest.raises(FormatError, match="no Python"):
        read(tmp_path, "def (", "a.py")
    with pytest.raises(FormatError):
        read(tmp_path, "(" * 5000, "a.py")


RAY = """rlhf_type: gkd
model: Qwen/Qwen3-4B
dataset: [a]
micro_batch_size: 1
global_batch_size: 16
max_length: 8192
attention_backend: flash
train:
  gpus: 4
  tuner_type: lora
  tensor_model_parallel_size: 2
rollout:
  gpus: 4
"""


def test_the_part_of_ray_that_trains_is_read(tmp_path: Path) -> None:
    launch = read(tmp_path, RAY, "ray.yaml")
    assert (launch.chips, launch.strategy.tp, launch.strategy.dp, launch.job.task.name) == (4, 2, 2, "lora")


def test_layers_of_a_plugin_are_those_of_the_checkpoint_that_is_named(tmp_path: Path) -> None:
    text = (
        "ray job submit -- python3 train.py --actor-num-nodes 1 --actor-num-gpus-per-node 8 --spec slime_plugins.models.qwen3_5"
        " get_spec --num-layers {} --hidden-size 5120 --num-attention-heads 24 --ffn-hidden-size 17408 --vocab-size 248320"
        " --swiglu --hf-checkpoint /models/Qwen3.5-27B --tensor-model-parallel-size 8 --rollout-max-response-len 4096"
    )
    assert read(tmp_path, text.format(64)).job.model.name == "qwen3.5-27b"
    cut = read(tmp_path, text.format(8))
    assert cut.job.model.num_layers == 8
    assert any("priced as layers of plain attention" in remark for remark in cut.assumed)


def test_activations_in_host_memory_are_read(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text(
        '{"fsdp": "full_shard", "fsdp_config": {"activation_cpu_offload": true, "fsdp_version": 2}}'
    )
    text = "NPROC_PER_NODE=2 swift sft --model Qwen/Qwen3-8B --max_length 4096 --fsdp f.json --gradient_checkpointing false"
    strategy = read(tmp_path, text).strategy
    assert (strategy.zero, strategy.offload_activations, strategy.recompute) == (3, 1.0, "none")
