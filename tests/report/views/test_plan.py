"""The page of a plan says what its JSON document says, and a name with markup in it stays text."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tianji.cli import main

from ..reading import numbers, read, strangers

SMALL = ("plan", "llama-3.1-8b", "hgx-h100", "--chips", "16", "--batch", "64", "--tokens", "1T", "--explain", "tp=8")


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str, Path]:
    folder = tmp_path_factory.mktemp("page")
    files = ("--html", str(folder / "page.html"), "--csv", str(folder / "tables"), "--plots", str(folder / "plots"))
    done = CliRunner().invoke(main, [*SMALL, *files, "--json"], catch_exceptions=False)
    assert done.exit_code == 0
    return json.loads(done.stdout), (folder / "page.html").read_text(), folder


def test_every_number_is_one_of_the_document(answer: tuple[dict[str, Any], str, Path]) -> None:
    document, html, _ = answer
    known = numbers(document)
    best = document["plans"][0]
    derived = [p["memory_limit_bytes"] - p["memory_total_bytes"] for p in document["plans"]]
    derived += [p["memory_total_bytes"] / p["memory_limit_bytes"] for p in document["front"]]
    derived += [s / best["step_time_s"] for s in best["breakdown_s"].values()] + [1.0]
    derived += [
        s / best["step_time_s"]
        for other in (document["naive"], document["explained"])
        for s in other["breakdown_difference_s"].values()
    ]
    derived += [sum(stage.values()) for stage in best["memory_stages_bytes"]]
    derived += [best["memory_limit_bytes"] - sum(stage.values()) for stage in best["memory_stages_bytes"]]
    values = read(html).values
    assert len(values) > 100
    assert not strangers(values, [*known, *derived])


def test_the_page_asks_nobody_for_anything(answer: tuple[dict[str, Any], str, Path]) -> None:
    html = answer[1]
    found = read(html)
    assert not [tag for tag, _ in found.tags if tag in {"script", "link", "img", "iframe", "object"}]
    assert not [a for _, attrs in found.tags for a in attrs if a == "src" or a.startswith("on")]
    assert not re.search(r"url\((?!#)|@import", html)
    assert "default-src 'none'" in html


def test_every_source_is_named_with_its_address(answer: tuple[dict[str, Any], str, Path]) -> None:
    document, html, _ = answer
    text = read(html).text
    sources = [s for figure in document["figures"] for s in figure["sources"]]
    assert len(sources) > 5
    for source in sources:
        assert source["title"] in text
        assert source["url"] in text
    assert all(assumption in text for assumption in document["assumptions"])
    assert document["calibration"]["leans_on"] in text


def test_every_plot_and_table_is_a_file_too(answer: tuple[dict[str, Any], str, Path]) -> None:
    document, html, folder = answer
    pictures = sorted(p.name for p in (folder / "plots").iterdir())
    assert {"breakdown.svg", "breakdown.png", "memory.svg", "front.svg", "naive-difference.png"} <= set(pictures)
    assert all(f'id="{Path(name).stem}"' in html for name in pictures)
    head, *rows = (folder / "tables" / "plans.csv").read_text().splitlines()
    assert head.startswith('#,layout,step (s),"step, low (s)","step, high (s)"')
    assert [float(row.split(",")[2]) for row in rows] == [p["step_time_s"] for p in document["plans"]]


def test_a_name_with_markup_in_it_stays_text(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    chip = 'like = "h100-sxm"\nname = "evil"\ntitle = "' + evil + '"\nnotes = []\n'
    (tmp_path / "chip.toml").write_text(chip)
    pool = f'like = "hgx-h100"\nname = "{evil}"\ntitle = "{evil}"\nchip = "chip.toml"\n'
    (tmp_path / "pool.toml").write_text(pool)
    page = tmp_path / "page.html"
    words = ["predict", "llama-3.1-8b", str(tmp_path / "pool.toml"), "--chips", "16", "--tp", "8", "--html", str(page)]
    done = CliRunner().invoke(main, [*words, "--plots", str(tmp_path / "plots")], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    found = read(page.read_text())
    assert evil in found.text
    assert not [tag for tag, _ in found.tags if tag in {"script", "img"}]
    assert not any("<script" in p.read_text() for p in (tmp_path / "plots").glob("*.svg"))


@pytest.mark.parametrize("option", ["--html", "--plots", "--csv"])
def test_what_cannot_be_written_is_said_before_the_search(option: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    where = tmp_path / ("missing/page.html" if option == "--html" else "file")
    done = CliRunner().invoke(main, ["plan", "llama-3.1-405b", "hgx-h100", option, str(where)])
    assert done.exit_code == 2
    assert str(where) in done.stderr
    assert not done.stdout


def test_a_mixture_has_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = CliRunner().invoke(
        main, ["plan", "llama-3.1-8b", "a100-h100", "--tokens", "1T", "--json", "--html", str(page)],
        catch_exceptions=False,
    )  # fmt: skip
    document = json.loads(done.stdout)
    found = read(page.read_text())
    assert document["verdict"] in found.text
    assert f"{document['goodput_summary']['goodput']['nominal'] * 100:.1f} %" in found.text
    assert "days with failures" in found.text
    ways = [*document["alone"], document["batches"] or {}, document["stages"] or {}]
    steps = [way["step_time_s"] for way in ways if way.get("step_time_s")]
    chips = [document["mixture"]["chips"]]
    derived = [document["job"]["tokens_per_step"] / step for step in steps]
    assert not strangers(found.values, [*numbers(document), *derived, *chips])


def test_published_runs_of_the_job_are_on_the_page(tmp_path: Path) -> None:
    job = ("llama-3.1-405b", "hgx-h100", "--chips", "8192", "--batch", "1536", "--seq", "8192", "--precision", "fp8")
    done = CliRunner().invoke(main, ["plan", *job, "--html", str(tmp_path / "page.html"), "--json"])
    assert done.exit_code == 0, done.stderr
    (run,) = json.loads(done.stdout)["published"]
    text = read((tmp_path / "page.html").read_text()).text
    assert run["id"] == "MLPF-012" and not run["is_doubtful"]
    assert run["id"] in text and f"{run['gain_promised'] * 100:+.1f} %" in text
    assert "measure it before you count on it" not in text
    # The three parts of the gain multiply to it.
    parts = (1 + run["gain_of_layout"]) / (1 + run["correction"]) / (1 + run["error"])
    assert run["gain_promised"] == pytest.approx(parts - 1, rel=1e-9)
    assert all(
        words in text for words in ("its layout", "the correction for having been chosen", "our error on this run")
    )
