"""What a launch says that changes time or memory and is not priced, and in which direction the answer errs by it."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

from tianji.exporters.launch_reader.options import Options
from tianji.exporters.launch_reader.read_keys import describe_unread


@cache
def load_effects() -> dict[str, str]:
    """Return the sentence of each option that is not priced, by its name."""
    text = (files("tianji.exporters.launch_reader") / "data" / "left_out.toml").read_text(encoding="utf-8")
    return {f"--{name}": sentence for sentence, names in tomllib.loads(text).items() for name in names}


def describe_left_out(options: Options) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what is left out with its direction, and the options of which nothing is known."""
    effects = load_effects()
    unread = [name for name in options.ignored if name.startswith("--")]
    by_sentence: dict[str, list[str]] = {}
    for name in unread:
        if name in effects:
            by_sentence.setdefault(effects[name], []).append(name)
    sentences = [f"{' '.join(names)}: {sentence}" for sentence, names in by_sentence.items()]
    others = {name[2:].replace("-", "_"): name for name in unread if name not in effects}
    keys, ignored = describe_unread((key, " ".join(options.values[name]) or "true") for key, name in others.items())
    return (*sentences, *keys), tuple(others[key] for key in ignored)
