"""What people launch with, of every stack: degrees, batch, sequence and shape as the stack itself would take them."""

from pathlib import Path

import pytest

from tianji.api.predicting import predict
from tianji.errors import FormatError, IllegalStrategyError, InputError
from tianji.exporters.launch_reader.launches import Launch, read_launch

SIZES = """--num-layers 32 --hidden-size 4096 --num-attention-heads 32 --group-query-attention --num-query-groups 8
--ffn-hidden-size 14336 --swiglu --normalization RMSNorm --disable-bias-linear --position-embedding-type rope
--untie-embeddings-and-output-weights --vocab-size 128256"""
TRAIN = "--micro-batch-size 1 --global-batch-size 64 --seq-length 4096 --bf16 --use-distributed-optimizer"


def read(
    folder: Path,
    files: dict[str, str],
    chips: int | None = None,
    settings: dict[str, str] | None = None,
    *arguments: str,
) -> Launch:
    """Write files and read the first one."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return read_launch(folder / next(iter(files)), chips, settings, arguments)


def short(launch: Launch) -> tuple[object, ...]:
    s, job = launch.strategy, launch.job
    size = round(job.model.num_parameters / 1e9, 1)
    return (size, s.tp, s.pp, s.ep, s.dp, s.micro_batch_size, job.global_batch_size, job.seq_len)


def plain(more: str = "") -> str:
    """Return a launch of one node with further options."""
    return f"torchrun --nproc_per_node 8 --nnodes 1 pretrain_gpt.py {SIZES} {TRAIN} {more}".replace("\n", " ")


def test_a_model_file_beside_the_script_is_taken_in(tmp_path: Path) -> None:
    launch = read(tmp_path, {
        "run.sh": 'DIR="$(cd "$(dirname "${BASH_SOURCE[0]}")" &>/dev/null && pwd)"\nsource "${DIR}/models/m.sh"\n'
        f"torchrun --nproc_per_node 8 --nnodes 1 pretrain_gpt.py ${{MODEL_ARGS[@]}} {TRAIN}\n",
        "models/m.sh": f"MODEL_ARGS=({SIZES.replace(chr(10), ' ')})\n",
    })  # fmt: skip
    assert short(launch) == (8.0, 1, 1, 1, 8, 1, 64, 4096)


def test_a_file_of_the_machine_is_never_taken_in(tmp_path: Path) -> None:
    launch = read(tmp_path, {"run.sh": f"source /etc/passwd\nsource /dev/zero\n{plain()}"})
    assert any("/etc/passwd, /dev/zero" in note for note in launch.assumed)


def test_arguments_variables_and_slurm_lines_are_taken(tmp_path: Path) -> None:
    one_line = SIZES.replace("\n", " ")
    text = (
        "#!/bin/bash\n#SBATCH --nodes=4 --gpus-per-node=4\n#SBATCH --ntasks-per-node=4\nTP=${TP:-1}\nPP=$2\n"
        f"srun python pretrain_gpt.py {one_line} {TRAIN} --tensor-model-parallel-size $TP --pipeline-model-parallel-size $PP"
        " --micro-batch-size $1"
    )
    launch = read(tmp_path, {"job.sbatch": text}, None, {"TP": "4"}, "2", "2")
    assert short(launch) == (8.0, 4, 2, 1, 2, 2, 64, 4096)
    with pytest.raises(FormatError, match="arguments behind --"):
        read(tmp_path, {"job.sbatch": text}, None, {"TP": "4"})


def test_layers_listed_by_a_loop_are_read(tmp_path: Path) -> None:
    text = (
        "arr=()\nfor ((i=0; i<32; i++)); do\n if (( i < 2 )); then arr+=(0); else arr+=(1); fi\ndone\n"
        "printf -v FREQ '[%s]' \"$(IFS=', '; echo \"${arr[*]}\")\"\n"
        f"torchrun --nproc_per_node 8 --nnodes 1 pretrain_gpt.py {SIZES} {TRAIN} --num-experts 8 --moe-ffn-hidden-size 1024"
        ' --moe-layer-freq "$FREQ"'
    ).replace("\n--", " --")
    moe = read(tmp_path, {"run.sh": text}).job.model.moe
    assert moe is not None
    assert (moe.num_leading_dense, moe.layer_step) == (2, 1)


SWIFT = """NPROC_PER_NODE=8 NNODES=2 megatron sft --model Qwen/Qwen3-30B-A3B-Instruct-2507 --pipeline_model_parallel_size 2 \\
 --expert_model_parallel_size 8 --micro_batch_size 1 --global_batch_size 16 --max_length 8192 --recompute_granularity full \\
 --recompute_method uniform --recompute_num_layers 1 --sequence_parallel true --overlap_grad_reduce false
