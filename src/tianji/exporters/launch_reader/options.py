"""The options of a Megatron or MindSpeed launch command: taken from a script, looked up by name, and which were not needed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from tianji.errors import FormatError
from tianji.units import MB
from tianji.workload import Model

LARGEST_FILE = 1 * MB
REQUIRED = ("--num-layers", "--hidden-size", "--num-attention-heads", "--seq-length", "--micro-batch-size")
_HARMLESS = re.compile(
    r"--((min-|decoupled-)*lr|lr-.*|adam-.*|weight-decay|clip-grad|seed|optimizer|init-method-std|initial-loss-scale"
    r"|(attention|hidden)-dropout|norm-epsilon|rotary-(base|percent)|split|data-path|data-cache-path|mock-data|num-workers"
    r"|tokenizer-.*|vocab-file|merge-file|make-vocab-size-divisible-by|vocab-size|save|load|save-interval|ckpt-format"
    r"|no-(load|save)-(optim|rng)|eval-(iters|interval)|log-.*|tensorboard-.*|distributed-(timeout-minutes|backend)"
    r"|moe-grouped-gemm|moe-router-score-function|moe-router-load-balancing-type|moe-aux-loss-coeff"
    r"|node-rank|master-(addr|port)|use-mcore-models|transformer-impl|position-embedding-type|handler-name)"
)
"""Options that say nothing about time or memory."""
ENVIRONMENT = re.compile(r"\$\{([^}]*)\}")


@dataclass(slots=True)
class Options:
    """Options by name with their values; ``used`` collects the names that somebody looked up."""

    where: str
    values: dict[str, list[str]]
    contested: frozenset[str] = frozenset()
    used: set[str] = field(default_factory=set)
    stack: str = "megatron"
    """Which stack's launch it is."""
    model: Model | None = None
    """The model that is named, where its sizes are not options."""
    accumulation: int = 1
    """Micro-batches of a step on each replica, where the stack counts these and no batch."""
    remarks: list[str] = field(default_factory=list)
    """What the reader took where the stack leaves it open."""

    def has(self, *names: str) -> bool:
        """Return whether one of some switches is given."""
        self.used.update(names)
        return any(name in self.values for name in names)

    def text(self, name: str, default: str | None = None) -> str | None:
        """Return the value of an option, or the default."""
        self.used.add(name)
        if name not in self.values:
            return default
        if not self.values[name]:
            raise FormatError(f"{self.where}: {name} has no value; expected {name} VALUE")
        return self.values[name][0]

    def texts(self, name: str) -> list[str]:
        """Return all values of an option."""
        self.used.add(name)
        return self.values.get(name, [])

    def count(self, name: str, default: int | None = None, least: int = 1) -> int:
        """Return a whole number.

        Raises FormatError when the option is missing without a default, is no whole number, or hangs on the environment.
        """
        text = self.text(name)
        if text is None:
            if default is None:
                raise FormatError(
                    f"{self.where}: the option {name} is missing{self._slip(name)}; add {name} N to the script"
                )
            return default
        unset = ENVIRONMENT.search(text)
        if unset:
            is_argument = unset[1].isdigit()
            how = "give the script's arguments behind --" if is_argument else f"give it with --set {unset[1]}=..."
            source = "its arguments" if is_argument else "its environment or a command"
            raise FormatError(
                f"{self.where}: {name} is {text}, which the script takes from {source}; {how}, or write the number into it"
            )
        number = text.replace("_", "").replace(",", "").removesuffix(".0")
        if not re.fullmatch(r"\d{1,15}", number) or int(number) < least:
            raise FormatError(f"{self.where}: {name}: expected a whole number of at least {least}, got {text!r}")
        return int(number)

    def _slip(self, name: str) -> str:
        near = get_close_matches(name, self.values, n=1, cutoff=0.8)
        return f" (is {near[0]} a slip for it?)" if near else ""

    @property
    def ignored(self) -> tuple[str, ...]:
        """Options that nobody looked up and that are not known to leave time and memory as they are, in order."""
        return tuple(n for n in self.values if n not in self.used and not _HARMLESS.fullmatch(n))


def group_options(words: Sequence[str]) -> dict[str, list[str]]:
    """Return options with the words after each; of one given twice the last counts, as in argparse."""
    values: dict[str, list[str]] = {}
    name = ""
    for word in words:
        if re.match(r"--[A-Za-z]", word):
            name, equals, value = word.partition("=")
            # torchrun spells its options with dashes or underscores.
            name = "--" + name[2:].replace("_", "-")
            values.pop(name, None)
            values[name] = [value] if equals else []
        elif name:
            values[name].append(word)
    return values


def settle_switches(values: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return options of stacks that write ``--name true`` and ``--name false`` for switches, as switches."""
    settled: dict[str, list[str]] = {}
    for name, words in values.items():
        word = words[0].lower() if len(words) == 1 else ""
        if word in ("false", "null", "none", "~") and name not in WORDS_OF_NONE:
            continue
        settled[name] = [] if word == "true" else words
    return settled


WORDS_OF_NONE = frozenset(
    {"--recompute-granularity", "--moe-router-dtype", "--moe-router-load-balancing-type", "--cuda-graph-impl"}
)
"""Options of which ``none`` is a word."""
