"""Scripts: bash itself passes on each option as it was given, and stops with the message where something is missing."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tianji.exporters.formats.arguments import Argument, Artefact, OptionGroup
from tianji.exporters.formats.quoting import quote_shell
from tianji.exporters.formats.shell_scripts import needed, spread, write_script

TEXT = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=15) | st.sampled_from(
    ["it's", "$(id)", "`id`", "${a}", "a b", "*", "!x", "\\n", "#x", ";", ""]
)


def run(script: Artefact, **environment: str) -> subprocess.CompletedProcess[bytes]:
    call = ["bash", "-c", script.text, "script"]
    return subprocess.run(call, env={"PATH": "/usr/bin:/bin", **environment}, capture_output=True, check=False)


@settings(max_examples=60)
@given(values=st.lists(TEXT, max_size=4), comment=TEXT)
def test_bash_passes_on_every_option_as_it_was_given(values: list[str], comment: str) -> None:
    group = OptionGroup("ARGS", "all", tuple(Argument("--x", value, comment) for value in values))
    script = write_script("a.sh", comment, [comment], (), (), [group], ["printf '%s\\0'", spread(group)])
    done = run(script)
    assert done.returncode == 0, done.stderr
    expected = [word for value in values for word in ("--x", value)] or [""]
    assert done.stdout.decode().split("\0")[:-1] == expected


@given(text=TEXT)
@settings(max_examples=40)
def test_a_quoted_text_is_one_word(text: str) -> None:
    done = subprocess.run(["bash", "-c", f"printf '%s' {quote_shell(text)}"], capture_output=True, check=True)
    assert done.stdout.decode() == text


def test_a_missing_value_stops_the_script_with_what_it_is() -> None:
    needs = (needed("DATA", "where the data lies", "OTHER"),)
    script = write_script("a.sh", "title", [], needs, (Argument("N", 3, "why"),), [], ['echo "${DATA}" "$N"'])
    missing = run(script)
    assert missing.returncode != 0
    assert b"FILL IN: where the data lies" in missing.stderr
    assert run(script, OTHER="there").stdout == b"there 3\n"
    assert run(script, DATA="here", OTHER="there").stdout == b"here 3\n"
    assert script.is_executable


@pytest.mark.parametrize("value", ["${HOME_OF_NONE}", "x ${A}"])
def test_only_a_bare_reference_is_expanded(value: str, tmp_path: Path) -> None:
    group = OptionGroup("ARGS", "all", (Argument("--x", value),))
    done = run(write_script("a.sh", "t", [], (), (), [group], ["printf '%s '", spread(group)]), HOME_OF_NONE="set")
    assert done.stdout.decode().split(" ", 1)[1].strip() == ("set" if value == "${HOME_OF_NONE}" else value)