"""
SLIME = f"""MODEL_ARGS=({SIZES})
ray job submit --address=a -- python3 train.py --actor-num-nodes 2 --actor-num-gpus-per-node 8 ${{MODEL_ARGS[@]}} \\
 --rollout-batch-size 32 --n-samples-per-prompt 8 --rollout-max-response-len 8192 --global-batch-size 256 \\
 --tensor-model-parallel-size 4 --use-dynamic-batch-size --max-tokens-per-gpu 20480
"""
VERL = """python3 -m verl.trainer.main_ppo data.max_prompt_length=1024 data.max_response_length=3072 \\
 actor_rollout_ref.model.path=Qwen/Qwen3-8B actor_rollout_ref.actor.ppo_mini_batch_size=64 actor_rollout_ref.rollout.n=4 \\
 actor_rollout_ref.actor.megatron.tensor_model_parallel_size=4 \\
 +actor_rollout_ref.actor.megatron.override_transformer_config.recompute_granularity=full \\
 actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=2 trainer.n_gpus_per_node=8 trainer.nnodes=2 "$@"
"""
LLAMA_FACTORY = """model_name_or_path: Qwen/Qwen3-4B
stage: sft
do_train: true
finetuning_type: full
deepspeed: ds/z3.json
cutoff_len: 4096
per_device_train_batch_size: 2
gradient_accumulation_steps: 4
bf16: true
"""
MODELZOO = "MODEL_ARGS:\n" + "".join(
    f"  {word}: {value}\n"
    for word, value in {
        "--num-layers": 32, "--hidden-size": 4096, "--num-attention-heads": 32, "--swiglu": True, "--vocab-size": 128256,
        "--group-query-attention": True, "--num-query-groups": 8, "--ffn-hidden-size": 14336, "--disable-bias-linear": True,
        "--untie-embeddings-and-output-weights": True, "--position-embedding-type": "rope", "--normalization": "RMSNorm",
        "--seq-length": "${SEQ_LEN}", "--micro-batch-size": 1, "--global-batch-size": 64, "--tensor-model-parallel-size": "${TP}",
    }.items()
)  # fmt: skip
PRIMUS = """work_group: a
exp_name: b
modules:
  pre_trainer:
    framework: megatron
    model: ${PRIMUS_MODEL:llama3.1_8B}.yaml
    overrides: {micro_batch_size: 2, global_batch_size: 64, seq_length: 8192, pipeline_model_parallel_size: 2, fp8: null}
