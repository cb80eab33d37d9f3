"""What software does: a framework in a release, and named switches. One switch changes one term of a step.

A switch is a mechanism with physics of its own (how kernels are launched, what moves tokens to experts), not a release. What
each word does to which constant is in the catalog's table of mechanisms; which framework has which word from which release on,
in its files of software.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from tianji.errors import FormatError, find_near

SWITCHES: dict[str, tuple[str, ...]] = {
    "launch": ("eager", "compiled", "partial_graph", "full_graph", "blocking"),
    "dispatcher": (
        "all_gather", "all_to_all", "deep_ep", "hybrid_ep", "nvlink_one_sided", "hccl_fused", "host_routed",
    ),
    "ep_overlap": ("none", "one_f_one_b"),
    "permute": ("plain", "fused"),
    "experts": ("looped", "grouped"),
    "matmul_library": ("cublas", "deep_gemm", "vendor"),
    "attention_library": ("flash_attention_2", "flash_attention_3", "flash_attention_4", "cudnn", "vendor"),
    "attention_dtype": ("bf16", "fp16", "fp8", "mxfp8"),
    "head_dtype": ("bf16", "fp8", "fp32"),
    "quantise": ("per_call", "fused", "cached_weights"),
    "loss": ("plain", "fused", "chunked"),
    "norms": ("plain", "fused"),
    "tp_overlap": ("none", "userbuffers", "async_tp", "mc2", "coc"),
    "gradients": ("fused", "added", "flattened", "copied"),
    "update": ("fused", "plain"),
    "tp_gather": ("wide", "narrow"),
    "routing": ("forced", "natural", "dropped"),
    "scaling": ("tensor", "row", "block"),
    "model_code": ("mcore", "legacy"),
}  # fmt: skip
"""Every switch with its words. A switch that is empty has the word of its framework's release, else none."""
OFF = {
    "launch": "eager", "dispatcher": "all_to_all", "ep_overlap": "none", "permute": "plain", "experts": "looped",
    "attention_dtype": "bf16", "head_dtype": "bf16", "quantise": "per_call", "loss": "plain", "norms": "plain",
    "tp_overlap": "none", "routing": "forced",
}  # fmt: skip
"""What is left of a switch that is switched off. Others choose between libraries or codes, of which there is always one."""
BUILT_IN = ("gradients", "update", "tp_gather")
"""What a framework's own code does, of which nobody chooses."""
HOMES: dict[str, tuple[str, ...]] = {
    "deep_ep": ("cuda", "rocm"), "hybrid_ep": ("cuda",), "nvlink_one_sided": ("cuda",), "hccl_fused": ("cann",),
    "host_routed": ("cann",), "cublas": ("cuda",), "deep_gemm": ("cuda",), "flash_attention_2": ("cuda", "rocm"),
    "flash_attention_3": ("cuda",), "flash_attention_4": ("cuda",), "cudnn": ("cuda",), "userbuffers": ("cuda",),
    "async_tp": ("cuda",), "mc2": ("cann",), "coc": ("cann",),
}  # fmt: skip
"""Words that name a library or a link of some ecosystems, and these; every other word is for all."""
STATED = ("optimizer", "offload", "packed", "proxy", "regression")
"""What a run says beside its switches."""


