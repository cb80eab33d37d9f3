"""What the page on accuracy says of makers' own stacks is what the code computes."""

import pytest

import tianji
from benchmarks.accuracy import in_house
from docs.generators.known_gaps import CAUSES
from tianji.units import GIB

WORDS = next(cause for cause in CAUSES if cause.startswith("**Makers' own stacks.**"))


def find(name: str) -> in_house.InHouse:
    return next(run for run in in_house.predict_in_house() if run.name == name)


def test_llama_is_called_out_of_memory_and_what_sharded_gradients_would_do(monkeypatch: pytest.MonkeyPatch) -> None:
    told = find("Llama 3.1 405B").forecast
    over = ((told.memory or 0.0) - (told.memory_limit or 0.0)) / GIB
    assert f"called out of memory by {over:.0f} GiB" in WORDS
    runs = [(*run[:7], run[7].replace("zero=1", "zero=2"), *run[8:]) for run in in_house.RUNS]
    monkeypatch.setattr(in_house, "RUNS", tuple(runs))
    cut = find("Llama 3.1 405B").forecast
    assert cut.fits
    assert f"takes {(cut.memory or 0.0) / GIB:.0f} GiB" in WORDS
    assert f"in {cut.step_time:.1f} s a step" in WORDS


def test_the_exposed_traffic_of_pangu_ultra() -> None:
    told = find("Pangu Ultra 135B")
    answer = tianji.predict(
        "pangu-ultra-135b", "atlas-900-a2", chips=8192, seq=4096, batch=2048, tp=8, pp=8, vpp=6, zero=1, mbs=1,
        software="in-house",
    )  # fmt: skip
    parts, step = answer.document["plans"][0]["breakdown_s"], told.forecast.step_time or 0.0
    data, tensor = parts["dp_comm"], parts["tp_comm"]
    assert f"{data:.2f} s of data-parallel and {tensor:.2f} s of tensor-parallel ranks of {step:.1f} s" in WORDS
    assert f"without them {step - data - tensor:.1f} s are left of the {told.measured:.1f} that ran" in WORDS
