"""The file of a model: a JSON object of moderate size, read with messages that say what is wrong and where."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tianji.input_files import parse_object, read_text

EXPECTED = "the config.json of a model, or its folder"


def load_json(file: Path) -> tuple[Path, Mapping[str, object]]:
    """Return the file that a path stands for, and its JSON object; a folder stands for its ``config.json``.

    Raises FormatError for what cannot be read.
    """
    file = file / "config.json" if os.path.isdir(file) else file
    return file, parse_config(read_text(file, EXPECTED), str(file))


def parse_config(text: str, where: str = "config.json") -> Mapping[str, object]:
    """Return the JSON object in a text.

    Raises FormatError with line and column for broken or truncated JSON, and for JSON that is not an object.
    """
    # Files of the field hold Infinity, say as the limit of a time step.
    return parse_object(text, where, EXPECTED, constants=True)
