"""The file of a model: a JSON object of moderate size, read with messages that say what is wrong and where."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tianji.errors import FormatError
from tianji.units import MB, show

LARGEST_FILE = 5 * MB


def load_json(file: Path) -> tuple[Path, Mapping[str, object]]:
    """Return the file that a path stands for, and its JSON object; a folder stands for its ``config.json``.

    Raises FormatError for what cannot be read.
    """
    try:
        if file.is_dir():
            file = file / "config.json"
        size = file.stat().st_size
        if not file.is_file():
            raise FormatError(f"{file}: not a file; expected the config.json of a model")
        if size > LARGEST_FILE:
            raise FormatError(
                f"{file}: {show(size, 'bytes')} is too big for the config.json of a model; at most "
                f"{show(LARGEST_FILE, 'bytes')} are read"
            )
        text = file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise FormatError(f"{file}: no such file; expected the config.json of a model, or its folder") from None
    except OSError as error:
        raise FormatError(f"{file}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # a path with a null byte, or bytes that are not UTF-8
        raise FormatError(f"{file}: not a text file in UTF-8: {error}") from None
    return file, parse_config(text, str(file))


def parse_config(text: str, where: str = "config.json") -> Mapping[str, object]:
    """Return the JSON object in a text.

    Raises FormatError with line and column for broken or truncated JSON, and for JSON that is not an object.
    """
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        torn = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated")
        end = "; the file ends before its object does: is it complete?" if torn else ""
        place = f"line {error.lineno}, column {error.colno}"
        raise FormatError(f"{where}: not valid JSON at {place}: {error.msg}{end}") from None
    except RecursionError:
        raise FormatError(f"{where}: JSON nested too deeply; expected the config.json of a model") from None
    except ValueError as error:  # a number of thousands of digits
        raise FormatError(f"{where}: not valid JSON: {error}") from None
    if not isinstance(data, dict):
        raise FormatError(f"{where}: expected a JSON object with keys like hidden_size, got a {type(data).__name__}")
    return data
