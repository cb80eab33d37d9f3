"""``[[ TEXT =~ PATTERN ]]`` and ``BASH_REMATCH``: as bash has them, and with an end for every pattern."""

from __future__ import annotations

import time

import pytest

from tianji.exporters.launch_reader.shell_matches import match, settle_match
from tianji.exporters.launch_reader.shell_reader import read_script


def commands(text: str, *arguments: str) -> list[list[str]]:
    return [words for words in read_script(text, "run.sh", arguments=arguments).commands if words[0] == "train"]


def test_what_brackets_take_is_kept() -> None:
    text = """
declare -A ARGS
keep() { ARGS[$1]=$2; }
for arg in "$@"; do
  if [[ $arg =~ ^--([a-z_]+)=(.*)$ ]]; then keep "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"; fi
done
RECOMPUTE=
if [[ "full:uniform:1" =~ ^(full|selective):([a-z]+):([[:digit:]]+)$ ]]; then
  RECOMPUTE="--recompute-granularity ${BASH_REMATCH[1]} --recompute-num-layers ${BASH_REMATCH[3]}"
fi
if [[ x =~ ^y ]]; then SIDE=left; else SIDE=right; fi
train --tp ${ARGS[tp]:-1} --cp ${ARGS[cp]:-2} $RECOMPUTE $SIDE
"""
    ((*words,),) = commands(text, "--tp=8", "bare")
    assert words == [
        "train",
        "--tp",
        "8",
        "--cp",
        "2",
        "--recompute-granularity",
        "full",
        "--recompute-num-layers",
        "1",
        "right",
    ]


def test_a_pattern_that_hangs_on_the_environment_decides_nothing() -> None:
    assert match("${SIZE}", "^8b") is None
    words = ["[[", "${SIZE}", "=~", "^8b", "]]"]
    assert settle_match(words) == (words, None)
    assert match("8b-tp4", "tp([0-9]+)$") == ["tp4", "4"]
    assert match("8b", "(") is None


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(a*)*b", "(a?){1,99}b", "a?" * 26 + "b", "(.*)(.*)(.*)x"])
def test_every_pattern_ends(pattern: str) -> None:
    start = time.process_time()
    assert match("a" * 5000, pattern) is None
    match("a" * 79 + "!", pattern)
    assert time.process_time() - start < 2.0
