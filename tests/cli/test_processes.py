"""The command in real processes: start-up, interruption, closed pipes, a disk that is full, JSON alone on stdout."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from processes import GUARD
from samples import HEARING

TIANJI = (sys.executable, "-m", "tianji")
PLAN = ("plan", "llama-3.1-8b", "hgx-h100", "--chips", "16", "--batch", "64")
SWITCHES = ("overlap_dp", "overlap_tp", "overlap_pp", "overlap_ep")
LONG = (*("plan", "deepseek-v3", "atlas-950-supercluster"), *(word for s in SWITCHES for word in ("--vary", s)))

pytestmark = pytest.mark.slow


def test_json_stands_alone_on_stdout() -> None:
    done = subprocess.run([*TIANJI, *PLAN, "--json"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["plans"]
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("words", [("browse", "pools"), (*PLAN, "--json")])
def test_a_full_disk_behind_stdout_ends_with_one_line(words: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*TIANJI, *words], check=False, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr == "tianji: the output cannot be written (No space left on device); send it elsewhere\n"


ANNOUNCING = """
import sys
from pathlib import Path
from tianji.cli import main
from tianji.search import exhaustive

estimate = exhaustive.estimated_blocks

def announce(*words, **more):
    Path(sys.argv[1]).touch()
    return estimate(*words, **more)

exhaustive.estimated_blocks = announce
main(sys.argv[2:])
"""
"""The command line, which makes a file when its search begins."""


def test_an_interruption_ends_at_once_with_one_line(tmp_path: Path) -> None:
    out, begun = tmp_path / "plan.json", tmp_path / "begun"
    # A shell starts what runs in the background deaf to Ctrl-C, and its children inherit that.
    process = subprocess.Popen(
        [sys.executable, "-c", HEARING, sys.executable, "-c", ANNOUNCING, str(begun), *LONG, "--out", str(out)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not begun.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=GUARD)
    assert (process.returncode, stdout, stderr) == (130, "", "tianji: interrupted\n")
    assert list(tmp_path.iterdir()) == [begun]


@pytest.mark.parametrize("words", [PLAN, (*PLAN, "--json"), ("browse", "chips"), ("browse", "h200", "--toml")])
def test_a_closed_pipe_makes_no_noise(words: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*TIANJI, *words], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert done.stderr == ""


def test_a_write_that_fails_leaves_the_old_file_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "plan.json"
    out.write_text("old")
    command = ["bash", "-c", 'ulimit -f 1 && exec "$@"', "bash", *TIANJI, *PLAN, "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
    assert out.read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]


def test_a_terminal_without_unicode_gets_its_tables() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run([*TIANJI, *PLAN], env=environment, capture_output=True, text=True, check=True)
    assert "Best plans" in done.stdout


def test_the_same_question_has_the_same_answer_to_the_last_digit_in_every_process() -> None:
    command = (*TIANJI, "validate", "--split", "check", "--quality", "A", "--json")
    # Python orders its sets anew in each process; no sum may follow that order.
    answers = {
        subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in ("1", "2")
    }
    assert len(answers) == 1


def test_an_interruption_while_it_starts_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt\n")  # stands before the one that is installed
    paths = os.pathsep.join((str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])))
    done = subprocess.run(
        [*TIANJI, "--help"], capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": paths}
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "tianji: interrupted\n")
