"""The project names no path of one machine and no host of a package registry."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Put together from halves, so that this file is clean too.
FOLDERS = ["/ho" + "me/", "/ro" + "ot/", "/Us" + "ers/", "/t" + "mp/", "C:" + "\\"]
HOSTS = ["py" + "pi.org", "py" + "pi.python", "python" + "hosted", "registry.npm" + "js", "deb." + "debian"]
ADDRESS = re.compile(r"https?://[^\s\"'<>)\]]+")


def is_made(part: str) -> bool:
    return part.startswith(".") or part in {"__pycache__", "build", "dist"} or part.endswith(".egg-info")


def files() -> list[Path]:
    """Files that belong to the project: what git tracks or would, or without git all that no tool made."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    if (ROOT / ".git").exists() and shutil.which("git"):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        found = [ROOT / name for name in done.stdout.split("\0") if name]
    else:
        found = [p for p in ROOT.rglob("*") if not any(map(is_made, p.relative_to(ROOT).parts))]
    return [path for path in found if path.is_file()]


def leaks(text: str) -> list[str]:
    """Return the machine paths and registry hosts in a text; a path inside a web address is the site's, not ours."""
    lower = text.lower()
    plain = ADDRESS.sub("", text)
    return [host for host in HOSTS if host in lower] + [folder for folder in FOLDERS if folder in plain]


@pytest.mark.parametrize("text", [*FOLDERS, *HOSTS, "https://" + HOSTS[0] + "/simple"])
def test_the_search_catches(text: str) -> None:
    assert leaks(f"see {text}x")


def test_the_search_lets_web_addresses_pass() -> None:
    assert not leaks("source = 'https://example.com" + FOLDERS[0] + "page'")


def test_nothing_names_a_machine_or_a_registry() -> None:
    found = {}
    for path in files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if names := leaks(text):
            found[str(path.relative_to(ROOT))] = names
    assert not found


def test_tests_wait_for_conditions_and_bound_no_time() -> None:
    """A sleep is a step of a loop that asks a condition; what ends a wait is the one guard against hanging."""
    sleep, bound = re.compile(r"\bsleep\(([\d.]+)\)"), re.compile(r"(?<!_)timeout=\d|monotonic\(\) \+ \d{1,2}\b")
    for path in (ROOT / "tests").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        long = [seconds for seconds in sleep.findall(text) if float(seconds) > 0.2]
        assert not long and not bound.search(text), f"{path.relative_to(ROOT)}: wait by tests/processes.py"


def test_every_text_file_ends_with_one_newline_and_has_no_carriage_return() -> None:
    texts = [p for p in files() if p.suffix in {".py", ".toml", ".md", ".csv", ".txt"} and p.stat().st_size]
    odd = [str(p.relative_to(ROOT)) for p in texts if not (b := p.read_bytes()).endswith(b"\n") or b"\r" in b]
    assert not odd
