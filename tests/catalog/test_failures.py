"""Failure profiles, and the table of published failure figures behind them."""

from pathlib import Path

import pytest

from tianji.catalog import failures_of, list_failure_profiles, load_chip, load_failures, read_failure_rows
from tianji.errors import FormatError, UnknownNameError
from tianji.hardware.failure_profile import COMPONENTS, RUNGS
from tianji.units import DAY, HOUR

LLAMA3 = "annualised job-stopping rate"
YEAR = 365.25


def llama_counts() -> dict[str, int]:
    """Counts of Llama 3's table, by component, from the population column (`n=148`)."""
    rows = [row for row in read_failure_rows() if row.metric == LLAMA3]
    return {row.component: int(row.population.rsplit("n=", 1)[1]) for row in rows}


def test_the_table_is_whole() -> None:
    rows = read_failure_rows()
    assert len(rows) == 115
    assert all(row.source and row.confidence and row.metric and row.value for row in rows)


def test_llama_3_lists_419_interruptions_in_18_rows() -> None:
    counts = llama_counts()
    assert len(counts) == 18
    assert sum(counts.values()) == 419
    first = [
        "GPU (faulty GPU incl. NVLink)",
        "HBM3",
        "software bug",
        "network switch/cable",
        "unplanned host maintenance",
    ]
    assert [counts[name] for name in first] == [148, 72, 54, 35, 32]


def test_the_default_profile_has_the_counts_of_llama_3() -> None:
    profile = load_failures()
    assert sorted(cause.count.value for cause in profile.causes) == sorted(llama_counts().values())
    assert profile.events == 419


def test_counts_and_yearly_rates_of_llama_3_agree() -> None:
    for row in read_failure_rows():
        if row.metric == LLAMA3:
            count = int(row.population.rsplit("n=", 1)[1])
            population = 16_384 if "GPU-year" in row.unit else 2_048
            assert float(row.value) == pytest.approx(100 * count / population / 54 * YEAR, abs=0.006), row.component


def test_the_all_cause_rate_is_llama_3s_between_metas_two_clusters() -> None:
    rate = load_failures().node_rate
    assert (rate.low, rate.high) == (0.00234, 0.0065)
    assert rate.value == pytest.approx(419 / 54 / 2048, rel=2e-4)


@pytest.mark.parametrize(("chips", "hours"), [(16_384, 1.803), (131_072, 0.225)])
def test_metas_projections_follow_from_the_rate(chips: int, hours: float) -> None:
    rate = load_failures().node_rate.high
    assert rate is not None
    assert DAY / HOUR / (chips / 8 * rate) == pytest.approx(hours, abs=5e-4)


@pytest.mark.parametrize("name", list_failure_profiles())
def test_every_profile_is_whole(name: str) -> None:
    profile = load_failures(name)
    assert [rung.name for rung in profile.rungs] == list(RUNGS)
    assert {cause.component for cause in profile.causes} <= set(COMPONENTS)
    low, high = profile.node_rate.low, profile.node_rate.high
    assert low is not None and high is not None and low <= profile.node_rate.value <= high


def test_a_chip_has_its_own_profile_where_somebody_published_one() -> None:
    assert failures_of(load_chip("gb200")).name == "gb200-nvl72"
    assert failures_of(load_chip("tpu-v5p")).name == "tpu"
    assert failures_of(load_chip("h100-sxm")).name == "default"


def test_a_vendors_claim_is_never_a_default() -> None:
    assert failures_of(load_chip("ascend-910c")).name == "default"
    claim = load_failures("ascend-10k-claim")
    assert not claim.chips
    assert claim.node_rate.confidence == "unverified"
    # Over 24 h between failures of 10,000 chips.
    assert claim.node_rate.value * 10_000 / 8 == pytest.approx(1.0)


def test_a_profile_of_ones_own_stands_on_the_default(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    rate = '{ value = 0.001, source = "our log of 2026", confidence = "user" }'
    power = '{ value = 0.5, source = "our log of 2026", confidence = "user" }'
    path.write_text(
        f'like = "default"\nname = "mine"\ntitle = "ours"\nnode_rate = {rate}\ndomain_rates = {{ power = {power} }}'
    )
    profile = load_failures(path)
    assert profile.node_rate.value == 0.001
    assert profile.domain_rates["power"].value == 0.5
    assert profile.events == 419


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("node_rate = 0.001", "a figure needs its source"),
        ('node_rat = { value = 1, source = "x", confidence = "user" }', "unknown key; did you mean 'node_rate'"),
        ("rungs = []", "expected the rungs in-process, process, pod, job"),
        ("causes = []", "expected at least one table [[causes]]"),
        ('straggle = { value = 0.95, source = "x", confidence = "user" }', "is absurd"),
        ('repair = { value = "24", source = "x", confidence = "user" }', "has no unit"),
    ],
)
def test_bad_profiles_are_refused(line: str, part: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(f'like = "default"\nname = "bad"\ntitle = "bad"\n{line}\n')
    with pytest.raises(FormatError) as caught:
        load_failures(path)
    assert part in str(caught.value)


def test_an_unknown_profile_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean default"):
        load_failures("defualt")
