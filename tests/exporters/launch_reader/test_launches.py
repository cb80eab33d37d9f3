"""Launch scripts of Megatron and MindSpeed: sizes, strategy, what is assumed, what is missing."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from tianji.cli import main
from tianji.errors import FormatError, UnsupportedModelError
from tianji.exporters.launch_reader.launches import Launch, read_launch
from tianji.workload import make_task

MEGATRON = """#!/bin/bash
export CUDA_DEVICE_MAX_CONNECTIONS=1
GPUS_PER_NODE=8
NNODES=${SLURM_NNODES:-4}
TP=4
PP=2
DISTRIBUTED_ARGS=(--nproc_per_node $GPUS_PER_NODE --nnodes $NNODES)
GPT_MODEL_ARGS=(
    --num-layers 32          # layers
    --hidden-size 4096
    --ffn-hidden-size 14336
    --num-attention-heads 32
    --group-query-attention
    --num-query-groups 8
    --seq-length 8192
    --max-position-embeddings 8192
    --position-embedding-type rope
    --normalization RMSNorm
    --swiglu
    --disable-bias-linear
    --untie-embeddings-and-output-weights
    --vocab-size 128256
)
ARGS="
    --micro-batch-size 1 \\
    --global-batch-size 128 \\
    --tensor-model-parallel-size ${TP} \\
    --pipeline-model-parallel-size ${PP} \\
    --num-layers-per-virtual-pipeline-stage 4 \\
    --sequence-parallel --use-distributed-optimizer \\
    --overlap-grad-reduce --overlap-param-gather \\
    --recompute-granularity full --recompute-method block --recompute-num-layers 2 \\
    --bf16 --train-iters 1000 --frobnicate 3
"
torchrun ${DISTRIBUTED_ARGS[@]} pretrain_gpt.py ${GPT_MODEL_ARGS[@]} $ARGS
"""


def read(tmp_path: Path, text: str, chips: int | None = None) -> Launch:
    path = tmp_path / "launch.sh"
    path.write_text(text)
    return read_launch(path, chips)


def test_a_megatron_script_is_its_model_and_strategy(tmp_path: Path) -> None:
    launch = read(tmp_path, MEGATRON)
    model, s = launch.job.model, launch.strategy
    assert model.num_parameters == 8_030_261_248  # Llama 3.1 8B, as its maker counts
    assert (launch.job.seq_len, launch.job.global_batch_size, launch.job.precision.name) == (8192, 128, "bf16")
    assert (s.tp, s.pp, s.vpp, s.dp, s.schedule) == (4, 2, 4, 4, "interleaved")
    assert (s.zero, s.recompute, s.recompute_layers, s.sequence_parallel) == (1, "full", 0.5, True)
    assert launch.job.tokens == 1000 * 128 * 8192
    assert launch.chips == 32
    assert launch.framework == "megatron"


def test_an_unknown_option_is_listed_as_ignored(tmp_path: Path) -> None:
    assert read(tmp_path, MEGATRON).ignored == ("--frobnicate",)


@pytest.mark.parametrize(
    "name", ["--num-layers", "--hidden-size", "--num-attention-heads", "--seq-length", "--micro-batch-size"]
)
def test_a_missing_option_is_named(name: str, tmp_path: Path) -> None:
    text = MEGATRON.replace(f"{name} ", f"--not{name[1:]} ")
    with pytest.raises(FormatError, match=f"the option {name} is missing"):
        read(tmp_path, text)


def test_a_number_from_the_environment_is_told(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"--num-layers is \$\{LAYERS\}.*environment"):
        read(tmp_path, MEGATRON.replace("--num-layers 32", "--num-layers $LAYERS"))


def test_degrees_that_do_not_divide_the_chips_are_told(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"does not divide 30 chips"):
        read(tmp_path, MEGATRON, chips=30)


def test_chips_that_the_script_leaves_open_are_asked_for(tmp_path: Path) -> None:
    text = MEGATRON.replace("--nnodes $NNODES", "--nnodes $MINE").replace("NNODES=", "N=")
    with pytest.raises(FormatError, match="--chips N"):
        read(tmp_path, text)
    assert read(tmp_path, text, chips=64).strategy.dp == 8


MINDSPEED = """
NPUS_PER_NODE=16
NNODES=32
NUM_LAYERS=64
MOE_ARGS="
    --first-k-dense-replace 3 \\
    --moe-layer-freq 1 \\
    --num-experts 256 --moe-router-topk 8 --moe-ffn-hidden-size 2048 \\
    --n-shared-experts 1 \\
    --moe-router-enable-expert-bias
"
MLA_ARGS="--multi-latent-attention --qk-pos-emb-head-dim 64 --qk-head-dim 128 --q-lora-rank 1536 --kv-lora-rank 512
    --v-head-dim 128 --qk-layernorm"
