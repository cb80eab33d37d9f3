"""Shell scripts as words: what bash would pass on, without running anything."""

import pytest

from tianji.errors import FormatError
from tianji.exporters.launch_reader.shell_arithmetic import calculate
from tianji.exporters.launch_reader.shell_reader import read_script
from tianji.exporters.launch_reader.shell_values import decide


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
        ("A=' 1 '\nrun a$A b${A}c", ["run", "a", "1", "b", "1", "c"]),
        ("run --a 1 2>&1 > log.txt", ["run", "--a", "1"]),
        ("cat <<EOF\nrun --no\nEOF\nrun --yes", ["run", "--yes"]),
        ("if [ -n \"$A\" ]; then\n  run --a\nfi", ["run", "--a"]),
        ("N=1\nif [ $N -gt 1 ]; then A=--a; elif [[ $N == 1 ]]; then A=--b; else A=--c; fi\nrun $A", ["run", "--b"]),
        ("N=2\nif [ $N = 1 ]; then A=--a; else A=--c; fi\nrun $A", ["run", "--c"]),
        ("A=()\nF=0\n[[ $F == 1 ]] && A+=(--f)\nrun ${A[@]} --x", ["run", "--x"]),
        ("F=0\n[ $F = 1 ] && A=--a || A=--b\nrun $A", ["run", "--b"]),
        ("if ! [ -z x ]; then A=--a; else A=--b; fi\nrun $A", ["run", "--a"]),
        ("A=--a\nif false; then if [ -n x ]; then A=--b; fi; A=--c; fi\nrun $A", ["run", "--a"]),
        ("C=\"cd x; run --a '1 2'\"\nsrun bash -x -c \"$C\"", ["run", "--a", "1 2"]),
        ("C='run --a 1'\neval \"$C\"", ["run", "--a", "1"]),
    ],
)  # fmt: skip
def test_the_words_are_those_that_bash_passes_on(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_a_script_that_is_fed_to_sbatch_is_read() -> None:
    commands = read_script("A=--a\nsbatch <<EOF\n#SBATCH -N 2\nrun $A \\$B\nEOF\n", "s").commands
    assert ["run", "--a", "$B"] in commands


def test_what_a_branch_sets_is_contested() -> None:
    assert read_script("if [ $X = 1 ]; then A=1; else A=2; fi; B=3", "s").contested == {"A"}
    assert read_script("[ $X = 1 ] && A=1; B=3", "s").contested == {"A"}
    assert not read_script("if true; then A=1; else A=2; fi; B=3", "s").contested


def test_after_a_branch_that_may_have_run_no_other_surely_does() -> None:
    script = read_script("if [ $X = 1 ]; then A=1; elif true; then A=2; else A=3; fi", "s")
    assert (script.variables["A"], script.contested) == ("3", {"A"})


@pytest.mark.parametrize(
    ("test", "holds"),
    [
        ("[ 3 -le 3 ]", True), ("[[ a != b ]]", True), ("[ -n x ]", True), ("[ ! -n x ]", False), ("test a = b", False),
        ("[ -f x ]", None), ("[[ a == a* ]]", None), ("[ ${A} = 1 ]", None), ("[ a -gt 1 ]", None), ("[ a = a", None),
        ("[[ a < b ]]", None), ("grep x", None), ("[ ]", None),
    ],
)  # fmt: skip
def test_a_test_is_decided_where_the_text_alone_decides(test: str, holds: bool | None) -> None:
    assert decide(test.split()) is holds


def test_a_script_that_calls_itself_is_followed_a_few_times_only() -> None:
    assert len(read_script('C=\'bash -c "$C"\'\nbash -c "$C"', "s").commands) < 10


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
