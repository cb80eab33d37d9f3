"""Two ecosystems, one answer: the MindSpore backend and the torch trainer on the same plan, weights and tokens."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tianji.backends import RunOptions, run
from tianji.backends.journal import read_journal
from tianji.backends.mindspore.device_mesh import RankPlace
from tianji.backends.mindspore.engine import MindSporeEngine
from tianji.backends.mindspore.environment import find_python
from tianji.backends.mindspore.tensor_parallel import axis_of
from tianji.errors import InputError, RunError
from tianji.parallel.plan import Plan

from .samples import plan_of

STEPS, RATE = 20, 0.1
TOLERANCE = 1e-5
CASES: dict[str, dict[str, Any]] = {
    "one": {},
    "dp2": {"dp": 2, "micro_batch_size": 2},
    "tp2": {"tp": 2, "micro_batch_size": 4},
    "pp2": {"pp": 2, "micro_batch_size": 2},
}


def plan_for(strategy: dict[str, Any], name: str = "qwen", layers: int = 2) -> Plan:
    plan = plan_of(name, strategy)
    return replace(plan, job=replace(plan.job, model=replace(plan.job.model, num_layers=layers)))


def options_for(out: Path) -> RunOptions:
    return RunOptions(steps=STEPS, optimizer="sgd", learning_rate=RATE, clip=0, device="cpu", trace=False, out=str(out))


@pytest.fixture(scope="module")
def _environment() -> None:
    try:
        find_python()
    except RunError as error:
        pytest.skip(str(error))


def first_step_of_torch(plan: Plan) -> dict[str, np.ndarray]:
    """Logits and gradients of the first step, of one plain model on the whole batch."""
    torch = pytest.importorskip("torch")
    from tianji.backends.trainer.context_parallel import UNCUT
    from tianji.backends.trainer.tokens import Corpus
    from tianji.backends.trainer.transformer import Transformer, draw_weights, loss_of

    model, job = plan.job.model, plan.job
    whole = Transformer(model, range(model.num_layers), torch.arange(job.seq_len), UNCUT, embed=True, predict=True)
    draw_weights(whole, seed=0)
    batch = job.global_batch_size
    tokens = Corpus(None, job.seq_len, model.vocab_size).sequences(0, 0, batch, batch)
    logits = whole(tokens[:, :-1])
    loss_of(logits, tokens[:, 1:]).backward()
    found = {name: weight.grad.numpy() for name, weight in whole.named_parameters()}
    return found | {"logits": logits.detach().flatten(0, 1).numpy()}


def first_step_of_mindspore(plan: Plan, out: Path) -> dict[str, np.ndarray]:
    """The same from what the ranks left, put together; what several ranks hold must be one and the same."""
    s = plan.strategy
    parts: dict[str, dict[tuple[int, int], np.ndarray]] = {}
    for rank in range(s.chips):
        place = RankPlace.of(s, rank)
        for name, value in np.load(out / f"rank-{rank:05d}.npz").items():
            parts.setdefault(name, {})[place.dp, place.tp] = value
    logits = parts.pop("logits")
    found = {"logits": np.concatenate([logits[dp, 0] for dp in range(s.dp)])}
    for name, of_ranks in parts.items():
        axis = axis_of(name, s.tp, plan.job.model.num_key_value_heads)
        for dp in range(s.dp):
            assert all(np.array_equal(of_ranks[dp, tp], of_ranks[0, tp]) for tp in range(s.tp)), name
        found[name] = of_ranks[0, 0] if axis is None else np.concatenate([of_ranks[0, tp] for tp in range(s.tp)], axis)
    return found


def differences(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> Iterator[tuple[str, float]]:
    """The largest difference of each array, relative to the array's largest value."""
    assert found.keys() == expected.keys()
    for name, value in found.items():
        assert value.shape == expected[name].shape, name
        yield name, float(np.abs(value - expected[name]).max() / np.abs(expected[name]).max())


@pytest.mark.slow
@pytest.mark.usefixtures("_environment")
@pytest.mark.parametrize("case", CASES)
def test_mindspore_and_torch_give_one_answer(case: str, tmp_path: Path) -> None:
    plan = plan_for(CASES[case])
    ours = MindSporeEngine(probe=True).run(plan, options_for(tmp_path / "mindspore")).measurement
    theirs = run(plan, options_for(tmp_path / "torch")).measurement
    assert ours and theirs and len(ours.losses) == STEPS
    assert ours.losses == pytest.approx(theirs.losses, rel=TOLERANCE)
    assert ours.gradient_norms == pytest.approx(theirs.gradient_norms, rel=TOLERANCE)
    first = dict(differences(first_step_of_mindspore(plan, tmp_path / "mindspore"), first_step_of_torch(plan)))
    assert max(first.values()) < TOLERANCE, first
    assert ours.losses[-1] < 0.7 * ours.losses[0]  # it learns: the runs do not agree on standing still


@pytest.mark.slow
@pytest.mark.usefixtures("_environment")
def test_the_files_of_a_run_are_those_of_every_engine(tmp_path: Path) -> None:
    result = run(plan_for({}, "tied", layers=1), replace(options_for(tmp_path), steps=3), backend="mindspore")
    assert result.measurement and result.measurement.engine == "mindspore"
    assert result.measurement.versions["mindspore"].startswith("2.10")
    assert [e["event"] for e in read_journal(tmp_path / "rank-00000.jsonl")] == ["step"] * 3 + ["done"]
    assert (tmp_path / "result.json").exists()


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        ({"dp": 2, "zero": 3}, "ReduceScatter"),
        ({"cp": 2}, "AlltoAll"),
        ({"pp": 2, "schedule": "zero-bubble"}, "take 1f1b or gpipe"),
        ({"recompute": "full"}, "recompute=none"),
    ],
)
def test_what_mindspore_cannot_run_is_refused_with_the_reason(
    strategy: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words):
        run(plan_of("llama", strategy), options_for(tmp_path / "out"), backend="mindspore")
    assert not (tmp_path / "out").exists()


def test_a_missing_environment_says_how_to_make_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIANJI_MINDSPORE_PYTHON", str(tmp_path / "python"))
    with pytest.raises(RunError, match="bash scripts/setup mindspore"):
        find_python()