@dataclass(frozen=True, slots=True)
class Software:
    """A framework in a release with its switches, each empty where nothing is known."""

    framework: str
    release: str = ""
    launch: str = ""
    dispatcher: str = ""
    dispatcher_sms: int = 0
    """Streaming multiprocessors (or AI cores) that the dispatcher takes; 0 where it is not known."""
    ep_overlap: str = ""
    permute: str = ""
    experts: str = ""
    matmul_library: str = ""
    attention_library: str = ""
    attention_dtype: str = ""
    head_dtype: str = ""
    quantise: str = ""
    loss: str = ""
    norms: str = ""
    tp_overlap: str = ""
    gradients: str = ""
    update: str = ""
    tp_gather: str = ""
    routing: str = ""
    scaling: str = ""
    model_code: str = ""
    optimizer: str = ""
    offload: tuple[str, ...] = ()
    packed: bool | None = None
    proxy: bool | None = None
    regression: bool | None = None
    chosen: tuple[str, ...] | None = None
    """The switches that a user said of a framework that is assumed; None: the framework itself was said."""

    @property
    def generation(self) -> str:
        """The framework with its release, where one is stated."""
        return f"{self.framework}-{self.release}" if self.release else self.framework

    @property
    def name(self) -> str:
        """The framework and its release as a user writes them.

        >>> Software("megatron-bridge", "26.08").name
        'megatron-bridge@26.08'
        """
        return f"{self.framework}@{self.release}" if self.release else self.framework

    @property
    def switches(self) -> dict[str, str]:
        """The switches that are known, by name."""
        return {name: word for name in SWITCHES if (word := getattr(self, name))}

    @property
    def modes(self) -> tuple[str, ...]:
        """The switches as words that a calibration may hold an effect for, and what a run says beside them."""
        stated = ("known-regression",) if self.regression else ()
        moved = tuple(f"offload={what}" for what in self.offload)
        return (*(f"{name}={word}" for name, word in self.switches.items()), *moved, *stated)

    def traits(self) -> tuple[str, ...]:
        """Return the names that a calibration knows this software by: framework, release and switches.

        >>> Software("megatron-bridge", "26.04", dispatcher="deep_ep").traits()
        ('megatron-bridge', 'megatron-bridge-26.04', 'dispatcher=deep_ep')
        """
        release = (self.generation,) if self.release else ()
        return (self.framework, *release, *self.modes)

    @classmethod
    def of(cls, traits: Sequence[str]) -> Software:
        """Return the software that traits name (:meth:`traits`), without what is no switch.

        >>> Software.of(("nemo", "nemo-25.04", "launch=eager")).name
        'nemo@25.04'
        """
        framework, *rest = traits or ("",)
        release = next((t.removeprefix(f"{framework}-") for t in rest if t.startswith(f"{framework}-")), "")
        pairs = [trait.partition("=") for trait in rest]
        return cls(framework, release)._set({name: word for name, _, word in pairs if word and name in SWITCHES})

    def fill(self, other: Software) -> Software:
        """Return this software with the words of another where it has none of its own."""
        return self._set({name: word for name, word in other.switches.items() if not getattr(self, name)})

    def switch(self, *words: str) -> Software:
        """Return this software with some switches set.

        A word is one of a switch, in any spelling that keeps its letters (``full-graph``, ``hybridep``), or ``switch=word``
        where several switches have it.

        >>> Software("megatron-bridge").switch("full-graph", "hybridep", "loss=fused").switches
        {'launch': 'full_graph', 'dispatcher': 'hybrid_ep', 'loss': 'fused'}

        Raises FormatError for a word that no switch has, or that several have.
        """
        return self._set(dict(find_switch(word) for word in words))

    def switch_off(self, text: str) -> Software:
        """Return this software without what a text names: a switch, or the word that it has.

        >>> Software("megatron-bridge", launch="full_graph").switch_off("full-graph").launch
        'eager'

        Raises FormatError for what this software does not have, or what no software is without.
        """
        names = [name for name in SWITCHES if _plain(name) == _plain(text)]
        name, word = (names[0], "") if names else find_switch(text)
        has, off = getattr(self, name), OFF.get(name)
        if off is None:
            raise FormatError(
                f"{name} cannot be switched off, one is always in use: say which ({', '.join(SWITCHES[name])})"
            )
        if has in ("", off) or word not in ("", has):
            raise FormatError(f"{self.name} has no {word or name} to switch off: its {name} is {has or 'not known'}")
        return self._set({name: off})

    def _set(self, switches: Mapping[str, Any]) -> Software:
        return replace(self, **switches)


def find_switch(text: str) -> tuple[str, str]:
    """Return the switch and its word that a text means, see :meth:`Software.switch`.

    Raises FormatError for a text that means none, or several.
    """
    left, equals, right = text.partition("=")
    named, wanted = (_plain(left), _plain(right)) if equals else ("", _plain(left))
    found = [
        (name, word)
        for name, words in SWITCHES.items()
        for word in words
        if _plain(word) == wanted and named in ("", _plain(name))
    ]
    if len(found) == 1:
        return found[0]
    if found:
        ways = " or ".join(f"{name}={word}" for name, word in found)
        raise FormatError(f"switch {text!r} may mean {ways}; say which")
    known = [name for name in SWITCHES if _plain(name) == named]
    words = SWITCHES[known[0]] if known else tuple(word for name in SWITCHES for word in SWITCHES[name])
    near = find_near(right or left, words) if wanted else []
    guess = f"did you mean {' or '.join(near)}?" if near else f"expected one of {', '.join(dict.fromkeys(words))}"
    raise FormatError(f"switch {text[:60]!r} is not known; {guess}")


def spell_switch(name: str, word: str) -> str:
    """Return what a user types for a ``word`` of the switch ``name``: the word, where no other switch has it.

    >>> spell_switch("launch", "full_graph"), spell_switch("loss", "fused")
    ('full-graph', 'loss=fused')
    """
    is_alone = sum(word in words for words in SWITCHES.values()) == 1
    return (word if is_alone else f"{name}={word}").replace("_", "-")


def is_word_of(word: str, ecosystem: str) -> bool:
    """Return whether an ``ecosystem`` has what a ``word`` of a switch names.

    >>> is_word_of("hybrid_ep", "cuda"), is_word_of("hybrid_ep", "cann"), is_word_of("full_graph", "cann")
    (True, False, True)
    """
    return ecosystem in HOMES.get(word, (ecosystem,))


@lru_cache(maxsize=1024)
def _plain(text: str) -> str:
    return re.sub("[^a-z0-9]", "", text.lower())


def split_name(text: str) -> tuple[str, str]:
    """Return the framework and the release that ``text`` names, as ``framework@release``.

    >>> split_name("megatron-bridge@26.08"), split_name("torchtitan")
    (('megatron-bridge', '26.08'), ('torchtitan', ''))
    """
    framework, _, release = text.strip().partition("@")
    return framework.strip().lower(), release.strip().lower()


def order_release(release: str) -> tuple[str, tuple[int, ...]]:
    """Return the track of a release and its numbers, by which releases of one track are in order.

    >>> order_release("mlperf-5.1"), order_release("26.04.01"), order_release("1.0.rc3")
    (('mlperf', (5, 1)), ('', (26, 4, 1)), ('', (1, 0, -1, 3)))
    """
    track = re.match("[a-z]*", release.lower())
    rest = release[len(track[0]) :] if track else release
    numbers: list[int] = []
    for part in re.findall("rc|[0-9]+", rest.lower()):
        numbers.append(-1 if part == "rc" else int(part))
    return track[0] if track else "", tuple(numbers)
