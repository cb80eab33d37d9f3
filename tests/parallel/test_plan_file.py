"""Plans as files: the same plan comes back, and a damaged file ends in one message."""

import json
from pathlib import Path
from typing import Any

import pytest

import tianji
from samples import SPARSE, make_plan
from tianji.errors import FormatError, InputError
from tianji.input_files import parse_object
from tianji.parallel import Strategy
from tianji.parallel.plan import Plan
from tianji.parallel.plan_file import plan_document, plan_from, read_plan, write_plan

PLAN = make_plan(Strategy(tp=2, dp=4, ep=8, overlap_ep=True), SPARSE, tokens=1e12)


def test_a_plan_comes_back_unchanged(tmp_path: Path) -> None:
    write_plan(PLAN, tmp_path / "plan.json")
    assert read_plan(tmp_path / "plan.json") == PLAN


@pytest.mark.parametrize("pool", ["dgx-a100", "atlas-950-supercluster", "gb200-nvl72", "tpu-v5p-pod"])
@pytest.mark.parametrize("model", ["deepseek-v3", "gpt3-175b", "gpt-oss-120b"])
def test_catalog_entries_come_back_unchanged(pool: str, model: str, tmp_path: Path) -> None:
    plan = Plan(tianji.make_job(model, precision="bf16"), tianji.load_pool(pool), Strategy(dp=2))
    write_plan(plan, tmp_path / "plan.json")
    assert read_plan(tmp_path / "plan.json") == plan


def test_an_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_plan(PLAN, path)
    write_plan(PLAN, path)
    assert [p.name for p in tmp_path.iterdir()] == ["plan.json"]
    with pytest.raises(InputError, match="cannot be written"):
        write_plan(PLAN, tmp_path / "no" / "such" / "folder.json")


def damage(document: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    *way, last = path.split(".")
    place: Any = document
    for key in way:
        place = place[int(key)] if key.isdigit() else place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("format", "plan", "expected the key format with the value 'tianji-plan'"),
        ("version", 2, "version 2 of the format"),
        ("job", None, "the key 'job' is missing"),
        ("job.seq_len", None, "plan.job: the key 'seq_len' is missing"),
        ("job.seqlen", 4096, "unknown key 'seqlen'; did you mean 'seq_len'?"),
        ("job.seq_len", 0, "plan.job.seq_len: expected a whole number from 1"),
        ("job.seq_len", "1024", "plan.job.seq_len: expected a whole number"),
        ("job.seq_len", 10**200, "plan.job.seq_len"),
        ("job.model.moe.top_k", 99, "plan.job.model.moe.top_k"),
        ("job.precision.linear", "bf17", "expected one of fp32"),
        ("pool.chips", -1, "plan.pool.chips"),
        ("pool.tiers", [], "plan.pool.tiers"),
        ("pool.tiers.0.span", 0, "plan.pool.tiers[0].span"),
        ("pool.tiers.0.topology", "tree", "topology"),
        ("pool.chip.peak", 5, "plan.pool.chip.peak: expected an object"),
        ("strategy.tp", 0, "tp"),
        ("strategy.schedule", "zigzag", "schedule"),
        ("strategy.overlap_tp", "on", "overlap_tp"),
    ],
)
def test_a_damaged_document(path: str, value: object, message: str) -> None:
    document = json.loads(json.dumps(plan_document(PLAN)))
    with pytest.raises(FormatError) as caught:
        plan_from(damage(document, path, value))
    assert message in str(caught.value)


@pytest.mark.parametrize("cut", range(1, 37))
def test_a_text_cut_anywhere_says_so(cut: int) -> None:
    whole = '{"a": true, "b": null, "c": [-1, "x"]}'
    with pytest.raises(FormatError, match="is it complete"):
        parse_object(whole[:cut], "here", "a plan")


def test_a_truncated_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_plan(PLAN, path)
    whole = path.read_text()
    path.write_text(whole[: len(whole) // 2])
    with pytest.raises(FormatError, match="is it complete"):
        read_plan(path)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"format": NaN}', b"{}"])
def test_what_is_no_plan(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(content)
    with pytest.raises(FormatError):
        read_plan(path)


def test_a_folder_and_nothing_at_all(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.json", Path("a\0b")):
        with pytest.raises(FormatError):
            read_plan(path)
