"""A mixture beside pools: the same numbers as its plan has, each key of the document, and messages where it makes no sense."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

import tianji
from tianji.cli import main
from tianji.errors import TianjiError
from tianji.report.documents.comparison import ComparisonDocument, ReplacementDocument
from tianji.report.present import view_of

from .conformance import mismatches

MODEL, SUM, POOL = "llama-3.1-8b", "8xhgx-a100+8xhgx-h100", "16xhgx-h100"
JOB = {"batch": 64, "tokens": "1T"}


@pytest.fixture(scope="module")
def comparison() -> dict[str, Any]:
    return dict(tianji.compare(MODEL, SUM, POOL, **JOB).document)


@pytest.fixture(scope="module")
def replacement() -> dict[str, Any]:
    return dict(tianji.replace(MODEL, SUM, "hgx-h100", points=2, **JOB).document)


def test_a_mixture_has_the_numbers_of_its_plan(comparison: dict[str, Any]) -> None:
    mixture, pool = comparison["pools"]
    plan = tianji.plan(MODEL, SUM, **JOB).document
    assert mixture["step_time_range_s"] == plan["step_time_range_s"]
    days = plan["goodput_summary"]["days_range"]
    assert mixture["measures"]["days"]["value"] == pytest.approx(days, rel=1e-12)
    assert [part["chips"] for part in mixture["parts"]] == [8, 8] and pool["parts"] == []
    assert mixture["measures"]["mfu"]["value"] is None, "peaks are unlike"
    assert comparison["ratios"]["mfu"][1] is None
    assert comparison["batches"]["points"], "other batches are looked at, too"
    parts = sum(part["power"]["busy_w"]["nominal"] for part in mixture["parts"])
    assert mixture["measures"]["power"]["value"]["nominal"] * 1e3 == pytest.approx(parts)


def test_documents_with_a_mixture_have_the_keys_of_their_types(
    comparison: dict[str, Any], replacement: dict[str, Any]
) -> None:
    assert not list(mismatches(json.loads(json.dumps(comparison)), ComparisonDocument))
    assert not list(mismatches(json.loads(json.dumps(replacement)), ReplacementDocument))


def test_a_mixture_is_replaced_by_chips_of_one_kind(replacement: dict[str, Any]) -> None:
    first, other = replacement["first"], replacement["other"]
    useful = [pool["measures"]["useful_tokens_per_day"]["value"]["nominal"] for pool in (first, other)]
    assert useful[1] >= useful[0]
    assert 8 <= replacement["chips"] <= 16, "an H100 is faster than an A100"
    assert [point["chips"] for point in replacement["curves"]["first"]["points"]] == [16]
    view = view_of(json.loads(json.dumps(replacement)))
    assert "a mixture" in repr(view.asked)
    assert {chart.name for chart in view.charts()} >= {"throughput", "sensitivity"}


def test_a_mixture_replaces_a_pool_with_its_parts_growing_alike() -> None:
    answer = tianji.replace(MODEL, "8xhgx-h100", SUM, points=2, **JOB)
    document, found = dict(answer.document), answer.result
    assert not list(mismatches(json.loads(json.dumps(document)), ReplacementDocument))
    parts = {part["chips"] for part in document["other"]["parts"]}
    assert len(parts) == 1, "the shares are those that were asked"
    assert document["chips"] % 16 == 0
    assert found.other.useful.nominal >= found.first.useful.nominal
    smaller = [a for n, a in found.other_curve.points.items() if n < document["chips"] and a is not None]
    assert all(a.useful.nominal < found.first.useful.nominal for a in smaller)
    few, nominal, many = found.chips
    assert (few is None or few <= nominal) and (many is None or many >= nominal)
    text = repr(view_of(json.loads(json.dumps(document))))
    assert "as many useful tokens" in text


def test_goodput_of_a_mixture_is_that_beside_its_plan() -> None:
    answer, plan = tianji.goodput(MODEL, SUM, **JOB), tianji.plan(MODEL, SUM, **JOB).document
    assert answer.document["goodput"] == plan["goodput_summary"]["goodput"]
    assert sum(answer.document["spares_by_chip"].values()) == answer.document["spare_nodes"]
    shares = answer.document["cases"]["nominal_failures"]
    assert shares["goodput"] + sum(shares["losses"].values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("size", MODEL, SUM, "--days", "10", "--tokens", "1T"), "`tianji plan MODEL MIXTURE --tokens`"),
        (("replace", MODEL, "--from", POOL, "--with", SUM, "--match", "cost"), "a mixture replaces by throughput"),
        (("smallest", MODEL, SUM), "`tianji plan MODEL MIXTURE`"),
        (("predict", MODEL, SUM), "`tianji plan MODEL MIXTURE`"),
        (("compare", MODEL, "8xhgx-a100+8xnobody", POOL), "`tianji browse mixtures`"),
        (("compare", MODEL, "hgx-a100+hgx-h100", POOL), "256xhgx-h800+128xatlas-900-a2"),
        (("compare", MODEL, "8xhgx-a100+64xatlas-950-superpod", POOL), "[joint]"),
        (("goodput", MODEL, SUM, "--chips", "8"), "--chips goes with a pool of one chip"),
    ],
)
def test_where_a_mixture_makes_no_sense_the_message_says_what_to_do(words: tuple[str, ...], says: str) -> None:
    done = CliRunner().invoke(main, list(words))
    assert done.exit_code == 2
    assert says in done.stderr


def test_a_sum_is_joined_at_the_rate_of_the_slower_network() -> None:
    document = tianji.plan(MODEL, SUM, **JOB).document
    assert document["mixture"]["joint_bandwidth_bytes_per_s"] == 25e9, "an A100's card; an H100's has 50 GB/s"
    with pytest.raises(TianjiError, match="2 to 4 pools"):
        tianji.plan(MODEL, "+".join(["8xhgx-h100"] * 5), **JOB)
