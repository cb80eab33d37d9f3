"""The options of a Megatron or MindSpeed launch command: taken from a script, looked up by name, and which were not needed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches

from tianji.errors import FormatError
from tianji.exporters.launch_reader.shell_reader import read_script
from tianji.exporters.launch_reader.shell_words import Script
from tianji.input_files import read_text
from tianji.units import MB

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
            raise FormatError(
                f"{self.where}: {name} is {text}, which the script takes from its environment or a command;"
                f" write the number into the script ({unset[1]}=...)"
            )
        number = text.replace("_", "").replace(",", "")
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


def read_options(path: str) -> Options:
    """Return the options of the launch command in a script.

    Raises FormatError for a file that cannot be read, holds no launch command, or lacks an option that a plan needs.
    """
    script = read_script(_load(path), path)
    words = _find_launch(script)
    if words is None:
        raise FormatError(
            f"{path}: no launch command of Megatron or MindSpeed; expected one with options such as"
            f" {' '.join(REQUIRED[:3])}, as in `torchrun ... pretrain_gpt.py --num-layers 32 ...`"
        )
    options = Options(path, _group(words), frozenset(script.contested))
    options.values |= {f"variable {k}": [v] for k, v in script.variables.items() if k in _HOSTS}
    options.used.update(f"variable {k}" for k in _HOSTS)
    for name in REQUIRED:
        options.count(name)
    return options


_HOSTS = ("NNODES", "GPUS_PER_NODE", "NPUS_PER_NODE", "NUM_NODES", "WORLD_SIZE")


def _load(path: str) -> str:
    return read_text(path, "a launch script of Megatron or MindSpeed", LARGEST_FILE)


def _find_launch(script: Script) -> list[str] | None:
    """Return the command with the most options of a model; the last one where several are equal."""
    best: list[str] | None = None
    most = 0
    for words in script.commands:
        flags = {w.partition("=")[0] for w in words if w.startswith("--")}
        score = len(flags & _RECOGNISED)
        if score and score >= most:
            best, most = words, score
    return best


_RECOGNISED = frozenset(REQUIRED) | {
    "--tensor-model-parallel-size", "--pipeline-model-parallel-size", "--global-batch-size", "--ffn-hidden-size",
    "--train-iters", "--data-path", "--bf16", "--context-parallel-size",
}  # fmt: skip


def _group(words: list[str]) -> dict[str, list[str]]:
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
