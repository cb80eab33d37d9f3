"""The law of the shell reader: its words are those that bash itself passes on, for scripts that bash can run alone."""

import subprocess

from hypothesis import given, settings
from hypothesis import strategies as st

from tianji.exporters.launch_reader.shell_reader import read_script

NAMES = st.sampled_from(["A", "B", "ARGS"])
PLAIN = st.text(alphabet="ab-=/.:1", min_size=1, max_size=4).filter(lambda text: text[0] not in "=")
SPACED = st.text(alphabet="ab \t'#;|&()<>1", max_size=6)
PIECES = st.one_of(
    PLAIN,
    NAMES.map(lambda name: f'"${name}"'),
    NAMES.map(lambda name: f"${{{name}}}"),
    NAMES.map(lambda name: f'"${{{name}}}"'),
    st.tuples(NAMES, PLAIN).map(lambda pair: f"${{{pair[0]}:-{pair[1]}}}"),
    SPACED.map(lambda text: "'" + text.replace("'", "") + "'"),
    SPACED.map(lambda text: f'"{text}"'),
    st.tuples(st.integers(0, 9), st.sampled_from("+-*"), st.integers(0, 9)).map(lambda t: f"$(({t[0]} {t[1]} {t[2]}))"),
    st.sampled_from(["\\ ", "\\$", "\\\n"]),
)
WORDS = st.lists(PIECES, min_size=1, max_size=3).map("".join)
VALUES = st.lists(PIECES, max_size=2).map("".join)
SCALARS = st.tuples(st.sampled_from(["A", "B"]), st.sampled_from(["=", "+="]), VALUES).map("".join)
ARRAYS = st.tuples(st.sampled_from(["=", "+="]), st.lists(WORDS, max_size=3)).map(
    lambda pair: f"LIST{pair[0]}({' '.join(pair[1])})"
)
LOOPS = st.sampled_from([
    "for i in 1 2 3; do LIST+=(--i $i); done", "for ((i=0; i<3; i++)); do A+=$i; done",
    "N=0\nwhile [ $N -lt 3 ]; do N=$((N+1)); LIST+=($N); done",
    "case $A in a) B=--a ;; b*|c) B=--b ;; *) B=--c ;; esac",
    "f() { LIST+=(\"$1\" $2); }\nf 'x y' z", "set -- p q\nA=$2\nshift\nB=$1", "(( 2 > 1 )) && A=--y",
    "C=(1 0 1)\nprintf -v A '[%s]' \"$(IFS=', '; echo \"${C[*]}\")\"", "A=$(echo a b)", "A=$(seq 3)",
    "P=/x/y.sh\nA=${P##*/}\nB=${P%.sh}", "P=aXbX\nA=${P//X/-}\nB=${#P}", "LIST=(a b c)\nA=${LIST[1]}\nB=${#LIST[@]}",
    "A=$((5/2*2+7%4))", "A=$((1?8:9)) B=${A:0:1}", "CMD=\"LIST+=('q r')\"\neval $CMD",
    "N=4; [[ $N -gt 2 && $N != 5 ]] && A=--in",
    "declare -A M=([x]=1 ['y']='2 3')\nM[z]=${M[x]}4\nA=${M[y]} B=${M[w]:-0}${#M[@]}", "declare -A S\nS[h]=8\nA=$(( S[h] * 2 ))",
    "C=(3 4)\nA=$((C[1] + ${C[0]}))\nB=${C[5]:-none}${#C[0]}", "let 'N = 3 * 4' N+=1\nA=$N",
    "read -r A B <<< 'x y z'", "IFS=, read -ra LIST <<< '--p,--q'", "mapfile -t LIST <<< $'a b\\nc'",
    "A=${B// /$'\\n'}", "A=$'p\\tq'", "C=([0]=p [1]=q)\nA=${C[1]}",
    "read -r -d '' A <<-'EOT'\n\t--p 1\n\t--q $x\nEOT\nB=1", "N=7\nA=$(cat <<EOT\n--n $N \\$N\nEOT\n)",
    "set -- -t 4 -p2 -v rest\nwhile getopts 't:p:v' o; do case $o in t) A=$OPTARG ;; p) B=$OPTARG ;; v) B+=v ;; esac; done",
    "f() { A=${2:-none}; while [[ $# -gt 0 ]]; do case $1 in\n --tp=*) B=${1#*=}; shift ;; --pp) LIST+=(\"$2\"); shift 2 ;;"
    " *) shift ;; esac; done; }\nf --tp=4 --pp 2",
])  # fmt: skip
CONDITIONS = st.sampled_from(["[ 1 = 1 ]", "[ 2 -gt 3 ]", '[[ x == "y" ]]', "! [ -z x ]", "true", "false"])
STEPS = st.recursive(
    SCALARS | ARRAYS | LOOPS,
    lambda inner: (
        st.tuples(CONDITIONS, inner, inner).map(lambda t: f"if {t[0]}; then\n{t[1]}\nelse\n{t[2]}\nfi")
        | st.tuples(CONDITIONS, st.sampled_from(["&&", "||"]), SCALARS).map(" ".join)
    ),
    max_leaves=3,
)
CALLS = st.lists(WORDS | st.sampled_from(['"${LIST[@]}"', "${LIST[@]}", '--x "${LIST[@]}"']), max_size=4)
SCRIPTS = st.tuples(st.lists(STEPS, max_size=4), CALLS).map(
    lambda pair: "A=a\nB='b c'\nARGS=\nLIST=()\n" + "\n".join([*pair[0], "run begin " + " ".join(pair[1])])
)


def run_by_bash(script: str) -> list[str]:
    """Return the words that bash hands to ``run``; no name in a script is a file's or a program's."""
    text = "set -f\nrun() { printf '%s\\0' \"$@\"; }\n" + script
    done = subprocess.run(["bash", "--norc", "-c", text], capture_output=True, text=True, check=True)
    return done.stdout.split("\0")[:-1]


@settings(max_examples=100)
@given(script=SCRIPTS)
def test_the_words_of_any_script_are_those_of_bash(script: str) -> None:
    words = read_script(script, "script").commands[-1]
    assert words[:2] == ["run", "begin"]
    assert words[1:] == run_by_bash(script)
