"""Every plan says what failures leave of it."""

import pytest

from tianji import Plan, Strategy, expect_goodput, load_pool, make_job, predict
from tianji.report.lasting import lasting_document, lasting_lines
from tianji.result import Result


@pytest.fixture(scope="module")
def result() -> Result:
    job = make_job("llama-3.1-70b", tokens="1T")
    return predict(Plan(job, load_pool("hgx-h100", 1024), Strategy(tp=8, pp=4, dp=32)))


def test_the_document_agrees_with_the_goodput_of_the_plan(result: Result) -> None:
    found, document = expect_goodput(result), lasting_document(result)
    assert document["goodput"]["nominal"] == found.goodput.nominal
    assert document["useful_tokens_per_s"] == pytest.approx(result.tokens_per_s * found.goodput.nominal)
    assert result.days is not None
    assert document["days"] == pytest.approx(result.days / found.goodput.nominal)


def test_the_run_with_failures_ends_later_than_without(result: Result) -> None:
    lines = dict(lasting_lines(result))
    assert "with failures" in lines["run"]
    assert lasting_document(result)["days"] > result.days
