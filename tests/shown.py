"""What pages show below commands and cells: the script that fills it in, and texts without what differs from run to run."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]
DURATION = re.compile(r"all priced in [^;]*;\s+\S+")


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("refresh_docs", ROOT / "scripts" / "refresh_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def timeless(text: str) -> str:
    """Return a text without how long the search took on this machine."""
    return DURATION.sub("all priced;", " ".join(text.split()))
