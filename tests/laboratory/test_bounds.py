"""The figures of docs/accuracy.md as bounds: they may be tightened, and never loosened."""

import pytest

from benchmarks.accuracy.choices import choose_in_sweeps, summarize
from benchmarks.accuracy.peers import compare_peers
from benchmarks.accuracy.rankings import rank_published, tell_memory
from benchmarks.accuracy.scaling import scale_measured, scale_published
from tianji.hardware.calibration import Calibration
from tianji.validation import Verdict, validate

CHECK = {"split": "check", "quality": "A"}


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    return validate(**CHECK)  # type: ignore[arg-type]


# Guards against getting worse, at what was reached on 30 November 2026 over old and new rows together. The targets are the
# bars of docs/accuracy.md, which lists those that are missed.


def below(value: float | None, bound: float) -> bool:
    return value is not None and value <= bound


def test_step_time(verdict: Verdict) -> None:
    found = verdict.step_time
    assert found.count >= 1066
    assert below(found.median, 0.060)
    assert below(found.p90, 0.175)
    assert abs(found.bias or 0.0) <= 0.022


@pytest.mark.parametrize(
    ("by", "name", "bound"),
    [
        ("class", "dense", 0.058), ("class", "moe", 0.106), ("class", "long-context", 0.045),
        ("feature", "zero-3", 0.083), ("feature", "pp", 0.064), ("feature", "interleaved", 0.100),
        ("feature", "cp", 0.060), ("feature", "ep", 0.115),
        ("chip", "a100-80", 0.060), ("chip", "gb200", 0.100), ("chip", "h100-sxm", 0.051), ("chip", "ascend-910b2", 0.097),
    ],
)  # fmt: skip
def test_step_time_by_group(by: str, name: str, bound: float, verdict: Verdict) -> None:
    assert below(verdict.group(by)[name][0].median, bound)


def test_range(verdict: Verdict) -> None:
    assert 0.75 <= (verdict.step_time.coverage or 0.0) <= 0.85


def test_memory(verdict: Verdict) -> None:
    found = verdict.memory
    assert found.count >= 29
    assert below(found.median, 0.039)
    assert below(found.p90, 0.23)
    assert found.share_called_out <= 0.015


def test_ranking(verdict: Verdict) -> None:
    found = verdict.ranking
    assert (found.spearman or 0.0) >= 0.89
    assert below(found.regret, 0.050)
    assert (found.exact or 0.0) >= 0.57


def test_the_choice_under_doubt_costs_no_more_than_the_fastest_estimate(verdict: Verdict) -> None:
    every, measured, _ = summarize(choose_in_sweeps(verdict.predictions))
    assert every.sweeps == verdict.ranking.chosen
    assert every.regret <= (verdict.ranking.regret or 0.0) + 1e-3
    # What is said of the chance is no boast, and the fastest estimates are flattered by no more than is said.
    assert every.chance <= every.close + 0.15
    assert every.flattered <= every.optimism + 0.01
    assert measured.flattered <= measured.optimism + 0.01


def test_published_rankings() -> None:
    llama, aquila = rank_published()
    assert llama.spearman >= 0.99
    assert llama.regret == 0.0
    assert llama.memory_is_told
    assert aquila.spearman >= 0.99
    assert aquila.regret == 0.0
    assert aquila.memory_is_told
    assert sorted(abs(e) for e in tell_memory([llama]))[3] <= 0.24


def test_scaling(verdict: Verdict) -> None:
    (gpt3,) = scale_published()
    assert gpt3.worst <= 0.033
    found = {s.name: s.worst for s in scale_measured(verdict.predictions)}
    assert found["Llama 3.1 405B on h100-sxm (fp8)"] <= 0.042
    assert found["Llama 3.1 405B on gb200 (fp8)"] <= 0.020


def test_the_calibration_earns_its_keep(verdict: Verdict) -> None:
    bare = validate(calibration=Calibration(), **CHECK)  # type: ignore[arg-type]
    assert (bare.step_time.median or 0.0) >= 4 * (verdict.step_time.median or 1.0)
    assert (bare.ranking.regret or 0.0) >= 3 * (verdict.ranking.regret or 1.0)


def test_peers_do_worse_on_the_rows_that_they_can_express(verdict: Verdict) -> None:
    peers = {p.name: p for p in compare_peers(verdict.predictions)}
    assert {"calculon", "llm-cluster-simulator"} <= peers.keys()
    for peer in peers.values():
        if len(peer.ours) >= 50:
            assert all(
                ours < theirs
                for ours, theirs in zip(peer.quantiles(peer.ours), peer.quantiles(peer.theirs), strict=True)
            )
