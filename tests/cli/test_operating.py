"""``tianji operate`` at the door: the simulation, and what is refused."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tianji.cli import main
from tianji.operation.simulation import play


def test_a_seed_is_played_and_printed() -> None:
    printed = CliRunner().invoke(main, ["operate", "--simulate", "--seed", "3"])
    assert printed.exit_code == 0
    assert printed.stdout == play(3).log.text()
    document = json.loads(CliRunner().invoke(main, ["operate", "--simulate", "--seed", "3", "--json"]).stdout)
    assert (document["seed"], document["state"]) == (3, "done")
    assert document["events"] == list(play(3).log.events)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--resume", "nowhere"], "nowhere: not the folder of an operation"),
        (["--resume", "nowhere", "plan.json"], "leave out what else is named"),
        ([], "Missing argument"),
        (["llama-3.1-8b", "hgx-h100", "--hang-time", "10"], "hang-time"),
        (["llama-3.1-8b", "hgx-h100", "--save-time=-1s"], "--save-time: expected a time above zero"),
        (["llama-3.1-8b", "hgx-h100", "--mtbf", "0 s"], "--mtbf: expected a time above zero"),
        (["llama-3.1-8b", "hgx-h100", "--spares", "-1"], "spares: expected at least 0"),
        (["llama-3.1-70b", "hgx-h100", "--chips", "64"], "this machine has"),
    ],
)
def test_bad_input_is_refused_with_a_message(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["operate", *arguments])
    assert done.exit_code == 2
    assert said in done.stderr
    assert not (tmp_path / "operation").exists()


def test_run_before_the_arguments_is_the_command_itself() -> None:
    own, word = (CliRunner().invoke(main, ["operate", *words, "--help"]).stdout for words in ((), ("run",)))
    assert word.replace("operate run [", "operate [", 1) == own
    played = [
        CliRunner().invoke(main, ["operate", *words, "--simulate", "--seed", "3"]).stdout for words in ((), ("run",))
    ]
    assert played[0] == played[1]