python -m torch.distributed.launch --nproc_per_node $NPUS_PER_NODE --nnodes $NNODES pretrain_gpt.py \\
    $MOE_ARGS $MLA_ARGS --num-layers ${NUM_LAYERS} --noop-layers 61,62,63 --hidden-size 7168 --ffn-hidden-size 18432 \\
    --num-attention-heads 128 --seq-length 4096 --micro-batch-size 1 --global-batch-size 3840 --swiglu \\
    --tensor-model-parallel-size 2 --pipeline-model-parallel-size 8 --expert-model-parallel-size 32 \\
    --context-parallel-algo ulysses_cp_algo --sequence-parallel --use-distributed-optimizer --use-flash-attn \\
    --normalization RMSNorm --disable-bias-linear --position-embedding-type rope --padded-vocab-size 129280 \\
    --untie-embeddings-and-output-weights --moe-fb-overlap --schedules-method dualpipev --bf16 | tee logs/train.log
"""


def test_a_mindspeed_script_is_deepseek_v3(tmp_path: Path) -> None:
    launch = read(tmp_path, MINDSPEED)
    assert launch.framework == "mindspeed"
    assert launch.job.model.num_parameters == 671_026_419_200
    s = launch.strategy
    assert (s.tp, s.pp, s.ep, s.etp, s.dp, s.overlap_ep) == (2, 8, 32, 1, 32, True)
    assert s.schedule == "dualpipev"
    assert any("61 are counted" in note for note in launch.assumed)


@pytest.mark.parametrize(
    "text",
    ["", "echo hello\n", "\x00\x01", "torchrun pretrain_gpt.py --lr 1\n"],
    ids=["empty", "echo", "binary", "no model"],
)
def test_a_file_without_a_launch_is_told(text: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no launch command"):
        read(tmp_path, text)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="cannot be read"):
        read_launch(tmp_path / "none.sh")


def test_minus_one_means_that_every_layer_has_experts(tmp_path: Path) -> None:
    text = MINDSPEED.replace("--first-k-dense-replace 3", "--first-k-dense-replace -1")
    moe = read(tmp_path, text.replace("--moe-layer-freq 1", "--moe-layer-freq -1")).job.model.moe
    assert moe is not None
    assert (moe.num_leading_dense, moe.layer_step) == (0, 1)


def test_adapters_are_read(tmp_path: Path) -> None:
    words = "--bf16 --lora-r 8 --lora-alpha 16 --lora-target-modules linear_qkv linear_proj"
    launch = read(tmp_path, MEGATRON.replace("--bf16", words))
    assert launch.job.task == make_task("lora", 8, ("qkv", "proj"))
    assert any(note.startswith("--lora-r: lora of rank 8") for note in launch.assumed)
    assert not [name for name in launch.ignored if "lora" in name]


def test_layers_without_attention_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModelError, match="--linear-num-key-heads"):
        read(tmp_path, MEGATRON.replace("--bf16", "--bf16 --linear-num-key-heads 16"))


def test_a_pattern_of_layers_is_a_model_of_several_kinds(tmp_path: Path) -> None:
    text = MEGATRON.replace("--bf16", "--bf16 --hybrid-override-pattern M-M*").replace("--num-layers-", "--x-")
    model = read(tmp_path, text).job.model
    assert (model.num_layers, [t for t, _ in model.layer_titles]) == (4, ["mamba2", "dense", "attention"])


def test_a_script_that_does_not_fit_is_not_called_as_fast_as_the_best(tmp_path: Path) -> None:
    path = tmp_path / "launch.sh"
    path.write_text(
        MEGATRON.replace("TP=4", "TP=1").replace("PP=2", "PP=1").replace("--num-layers-per-virtual", "--no-virtual")
    )
    done = CliRunner().invoke(main, ["predict", "--from-megatron", str(path), "hgx-h100"], catch_exceptions=False)
    assert done.exit_code == 0
    assert "its plan does not fit the memory" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("option", "kind"),
    [
        ("--cp-comm-type p2p", "ring"),
        ("--cp-comm-type a2a", "ulysses"),
        ("--cp-comm-type all_gather", "all_gather"),
        ("--context-parallel-algo megatron_cp_algo", "ring"),
        ("--context-parallel-algo ulysses_cp_algo", "ulysses"),
        ("--context-parallel-algo kvallgather_cp_algo", "all_gather"),
    ],
)
def test_each_kind_of_context_parallelism_is_read(option: str, kind: str, tmp_path: Path) -> None:
    text = MEGATRON.replace("--bf16", f"--bf16 --context-parallel-size 2 {option}")
    assert read(tmp_path, text).strategy.cp_kind == kind


def test_the_last_batch_of_a_schedule_is_priced(tmp_path: Path) -> None:
    scheduled = MINDSPEED.replace("--global-batch-size 3840", '--step-batch-size-schedule "0:768 250B:1920"')
    assert read(tmp_path, scheduled).job.global_batch_size == 1920
    with pytest.raises(FormatError, match="expected THRESHOLD:BATCH pairs"):
        read(tmp_path, scheduled.replace("250B:1920", "250B"))


def test_a_sampling_of_answers_trains_nothing(tmp_path: Path) -> None:
    path = tmp_path / "sampling.yaml"
    path.write_text(
        "model: Qwen/Qwen3-8B\ndataset: a/b\nmax_length: 2048\nload_args: false\nsampler_engine: vllm\nnproc_per_node: 4\n"
    )
    with pytest.raises(FormatError, match="trains nothing"):
        read_launch(path, chips=8)
