"""Configurations that remember which of their keys were asked for, so that none is dropped in silence.

A key that nobody asked for is in one of three tables: it changes time or memory (``left_out_keys.toml``, under what is left out
and in which direction that errs), it changes neither (:data:`HARMLESS`), or nothing is known of it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias

from tianji.parallel.strategy import Strategy
from tianji.workload import Job

Settled: TypeAlias = tuple[Job, Strategy, list[str], list[str], list[str]]
"""A job and a strategy, what was assumed, what is left out, and the keys of which nothing is known."""

HARMLESS = re.compile(
    r"(.*[_.])?(lr|seed|paths?|dirs?|names?|datasets?|template|tokenizer|steps|epochs?|interval|logging|log|logger|save|eval|betas?|eps"
    r"|epsilon|decay|dropout|warmup|scheduler|labels?|columns?|prompts?|system|hub|wandb|swanlab|tensorboard|comment|port|hosts?|ip|url"
    r"|token|project|entity|cache|workers|dump|folder|description|author|tags?|shuffle|rewards?|vllm|clip|temperature|top_[pk]|alpha"
    r"|beta|sampling|threshold|callbacks?|metric|processor|plugins?|pixels|finetune|loss_scale|timeout|checkpoint_id)([_.].*)?"
    r"|(learning|preprocessing|trust|report|max_samples|max_grad|max_steps|plot|overwrite|load_from|split|init_weights|pissa|kl_in).*"
    r"|(freeze_(vi|al|mu)|add_|chord_|tau_|lora_ga|use_(ray|hf|gym)|merge_|sleep_|advantage|lmbda|gkd|bnb_|sample_backend).*"
    r"|.*_(strategy|type|func|target|proc|ratio|best_model|args|kwargs|last|weight|tokens|samples|rate|scale|coef|filter|verbose)",
    re.IGNORECASE,
)
"""Keys that say nothing about time or memory: data, learning rates, names, places, rewards, what is logged and saved."""
OFF = frozenset({"", "0", "0.0", "false", "no", "off", "none", "null", "auto", "no_wrap", "disabled", "[]", "{}"})
"""Values with which a key says that something is not there."""


class ReadKeys(dict[str, Any]):
    """A mapping that remembers which keys were asked for; sections in it do so too."""

    def __init__(self, body: Mapping[Any, Any]) -> None:
        """Take over a mapping as it is, its sections as such mappings."""
        super().__init__({str(k): ReadKeys(v) if isinstance(v, Mapping) else v for k, v in body.items()})
        self.asked: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        """Return the value of a key, and note that it was asked for."""
        self.asked.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key or the default, and note that it was asked for."""
        self.asked.add(key)
        return super().get(key, default)

    def __contains__(self, key: object) -> bool:
        """Return whether a key is there, and note that it was asked for."""
        self.asked.add(str(key))
        return super().__contains__(key)

    def skip(self, *names: str) -> None:
        """Note that keys, and sections with all that is in them, were asked for."""
        for name in names:
            self.asked.add(name)
            if isinstance(part := super().get(name), ReadKeys):
                part.skip(*part)

    def unread(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """Yield the keys that nobody asked for with their values, sections before them; deep sections as a whole."""
        for key, value in self.items():
            if isinstance(value, ReadKeys) and prefix.count(".") < 3:
                yield from value.unread(f"{prefix}{key}.")
            elif key not in self.asked:
                yield f"{prefix}{key}", value


@cache
def load_key_effects() -> dict[str, str]:
    """Return the sentence of each key that is not priced, by its name or by its section and name."""
    text = (files("tianji.exporters.launch_reader") / "data" / "left_out_keys.toml").read_text(encoding="utf-8")
    return {name: sentence for sentence, names in tomllib.loads(text).items() for name in names}


def describe_unread(unread: Iterable[tuple[str, Any]]) -> tuple[list[str], list[str]]:
    """Return what unread keys leave out, with the direction in which that errs, and the keys of which nothing is known.

    >>> describe_unread([("torch_compile", True), ("galore_rank", 8), ("use_badam", False), ("logging_steps", 5), ("zap", 1)])
    (['torch_compile: time is stated too high', 'galore_rank: memory is stated too high'], ['zap'])
    """
    effects = load_key_effects()
    by_sentence: dict[str, list[str]] = {}
    unknown: list[str] = []
    for path, value in unread:
        if str(value).strip().lower() in OFF:
            continue
        name = path.rpartition(".")[2]
        sentence = effects.get(path) or effects.get(".".join(path.split(".")[-2:])) or effects.get(name)
        if sentence:
            by_sentence.setdefault(sentence, []).append(path)
        elif not HARMLESS.fullmatch(name):
            unknown.append(path)
    return [f"{', '.join(names)}: {sentence}" for sentence, names in by_sentence.items()], unknown
