"""Shell scripts as words: what bash would pass on, without running anything."""

import pytest

from tianji.errors import FormatError
from tianji.export.shell_words import calculate, read_script


def words(text: str) -> list[str]:
    commands = read_script(text, "script.sh").commands
    return commands[-1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("run --a 1  --b", ["run", "--a", "1", "--b"]),
        ("A=3\nrun --a $A --b ${A} # --c", ["run", "--a", "3", "--b", "3"]),
        ("run --a 1 \\\n    --b 2", ["run", "--a", "1", "--b", "2"]),
        ("ARGS=(\n  --a 1 # why\n  --b 'x y'\n)\nrun \"${ARGS[@]}\"", ["run", "--a", "1", "--b", "x y"]),
        ("ARGS=(--a 1)\nARGS+=(--b)\nrun ${ARGS[@]}", ["run", "--a", "1", "--b"]),
        ('ARGS="\n  --a 1 \\\n  --b 2 \\\n"\nrun $ARGS', ["run", "--a", "1", "--b", "2"]),
        ('ARGS="--a 1"\nARGS+=" --b"\nrun $ARGS', ["run", "--a", "1", "--b"]),
        ("N=8\nM=$(($N*4))\nrun $M $((N + 1))", ["run", "32", "9"]),
        ("run ${A:-7} ${B:-${C:-2}}", ["run", "7", "2"]),
        ("run $A $(hostname)", ["run", "${A}", "${COMMAND}"]),
        ("run '$A' \"a'b\" a\\ b", ["run", "$A", "a'b", "a b"]),
        ("export A=1 B=2; run $A$B", ["run", "12"]),
        ("EMPTY=()\nrun \"${EMPTY[@]}\" --x", ["run", "--x"]),
        ("run --a '' --b", ["run", "--a", "", "--b"]),
        ("run --a 1 2>&1 > log.txt", ["run", "--a", "1"]),
        ("cat <<EOF\nrun --no\nEOF\nrun --yes", ["run", "--yes"]),
        ("if [ -n \"$A\" ]; then\n  run --a\nfi", ["run", "--a"]),
    ],
)  # fmt: skip
def test_the_words_are_those_that_bash_passes_on(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_what_a_branch_sets_is_contested() -> None:
    assert read_script("if true; then A=1; else A=2; fi; B=3", "s").contested == {"A"}


@pytest.mark.parametrize("text", ['run "abc', "run 'abc", "A=(1 2", "run ${A", "run $((1+"])
def test_an_unclosed_quote_or_bracket_is_told(text: str) -> None:
    with pytest.raises(FormatError, match="never closed"):
        read_script(text, "script.sh")


def test_variables_that_double_themselves_are_stopped() -> None:
    with pytest.raises(FormatError, match="grow"):
        read_script("A=" + "x" * 100 + "\n" + "A=$A$A\n" * 60, "script.sh")


@pytest.mark.parametrize(
    ("text", "number"),
    [("2*3", 6), ("7/2", 3), ("(1+2)*-4", -12), ("9**9**9", None), ("x", None), ("1/0", None), ("", None)],
)
def test_arithmetic_is_whole_and_bounded(text: str, number: int | None) -> None:
    assert calculate(text) == number
