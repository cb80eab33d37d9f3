"""The software on the command line: said, shown, listed, and refused with one message."""

import json

import pytest
from click.testing import CliRunner, Result

from tianji.cli import main

JOB = "llama-3.1-8b hgx-h100 --chips 8 --batch 64 --seq 4096 --tp 8"


def run(line: str) -> Result:
    return CliRunner().invoke(main, line.split(), env={"COLUMNS": "150"})


def test_what_is_said_stands_on_the_screen_and_in_the_json() -> None:
    options = f"predict {JOB} --software nemo@25.04 --with partial-graph,loss=fused --without tp-overlap"
    shown, document = run(options), json.loads(run(f"{options} --json").stdout)
    assert shown.exit_code == 0
    line = "Stack nemo@25.04: launch partial_graph, tp_overlap none, loss fused Trust"
    assert line in " ".join(shown.stdout.split())
    assert document["software"]["switches"]["launch"] == "partial_graph"
    assert "assumed, the newest known" in run(f"predict {JOB}").stdout


def test_both_pools_of_a_replacement_name_theirs() -> None:
    line = "replace llama-3.1-8b --from 8xhgx-h100 --with atlas-900-a2 --batch 64 --seq 4096 --points 2 --switch mc2 --json"
    document = json.loads(run(line).stdout)
    assert document["first"]["software"]["chosen"] == []
    assert document["other"]["software"]["chosen"] == ["tp_overlap"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--with fulgraph", "did you mean full_graph"),
        ("--software h200=nemo", "no chip or ecosystem"),
        ("--software mindspeed", "mindspeed is known on cann"),
        ("--with full-graph --without launch", "not both"),
    ],
)
def test_bad_input_is_one_message(options: str, message: str) -> None:
    done = run(f"predict {JOB} {options}")
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr


def test_software_is_listed_with_its_switches() -> None:
    assert "megatron-bridge" in run("catalog software").stdout
    one = json.loads(run("browse software megatron-bridge --json").stdout)["entry"]
    assert one["history"][0]["switches"]["launch"] == "eager"
    assert all(since["source"] for since in one["history"])
