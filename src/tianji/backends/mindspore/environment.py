"""The environment that MindSpore has to itself: found, and asked what is in it, before a run starts."""

from __future__ import annotations

import json
import os
import subprocess
from importlib.metadata import version
from pathlib import Path

from tianji.errors import RunError

VARIABLE = "TIANJI_MINDSPORE_PYTHON"
"""Names the Python of that environment."""
FOLDER = ".venv-mindspore"
RELEASE = "2.10"
"""The MindSpore that the backend was written and tested with."""

_QUESTION = """
import json
from importlib.metadata import PackageNotFoundError, version
versions = {}
for name in ("tianji", "mindspore"):
    try:
        versions[name] = version(name)
    except PackageNotFoundError:
        pass
print(json.dumps(versions))
"""


def find_python() -> Path:
    """Return the Python that has MindSpore and this very Tianji: that of the variable, or of a folder here or beside the source.

    Raises RunError, with the command that makes it, where there is none or it lacks something.
    """
    named = os.environ.get(VARIABLE)
    beside = Path(__file__).parents[4]
    places = [Path(named)] if named else [folder / FOLDER / "bin" / "python" for folder in (Path.cwd(), beside)]
    python = next((place for place in places if place.is_file()), None)
    if python is None:
        looked = " and ".join(map(str, dict.fromkeys(places)))
        raise RunError(f"MindSpore's environment is not there (looked for {looked}); {_cure()}")
    _check_contents(python)
    return python


def _check_contents(python: Path) -> None:
    done = subprocess.run([python, "-c", _QUESTION], capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise RunError(f"{python}: cannot be run ({reason[0]}); {_cure()}")
    has, ours = json.loads(done.stdout), version("tianji")
    if not has.get("mindspore", "").startswith(f"{RELEASE}."):
        raise RunError(f"{python}: expected MindSpore {RELEASE}, got {has.get('mindspore', 'none')}; {_cure()}")
    if has.get("tianji") != ours:
        raise RunError(f"{python}: expected Tianji {ours}, as here, got {has.get('tianji', 'none')}; {_cure()}")


def _cure() -> str:
    return (
        "make it with `bash scripts/setup mindspore`, or install '.[mindspore]' into an environment of its own"
        f" and name its Python in {VARIABLE}"
    )
