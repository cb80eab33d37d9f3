"""Bad input ends in exit code 2 and one clear message: nothing on stdout, no traceback, nothing lost."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tianji.catalog.entries import DATA
from tianji.cli import main

CONFIG: dict[str, Any] = json.loads((DATA / "models" / "llama-3.1-8b" / "config.json").read_text())
POOL = (DATA / "pools" / "hgx-h100.toml").read_text()
JOB = ("llama-3.1-8b", "hgx-h100", "--chips", "16", "--batch", "64")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


def refusal(*arguments: str) -> str:
    """Return the one message that a bad call is answered with."""
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 or done.stderr.startswith("Usage: "), done.stderr
    return done.stderr


# --- the command line itself ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["paln"], "did you mean plan"),
        (["--nope"], "No such option"),
        (["plan"], "Missing argument 'MODEL'"),
        (["plan", "llama-3.1-8b"], "Missing argument 'POOL'"),
        (["plan", "llama-3.1-9b", "hgx-h100"], "did you mean llama-3.1-8b"),
        (["plan", "llama-3.1-8b", "hgx-h101"], "did you mean hgx-h100"),
        (["plan", "", "hgx-h100"], "unknown model ''"),
        (["plan", "llama-3.1-8b", ""], "unknown pool ''"),
        (["plan", ".", "hgx-h100"], "no such file"),
        (["plan", "a" * 5000, "hgx-h100"], "unknown model"),
        (["plan", "a/" * 3000, "hgx-h100"], "a/a"),
        (["plan", "llama-3.1-8b", "a" * 5000], "unknown pool"),
        (["plan", "mod\nel", "hgx-h100"], "unknown model"),
        (["plan", "模型", "hgx-h100"], "unknown model '模型'"),
        (["plan", "/dev/zero", "hgx-h100"], "not a file"),
        (["plan", *JOB, "--nonsense"], "No such option"),
        (["predict"], "Missing argument"),
        (["predict", "nofile.json"], "no such file"),
        (["predict", "llama-3.1-8b"], "needs a pool"),
        (["plan", "llama-3.1-8b", "64xhgx-h100"], "hgx-h100 --chips 64"),
        (
            ["plan", "llama-3.1-8b", "hgx-a100", "--precision", "fp8"],
            "published: fp32, bf16, --precision takes another",
        ),
        (
            ["plan", "llama-3.1-8b", "atlas-960-superpod", "--precision", "fp8"],
            "fp8, fp4, whose jobs keep parts in bf16",
        ),
        (["smallest", "llama-3.1-8b", "a100-h100"], "a100-h100 is a mixture of unlike chips"),
        (["plan", "llama-3.1-8b", "a100-h100", "--objective", "cost"], "--objective goes with a pool of one chip"),
        (["plan", *JOB, "--rent", "h100-sxm=2"], "--rent counts only with --objective cost or energy"),
        (
            ["predict", "llama-3.1-8b", str(DATA / "mixtures" / "a100-h100.toml")],
            "`tianji plan MODEL MIXTURE` finds how",
        ),
        (["plan", *JOB, "--replica-chips", "8"], "--replica-chips counts only with --loss replica"),
        (["plan", *JOB, "--objective", "cost", "--rent", "h100-sxm=-2"], "--rent: expected an amount above zero"),
        (
            ["replace", "llama-3.1-8b", "--from", "64xhgx-h100", "--with", "hgx-a100", "--days", "5"],
            "--days counts only with --match deadline",
        ),
        (["browse", "china"], "in sites and in prices"),
        (["browse", "chip"], "did you mean chips"),
        (["browse", "chips", "h201"], "did you mean"),
        (["browse", "x", "y", "z"], "unexpected extra argument"),
        (["browse", "h200", "--toml", "--json"], "exclude each other"),
    ],
)
def test_a_slip_on_the_command_line(words: list[str], expected: str) -> None:
    assert expected in refusal(*words)


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--chips", "0", "at least 1"),
        ("--chips", "-8", "at least 1"),
        ("--chips", "7.5", "whole number"),
        ("--chips", "many", "expected a count"),
        ("--chips", "NaN", "expected a count"),
        ("--chips", "8 GB", "has the unit 'GB'"),
        ("--chips", "1e30", "absurd"),
        ("--chips", "99999999999", "absurd"),
        ("--seq", "0", "at least 1"),
        ("--seq", "abc", "expected a count"),
        ("--seq", "1e12", "absurd"),
        ("--batch", "-1", "at least 1"),
        ("--batch", "1e15", "absurd"),
        ("--tokens", "-15T", 'like "15T"'),
        ("--tokens", "15 GB", "has the unit 'GB'"),
        ("--tokens", "15Q", "has the unit 'Q'"),
        ("--tokens", "nan", "expected a count"),
        ("--precision", "fp7", "did you mean fp8"),
        ("--precision", "fp4", "no published dense fp4 peak"),
        ("--optimizer-dtype", "fp17", "unknown optimizer dtype"),
        ("--moe-imbalance", "0.5", "from 1"),
        ("--moe-imbalance", "two", "expected a ratio"),
        ("--fix", "tp", "field=value"),
        ("--fix", "tp=", "field=value"),
        ("--fix", "tp=0", "at least 1"),
        ("--fix", "tp=8.5", "whole number"),
        ("--fix", "tpp=8", "did you mean tp"),
        ("--fix", "tp=8,tp=4", "given twice"),
        ("--fix", "tp=7", "does not divide the 32 attention heads"),
        ("--fix", "ep=2", "no experts"),
        ("--fix", "pp=33", "does not divide 16 chips"),
        ("--fix", "dp=3", "does not divide"),
        ("--fix", "recompute=half", "none, selective, full"),
        ("--fix", "recompute_layers=nan", "fraction from 0 to 1"),
        ("--fix", "overlap_dp=maybe", "on or off"),
        ("--top", "0", "at least 1"),
        ("--top", "1e9", "at most 1,000"),
        ("--objective", "beauty", "'beauty' is not"),
        ("--vary", "tp", "not one of"),
        ("--explain", "tp=3", "does not divide 16 chips"),
        ("--explain", "tp=8,ep=2", "no experts"),
        ("--calibration", "nope", "unknown calibration"),
        ("--out", "", "empty"),
        ("--out", "/dev/null", "device"),
        ("--out", "no-such-folder/plan.json", "no folder"),
    ],
)
def test_a_wrong_value_of_an_option_of_plan(option: str, value: str, expected: str) -> None:
    assert expected in refusal("plan", *JOB, option, value)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("--tp 3", "does not divide 16 chips"),
        ("--tp 32", "more than the 16 chips"),
        ("--tp -1", "at least 1"),
        ("--tp x", "whole number"),
        ("--tp 8 --dp 4", "= 32 chips, but the pool has 16"),
        ("--ep 8", "no experts"),
        ("--zero 9", "0, 1, 2 or 3"),
        ("--zero-group 5", "does not divide"),
        ("--schedule zigzag", "one of 1f1b"),
        ("--vpp 2", "interleaved needs"),
        ("--micro-batch-size 7", "does not divide"),
        ("--recompute-layers 1.5", "fraction from 0 to 1"),
        ("--offload-optimizer 2", "fraction from 0 to 1"),
        ("--offload-weights", "only sharded weights"),
    ],
)
def test_a_wrong_strategy_for_predict(options: str, expected: str) -> None:
    assert expected in refusal("predict", *JOB, *options.split())


# --- files ------------------------------------------------------------------------------------------------------
def without(key: str) -> dict[str, Any]:
    return {k: v for k, v in CONFIG.items() if k != key}


MODELS: dict[str, tuple[bytes | str | dict[str, Any], str]] = {
    "empty": ("", "is it complete"),
    "truncated": (json.dumps(CONFIG)[:200], "is it complete"),
    "binary": (bytes(range(256)) * 20, "not UTF-8 text"),
    "list": ("[1, 2]", "got a list"),
    "deep": ("[" * 100_000, "nested too deeply"),
    "long-number": ('{"hidden_size": ' + "9" * 6000 + "}", "not valid JSON"),
    "negative": ({**CONFIG, "hidden_size": -4096}, "got -4096"),
    "absurd": ({**CONFIG, "num_hidden_layers": 10**12}, "to 10,000"),
    "text": ({**CONFIG, "hidden_size": "big"}, "got 'big'"),
    "nan": (json.dumps(CONFIG).replace("4096", "NaN", 1), "got nan"),
    "misspelt": ({**without("hidden_size"), "hiden_size": 4096}, "did you mean 'hidden_size'"),
    "missing": (without("num_hidden_layers"), "'num_hidden_layers' is missing"),
    "mamba": ({**CONFIG, "model_type": "no-such-kind", "architectures": ["NoSuchForCausalLM"]}, "not understood"),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_config_that_cannot_be_used(name: str, tmp_path: Path) -> None:
    content, expected = MODELS[name]
    path = tmp_path / "config.json"
    text = json.dumps(content) if isinstance(content, dict) else content
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert expected in refusal("plan", str(path), "hgx-h100")


POOLS: dict[str, tuple[bytes | str, str]] = {
    "empty": ("", "node: missing"),
    "truncated": (POOL[:300], "is it cut off"),
    "binary": (bytes(range(256)), "not UTF-8"),
    "misspelt": (POOL.replace("node =", "nod ="), "is 'nod' a slip for it"),
    "negative": (POOL.replace('value = "', 'value = "-', 1), "above zero"),
    "wrong-unit": (POOL.replace("450 GB/s", "450 GB"), "has the unit 'GB'"),
    "no-unit": (POOL.replace("450 GB/s", "450"), "has no unit"),
    "nan": (POOL.replace("node = 8", "node = nan"), "got nan"),
    "unknown-key": (POOL.replace("node =", "colour = 3\nnode ="), "unknown key"),
}


@pytest.mark.parametrize("name", POOLS)
def test_a_pool_file_that_cannot_be_used(name: str, tmp_path: Path) -> None:
    content, expected = POOLS[name]
    path = tmp_path / "pool.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert expected in refusal("plan", "llama-3.1-8b", str(path))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"format": "tianji-plan", "version": 1, "job": {', "is it complete"),
        ('{"format": "tianji-plan", "version": 9}', "version 9"),
        (json.dumps(CONFIG), "not a plan"),
        ("", "is it complete"),
    ],
)
def test_a_plan_file_that_cannot_be_used(content: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(content)
    assert expected in refusal("predict", str(path))


def test_folders_where_files_are_expected(tmp_path: Path) -> None:
    assert "no such file" in refusal("plan", str(tmp_path), "hgx-h100")
    assert "a folder" in refusal("plan", "llama-3.1-8b", f"{tmp_path}/")
    assert "a folder" in refusal("predict", str(tmp_path))
    assert "folder" in refusal("plan", *JOB, "--out", str(tmp_path))


def test_names_may_be_of_any_language(tmp_path: Path) -> None:
    model, pool, out = tmp_path / "模型é.json", tmp_path / "池.toml", tmp_path / "计划.json"
    model.write_text(json.dumps(CONFIG))
    pool.write_text(POOL.replace('name = "hgx-h100"', 'name = "池"'))
    done = run("plan", str(model), str(pool), *JOB[2:], "--out", str(out), "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["pool"]["name"] == "池"
    assert run("predict", str(out)).exit_code == 0


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_must_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert "no permission" in refusal("plan", *JOB, "--out", str(tmp_path / "plan.json"))


# --- nothing to be found ----------------------------------------------------------------------------------------
def test_no_feasible_plan_names_the_closest_miss_and_by_how_much() -> None:
    message = refusal("plan", "llama-3.1-405b", "hgx-h100", "--chips", "8")
    assert "the closest (" in message
    assert "more than the usable" in message


def test_a_figure_that_nobody_published_is_named() -> None:
    message = refusal("plan", "llama-3.1-8b", "atlas-960-superpod", "--chips", "64")
    assert "no published dense bf16 peak" in message
    assert "tianji browse chips" in message


def test_more_chips_than_the_architecture_joins() -> None:
    assert "at most 8,192" in refusal("plan", "llama-3.1-8b", "atlas-950-superpod", "--chips", "10000")
