"""The README's first two blocks are one command each, and continuous integration runs the second."""

import os
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def blocks() -> list[list[str]]:
    found = re.findall(r"^```\w*\n(.*?)^```", (ROOT / "README.md").read_text(), flags=re.MULTILINE | re.DOTALL)
    return [block.splitlines() for block in found]


def test_the_first_two_blocks_are_one_line_each() -> None:
    assert [len(block) for block in blocks()[:2]] == [1, 1]


def test_the_two_commands_name_scripts_of_the_repository() -> None:
    for (line,) in blocks()[:2]:
        program, script = line.split()
        assert program == "bash"
        assert os.access(ROOT / script, os.X_OK)


def test_continuous_integration_runs_the_second_command() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert blocks()[1][0] in lines
    assert lines[-1] == blocks()[1][0], "something runs after the tests and could hide their outcome"


def test_what_the_first_command_plans_is_a_config_json_in_the_catalog() -> None:
    text = (ROOT / blocks()[0][0].split()[1]).read_text()
    config = re.search(r"^model=(\S+)$", text, flags=re.MULTILINE)
    assert config is not None
    assert config[1].endswith("config.json")
    assert (ROOT / config[1]).is_file()
