"""What is frozen needs neither gradients nor optimizer, a teacher its forward pass alone, and packed samples see themselves."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samples import CHIP, DENSE, SPARSE, job, pool
from tianji.errors import FormatError, UnknownNameError
from tianji.hardware.calibration import Calibration
from tianji.hardware.constants import Constants
from tianji.parallel import Strategy
from tianji.parallel.plan import Plan
from tianji.perf.teacher import teacher_job
from tianji.prediction import predict
from tianji.result import Result
from tianji.workload import Job, TrainingTask, make_task
from tianji.workload.adapters import num_trained
from tianji.workload.model_flops import job_flops
from tianji.workload.samples import read_lengths
from tianji.workload.task import TARGETS

HELD = Calibration(
    chips={CHIP.name: Constants(matmul_half_size=50.0, attention_half_length=64.0, scale_up_latency=3e-6)}
)
QUICK = settings(max_examples=25, deadline=None)
STATE = ("weights", "gradients", "optimizer")
EXACT = 1e-9


@st.composite
def strategies(draw: st.DrawFn) -> Strategy:
    tp, pp = draw(st.sampled_from([(1, 1), (2, 1), (1, 2), (2, 4), (4, 2)]))
    dp = draw(st.sampled_from([1, 2, 4]))
    return Strategy(
        tp=tp, pp=pp, dp=dp, zero=draw(st.sampled_from([0, 1, 2, 3])),
        recompute=draw(st.sampled_from(["none", "selective", "full"])),
        ep=draw(st.sampled_from([1, dp])), micro_batch_size=draw(st.sampled_from([1, 2, 4])),
    )  # fmt: skip


def run(work: Job, strategy: Strategy) -> Result:
    held = strategy if work.model.moe else replace(strategy, ep=1)
    return predict(Plan(work, pool(64), held), HELD)


def state(result: Result) -> float:
    return sum(result.memory[part] for part in STATE)


targets = st.lists(st.sampled_from(TARGETS), min_size=1, unique=True).map(tuple)
models = st.sampled_from([DENSE, SPARSE])


@QUICK
@given(strategies(), models, st.integers(1, 64), targets, st.sampled_from(["bf16", "fp8"]))
def test_adapters_hold_no_more_than_full_training(
    s: Strategy, model: object, rank: int, on: tuple[str, ...], p: str
) -> None:
    work = job(DENSE if model is DENSE else SPARSE, precision=p)
    full, lora, qlora = (
        run(replace(work, task=task), s)
        for task in (TrainingTask(), make_task("lora", rank, on), make_task("qlora", rank, on))
    )
    assert state(lora) <= state(full)
    assert lora.memory_total <= full.memory_total * (1 + EXACT)
    assert lora.memory["gradients"] + lora.memory["optimizer"] < full.memory["gradients"] + full.memory["optimizer"]
    if s.zero < 3:
        assert qlora.memory["weights"] < lora.memory["weights"]
        # Under ZeRO-3 a narrow base crosses the network in a quarter of the bytes.
        assert qlora.step_time.nominal >= lora.step_time.nominal
    assert lora.model_flops < full.model_flops


@QUICK
@given(strategies())
def test_full_rank_on_every_matrix_is_never_leaner_than_full_training(s: Strategy) -> None:
    """Embedding and head get no adapters: a small vocabulary keeps them out of the comparison."""
    model = replace(DENSE, vocab_size=16)
    work = job(model)
    task = make_task("lora", model.hidden_size)
    assert num_trained(model, task) >= model.num_parameters
    assert state(run(replace(work, task=task), s)) >= state(run(work, s))


@QUICK
@given(strategies(), st.sampled_from([DENSE, replace(DENSE, num_layers=12), replace(DENSE, vocab_size=4096)]))
def test_a_frozen_teacher_adds_its_forward_pass_and_its_weights(s: Strategy, teacher: object) -> None:
    assert isinstance(teacher, type(DENSE))
    alone = job()
    taught = replace(alone, task=make_task("distill", teacher=teacher))
    own, both, watched = (run(work, s) for work in (alone, taught, teacher_job(taught)))
    assert both.step_time.nominal == pytest.approx(own.step_time.nominal + watched.step_time.nominal, rel=EXACT)
    assert watched.memory["gradients"] == watched.memory["optimizer"] == watched.memory["activations"] == 0
    for before, after in zip(own.stages, both.stages, strict=True):
        assert {part: size for part, size in after.items() if part != "teacher"} == before
    assert both.model_flops == pytest.approx(own.model_flops + job_flops(replace(alone, model=teacher)) / 3)


@QUICK
@given(strategies(), models, st.sampled_from([2, 4]))
def test_samples_of_one_length_cost_what_sequences_of_it_do(s: Strategy, model: object, n: int) -> None:
    chosen = DENSE if model is DENSE else SPARSE
    short = job(chosen, seq_len=512, batch=64 * n)
    packed = replace(job(chosen, seq_len=512 * n, batch=64), sample_lengths=read_lengths(512))
    one = run(short, replace(s, micro_batch_size=s.micro_batch_size * n))
    other = run(packed, s)
    assert other.step_time.nominal == pytest.approx(one.step_time.nominal, rel=EXACT)
    assert other.memory_total == pytest.approx(one.memory_total, rel=EXACT)
    assert other.model_flops == pytest.approx(one.model_flops, rel=EXACT)


@QUICK
@given(strategies(), st.lists(st.integers(16, 1024), min_size=1, max_size=6, unique=True))
def test_packed_samples_never_cost_more_than_one_long_one(s: Strategy, lengths: list[int]) -> None:
    whole = job()
    packed = replace(whole, sample_lengths=read_lengths(",".join(map(str, lengths))))
    same = replace(whole, sample_lengths=read_lengths(whole.seq_len))
    assert run(same, s).step_time.nominal == run(whole, s).step_time.nominal
    assert run(packed, s).step_time.nominal <= run(whole, s).step_time.nominal * (1 + EXACT)
    assert sum(share for _, share in packed.samples) == pytest.approx(1.0)


def test_many_lengths_are_put_together_without_changing_their_sums(tmp_path: object) -> None:
    lengths = range(100, 1100, 7)
    read = read_lengths(",".join(map(str, lengths)))
    assert len(read) <= 16
    assert sum(n * share for n, share in read) == pytest.approx(sum(lengths) / len(lengths))
    squares = sum(n * n for n in lengths) / len(lengths)
    assert sum(n * n * share for n, share in read) == pytest.approx(squares, rel=2e-3)


def test_what_a_task_does_not_have_is_refused() -> None:
    with pytest.raises(FormatError, match="--lora-rank goes with --task lora or qlora"):
        make_task("sft", 8)
    with pytest.raises(FormatError, match="--teacher MODEL and --task distill go together"):
        make_task("distill")
    with pytest.raises(UnknownNameError, match="did you mean lora or qlora"):
        make_task("lorra")
    with pytest.raises(UnknownNameError, match="target of adapters"):
        make_task("lora", lora_targets="embeddings")
    with pytest.raises(FormatError, match="does not fit a sequence of 1,024"):
        replace(job(), sample_lengths=read_lengths(2048))