"""
FSDP2 = {
    "run.sh": "torchrun --nproc_per_node 16 --nnodes 1 train_fsdp2.py x/c.yaml --model.model_name_or_path /d/Qwen3-14B"
    " --parallel.fsdp_size 16 --training.per_device_train_batch_size 2\n",
    "x/c.yaml": "model: {model_id: qwen3}\ndata: {cutoff_len: 4096}\nparallel: {recompute: true}\n"
    "training: {gradient_accumulation_steps: 2}\n",
}
TITAN = """[model]
name = "llama3"
flavor = "70B"
[training]
seq_len = 8192
local_batch_size = 2
[parallelism]
tensor_parallel_degree = 8
"""
FORMERS = """run_mode: train
trainer: {type: CausalLanguageModelingTrainer, model_name: qwen3_8b}
runner_config: {batch_size: 1, gradient_accumulation_steps: 4}
parallel_config: {data_parallel: 4, model_parallel: 2, pipeline_stage: 1}
model: {model_config: {seq_length: 4096}}
"""
CASES = [
    ({"run.sh": SWIFT}, None, {}, (30.5, 1, 2, 8, 8, 1, 16, 8192)),
    ({"run.sh": SLIME}, None, {}, (8.0, 4, 1, 1, 4, 1, 256, 8192)),
    ({"run.sh": VERL}, None, {}, (8.2, 4, 1, 1, 4, 2, 256, 4096)),
    ({"a.yaml": LLAMA_FACTORY, "ds/z3.json": '{"zero_optimization": {"stage": 3}, "train_batch_size": "auto"}'}, 8, {},
     (4.0, 1, 1, 1, 8, 2, 64, 4096)),
    ({"a.yaml": MODELZOO}, 16, {"TP": "2", "SEQ_LEN": "2048"}, (8.0, 2, 1, 1, 8, 1, 64, 2048)),
    ({"a.yaml": PRIMUS}, 16, {}, (8.0, 1, 2, 1, 8, 2, 64, 8192)),
    (FSDP2, None, {}, (14.8, 1, 1, 1, 16, 2, 64, 4096)),
    ({"a.toml": TITAN}, 64, {}, (70.6, 8, 1, 1, 8, 2, 16, 8192)),
    ({"a.yaml": FORMERS}, None, {}, (8.2, 2, 1, 1, 4, 1, 16, 4096)),
    ({"ds.json": '{"zero_optimization": {"stage": 2}, "train_micro_batch_size_per_gpu": 2}'}, 8,
     {"model": "qwen3-8b", "seq": "1024"}, (8.2, 1, 1, 1, 8, 2, 16, 1024)),
    ({"a.yaml": "distributed_type: FSDP\nnum_processes: 16\nfsdp_config: {fsdp_sharding_strategy: FULL_SHARD}\n"}, None,
     {"model": "llama-3.1-8b", "seq": "2048"}, (8.0, 1, 1, 1, 16, 1, 16, 2048)),
    ({"run.sh": "NPROC_PER_NODE=4 swift sft --model Qwen/Qwen2.5-7B --tuner_type full --deepspeed zero3 --max_length 2048\n"},
     None, {}, (7.6, 1, 1, 1, 4, 1, 16, 2048)),
]  # fmt: skip


@pytest.mark.parametrize(("files", "chips", "settings", "expected"), CASES)
def test_each_stack_is_read_as_it_would_run(
    files: dict[str, str], chips: int | None, settings: dict[str, str], expected: tuple[object, ...], tmp_path: Path
) -> None:
    assert short(read(tmp_path, files, chips, settings)) == expected


@pytest.mark.parametrize(
    ("text", "described"),
    [
        ("finetuning_type: lora\nlora_target: q_proj,v_proj\n", "lora of rank 8 on qkv"),
        ("finetuning_type: lora\nlora_rank: 64\nquantization_bit: 4\n", "qlora of rank 64 on qkv, proj, mlp, experts"),
        ("finetuning_type: freeze\n", "pretrain"),
    ],
)
def test_adapters_of_llama_factory_are_read(text: str, described: str, tmp_path: Path) -> None:
    body = LLAMA_FACTORY.replace("finetuning_type: full\n", text)
    files = {"a.yaml": body, "ds/z3.json": '{"zero_optimization": {"stage": 3}}'}
    launch = read(tmp_path, files, 8, {})
    assert launch.job.task.describe() == described
    assert bool(launch.left_out) == ("freeze" in text)


def test_adapters_of_swift_are_read(tmp_path: Path) -> None:
    line = "NPROC_PER_NODE=4 swift sft --model Qwen/Qwen2.5-7B --target_modules q_proj o_proj --deepspeed zero2\n"
    assert read(tmp_path, {"run.sh": line}, None, {}).job.task.describe() == "lora of rank 8 on qkv, proj"


def test_names_of_recipes_are_launches() -> None:
    launch = read_launch("llama3_70b", 64)
    assert (launch.stack, launch.strategy.tp, launch.strategy.zero, launch.job.seq_len) == ("torchtitan", 8, 3, 8192)
    launch = read_launch("llama3_8b_pretrain_config", None, {"train.global_batch_size": "128"})
    assert (launch.stack, launch.strategy.cp, launch.chips, launch.job.global_batch_size) == ("bridge", 2, 2, 128)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("python convert_ckpt.py --num-layers 32 --hidden-size 8 --num-attention-heads 2", "converts checkpoints"),
        (
            "torchrun --nproc_per_node 8 inference.py --num-layers 32 --hidden-size 8 --seq-length 9",
            "serves or generates",
        ),
        ("python tools/preprocess_data.py --input a", "prepares data"),
        ("swift export --model a", "changes or exports a model"),
        ("torchrun evaluation.py --num-layers 2 --hidden-size 8 --seq-length 9", "evaluates"),
    ],
)
def test_what_trains_nothing_is_said_to_be_what_it_is(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=f"no training: it {says}"):
        read(tmp_path, {"run.sh": text})


def test_what_is_not_priced_is_said_with_its_direction(tmp_path: Path) -> None:
    launch = read(tmp_path, {"run.sh": plain("--layerzero --frobnicate 3")})
    assert launch.left_out == ("--layerzero: memory is stated too high, time too low",)
    assert launch.ignored == ("--frobnicate",)


def test_what_the_framework_would_stop_at_is_said(tmp_path: Path) -> None:
    broken = read(tmp_path, {"run.sh": plain("--expert-model-parallel-size 2 --fp16")}).broken
    assert ["without --num-experts" in broken[0], "--fp16 beside --bf16" in broken[1]] == [True, True]


def test_a_vision_language_script_is_priced_by_its_text(tmp_path: Path) -> None:
    launch = read(tmp_path, {"run.sh": plain("--seq-length 256 --decoder-seq-length 1024 --vision-model-type clip")})
    assert launch.job.seq_len == 1024
    assert any("--vision-model-type" in text and "too low" in text for text in launch.left_out)


def test_a_size_that_its_name_denies_is_doubted(tmp_path: Path) -> None:
    text = plain()
    assert "named for 70B" in read(tmp_path, {"pretrain_llama_70b.sh": text}).assumed[0]
    assert not any("named for" in note for note in read(tmp_path, {"pretrain_llama_8b.sh": text}).assumed)


@pytest.mark.parametrize(
    "text",
    [
        "a=(x)\n" + 'a=("${a[@]}" "${a[@]}")\n' * 28 + "run",
        "run $((" + "(" * 5000 + "1" + ")" * 5000 + "))",
        "while true; do A+=x; done\nrun",
        "f() { f; f; }\nf\nrun",
        "A=" + "${A:-" * 200 + "x" + "}" * 200 + "\nrun",
        "A=" + "a" * 5000 + "\nB=${A##" + "*a" * 3 + "b}\nrun",
        "for i in $(seq 1 9000); do for j in $(seq 1 9000); do A=$i; done; done\nrun",
        "case x in\n", "for i in a", "f() {", "select x in a b; do", "run ${", "[[ a", "((", "if", "a[$((1", "printf -v x %s",
    ],
)  # fmt: skip
def test_scripts_without_end_are_refused_in_one_line(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        read(tmp_path, {"run.sh": text})


def test_a_name_that_no_file_system_takes_is_told() -> None:
    for name in ("a" * 5000 + ".sh", "a\x00.sh", "a" * 300):
        with pytest.raises(InputError):
            read_launch(name)


T5 = (
    "--encoder-num-layers 24 --decoder-num-layers 12 --hidden-size 1024 --num-attention-heads 16 --kv-channels 64"
    " --ffn-hidden-size 4096 --vocab-size 32128 --encoder-seq-length 512 --decoder-seq-length 128 --max-position-embeddings 512"
)


def test_an_encoder_with_a_decoder_is_read_as_both(tmp_path: Path) -> None:
    text = f"torchrun --nproc_per_node 8 --nnodes 1 pretrain_t5.py {T5} --micro-batch-size 4 --global-batch-size 64 --bf16\n"
    launch = read(tmp_path, {"run.sh": text})
    assert (launch.job.seq_len, launch.job.model.num_layers) == (512, 36)
    encoder, decoder = (4 + 8) * 1024**2, (8 + 8) * 1024**2
    assert launch.job.model.num_parameters == pytest.approx(24 * encoder + 12 * decoder + 32128 * 1024, rel=1e-3)
    assert any("one has 128" in note for note in launch.assumed)


@pytest.mark.parametrize(
    ("lengths", "length"),
    [
        ("--encoder-seq-length 2048", 2048),
        ("--encoder-seq-length 4096 --total-seq-length 2048", 2048),
        ("--seq-length 256 --decoder-seq-length 1024", 1024),
    ],
)
def test_a_length_under_another_name(lengths: str, length: int, tmp_path: Path) -> None:
    text = plain("--model-provider llava_vlm").replace("--seq-length 4096", lengths)
    launch = read(tmp_path, {"run.sh": text})
    assert launch.job.seq_len == length
    assert any("--model-provider" in sentence for sentence in launch.left_out)


def test_a_script_is_read_as_one_whose_commands_succeed(tmp_path: Path) -> None:
    text = "which srun\nBATCH=$((1-$?))\nif [[ $BATCH -eq 0 ]]; then M=1; else M=2; fi\nls || exit $?\n"
    launch = read(tmp_path, {"run.sh": f"{text}{plain('--tensor-model-parallel-size $M')}\n"})
    assert launch.strategy.tp == 2
    assert not any("branches" in note for note in launch.assumed)


ZOO = "MODEL_ARGS:\n  " + "\n  ".join(
    f"{name}: {value}" for name, value in {
        "--num-layers": 2, "--hidden-size": 64, "--num-attention-heads": 4, "--seq-length": 128, "--micro-batch-size": 1,
        "--global-batch-size": 8, "--ffn-hidden-size": 256,
    }.items()
)  # fmt: skip


def test_of_a_key_that_stands_twice_the_last_counts_as_in_the_training(tmp_path: Path) -> None:
    launch = read(tmp_path, {"run.yaml": f"{ZOO}\n  --ffn-hidden-size: 512\n"}, chips=8)
    assert launch.job.model.intermediate_size == 512


def test_a_configuration_says_whether_it_trains(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no training: it serves or generates"):
        read(tmp_path, {"run.yaml": f"MODE: inference\n{ZOO}\n"}, chips=8)
    assert any("rollout" in note for note in read(tmp_path, {"run.yaml": f"MODE: rl\n{ZOO}\n"}, chips=8).assumed)
    with pytest.raises(FormatError, match="no configuration of a training"):
        read(tmp_path, {"pyproject.toml": '[project]\nname = "x"\n'})


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ("--expert-model-parallel-size 4", "--expert-model-parallel-size without --num-experts"),
        ("--fp16", "--fp16 beside --bf16"),
        ("--recompute-granularity full", "full without --recompute-method"),
        (
            "--num-experts 8 --moe-ffn-hidden-size 1024 --overlap-moe-expert-parallel-comm --recompute-granularity full"
            " --recompute-method uniform --recompute-num-layers 1",
            "--overlap-moe-expert-parallel-comm with full recomputation",
        ),
        ("--tp-comm-overlap", "--tp-comm-overlap without --sequence-parallel"),
    ],
)
def test_a_launch_that_its_framework_stops_is_refused(options: str, rule: str, tmp_path: Path) -> None:
    file = tmp_path / "run.sh"
    file.write_text(plain(options))
    for explain in (False, True):
        with pytest.raises(IllegalStrategyError, match="it would stop: ") as refused:
            predict(from_=file, pool="hgx-h100", explain=explain)
        assert rule in str(refused.value)
        assert "(it takes " in str(refused.value)
        assert "transformer_config.py" in str(refused.value) or "arguments.py" in str(refused.value)


def test_a_launch_that_ran_is_priced_whatever_a_table_says(tmp_path: Path) -> None:
    file = tmp_path / "run.sh"
    file.write_text(plain("--fp16"))
    answer = predict(from_=file, pool="hgx-h100", measured="12 s")
    assert answer.notes[0].startswith("would stop: ")
    assert answer.document["assumptions"][0] == answer.notes[0]
    assert answer.document["bottom_line"]["answer"].startswith("No: it does not start as it is")


def test_checks_of_a_command_line_bind_only_stacks_that_read_one(tmp_path: Path) -> None:
    swift = "megatron sft --model Qwen/Qwen3-8B --max_length 4096 --tuner_type full --optimizer_cpu_offload true"
    assert read(tmp_path, {"run.sh": f"NPROC_PER_NODE=8 {swift}"}).stops == ()
    (said,) = read(tmp_path, {"run.sh": f"NPROC_PER_NODE=8 {swift} --recompute_granularity full"}).stops
    assert "without --recompute-method" in said
    (said,) = read(tmp_path, {"run.sh": plain("--optimizer-cpu-offload")}).stops
    assert "without --use-precision-aware-optimizer" in said


def test_slime_takes_the_model_of_its_checkpoint_where_a_program_writes_the_sizes(tmp_path: Path) -> None:
    script = (
        'MODEL_ARGS_LINE="$(python3 model_args.py qwen3-32b)" || exit 1\nread -ra MODEL_ARGS <<< "${MODEL_ARGS_LINE}"\n'
        "ray job submit -- python3 train.py --actor-num-nodes 1 --actor-num-gpus-per-node 8 --hf-checkpoint /models/Qwen3-32B"
        " ${MODEL_ARGS[@]} --rollout-batch-size 32 --n-samples-per-prompt 8 --global-batch-size 256"
        " --rollout-max-response-len 8192 --tensor-model-parallel-size 8\n"
    )
    launch = read(tmp_path, {"run.sh": script})
    assert (launch.stack, launch.job.model.name, launch.strategy.tp) == ("slime", "qwen3-32b", 8)
    assert any("--hf-checkpoint" in text for text in launch.assumed)
    assert (
        read(
            tmp_path, {"fsdp.sh": script.replace("--colocate", "").replace("-size 8", "-size 1 --train-backend fsdp")}
        ).strategy.zero
        == 3
    )
