"""Compare msprobe's dumps of operators and modules, and name the first whose input agrees and whose output does not."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tianji.errors import FormatError
from tianji.input_files import read_bytes
from tianji.units import GIB

MAX_SIZE = int(GIB)
_STATISTICS = ("Max", "Min", "Mean", "Norm")
_CLOSE = {"float16": (1e-3, 1e-5), "bfloat16": (1.6e-2, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}
"""torch.testing.assert_close: relative and absolute tolerance by dtype."""
RED, YELLOW, YELLOW_INPUT, WARNING = 0.5, 0.1, 0.01, 0.5
"""msprobe: output that is red, output that is yellow while the input is below, difference of a statistic that warns."""
BENCH_FLOOR = 0.01
"""Least denominator of a relative difference of statistics, as msprobe takes it."""


@dataclass(frozen=True, slots=True)
class DumpTensor:
    """What a dump says of one tensor."""

    role: str
    dtype: str
    shape: tuple[int, ...]
    values: Mapping[str, float]
    crc: str


@dataclass(frozen=True, slots=True)
class DumpCall:
    """One call of an operator or module, in the order of execution."""

    name: str
    inputs: tuple[DumpTensor, ...]
    outputs: tuple[DumpTensor, ...]


@dataclass(frozen=True, slots=True)
class Dump:
    """A dump of one step of one rank."""

    path: str
    task: str
    level: str
    calls: Mapping[str, DumpCall]
    parents: Mapping[str, str]
    stacks: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CallVerdict:
    """How one call compares: ``flag`` is empty, ``yellow`` or ``red``."""

    name: str
    flag: str
    input_difference: float
    output_difference: float
    reason: str
    is_close: bool
    """Whether assert_close's tolerances hold for the output's statistics."""


@dataclass(frozen=True, slots=True)
class DumpComparison:
    """All calls compared, those of one side only, and the first divergence."""

    calls: tuple[CallVerdict, ...]
    missing: tuple[str, ...]
    first: CallVerdict | None
    parent: str
    stack: str
    rank: str

    def __repr__(self) -> str:
        return f"DumpComparison({len(self.calls):,} calls, {self.num_red:,} of them red)"

    @property
    def num_red(self) -> int:
        """Calls with a red flag."""
        return sum(call.flag == "red" for call in self.calls)


def is_dump(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is a dump or a folder of dumps."""
    place = Path(path)
    try:
        return place.name == "dump.json" or (place.is_dir() and any(_dump_files(place)))
    except (OSError, ValueError):
        return False


def _dump_files(place: Path) -> Iterator[Path]:
    for pattern in ("dump.json", "rank*/dump.json", "step*/rank*/dump.json", "*/step*/rank*/dump.json"):
        yield from sorted(place.glob(pattern))


def read_dump(path: str | os.PathLike[str]) -> Dump:
    """Return a dump: a ``dump.json``, or the first one below a folder (first step, first rank).

    Raises FormatError for what is no dump of msprobe.
    """
    place = Path(path)
    file = place if place.is_file() else next(_dump_files(place), None)
    if file is None:
        raise FormatError(f"{place}: has no dump.json; expected a dump of msprobe (step0/rank0/dump.json)")
    data = _load(file)
    calls = data.get("data")
    if not isinstance(calls, dict):
        raise FormatError(f"{file}: has no table 'data'; is it complete? msprobe writes it when the debugger stops")
    folder = file.parent
    parents, stacks = (_load_beside(folder / name) for name in ("construct.json", "stack.json"))
    return Dump(
        str(file),
        str(data.get("task", "statistics")),
        str(data.get("level", "")),
        {name: _read_call(name, entry) for name, entry in calls.items() if isinstance(entry, dict)},
        {key: value for key, value in parents.items() if isinstance(value, str)},
        {key: _first_frame(value) for key, value in stacks.items()},
    )


def _load(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(
            read_bytes(file, "a dump of msprobe, of few steps or modules", MAX_SIZE).decode("utf-8", "replace")
        )
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{file}: not valid JSON ({str(error)[:80]}); is it complete?") from None
    if not isinstance(data, dict):
        raise FormatError(f"{file}: expected a table; got a {type(data).__name__}")
    return data


def _load_beside(file: Path) -> dict[str, Any]:
    return _load(file) if file.is_file() else {}


def _first_frame(value: object) -> str:
    lines = value if isinstance(value, list) else [value]
    return next((" ".join(line.split()) for line in lines if isinstance(line, str) and line.strip()), "")


def _read_call(name: str, entry: Mapping[str, Any]) -> DumpCall:
    inputs = [*_tensors(entry.get("input_args"), "input"), *_tensors(entry.get("input_kwargs"), "input")]
    inputs += [*_tensors(entry.get("input"), "input"), *_tensors(entry.get("parameters"), "parameters")]
    return DumpCall(name, tuple(inputs), tuple(_tensors(entry.get("output"), "output")))


def _tensors(value: object, role: str, depth: int = 0) -> Iterator[DumpTensor]:
    if depth > 20:
        return
    if isinstance(value, list):
        for item in value:
            yield from _tensors(item, role, depth + 1)
    elif isinstance(value, dict):
        if "dtype" in value and "shape" in value:
            yield _read_tensor(value, role)
        else:
            for item in value.values():
                yield from _tensors(item, role, depth + 1)


def _read_tensor(entry: Mapping[str, Any], role: str) -> DumpTensor:
    shape = entry.get("shape")
    values = {key: _number(entry.get(key)) for key in _STATISTICS}
    crc = next((str(v) for k, v in entry.items() if k.lower() in ("md5", "crc-32", "crc32", "crc_32")), "")
    return DumpTensor(
        role,
        str(entry.get("dtype", "")).removeprefix("torch.").removeprefix("mindspore.").lower(),
        tuple(shape) if isinstance(shape, list) and all(isinstance(n, int) for n in shape) else (),
        {key: value for key, value in values.items() if value is not None},
        crc,
    )


def _number(value: object) -> float | None:
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, str) and value.lower() in ("nan", "inf", "-inf"):
        return float(value)
    return None


def compare_dumps(reference: Dump, candidate: Dump) -> DumpComparison:
    """Return how the calls of two dumps compare, in the order in which the reference executed them."""
    names = {_plain(name): name for name in candidate.calls}
    verdicts: list[CallVerdict] = []
    missing: list[str] = []
    for name, call in reference.calls.items():
        other = candidate.calls.get(name) or candidate.calls.get(names.get(_plain(name), ""))
        if other is None:
            missing.append(name)
        else:
            verdicts.append(_judge_call(call, other))
    first = next((v for v in verdicts if v.flag and v.input_difference < YELLOW_INPUT), None)
    first = first or next((v for v in verdicts if v.flag), None)
    parent = reference.parents.get(first.name, "") if first else ""
    stack = reference.stacks.get(first.name, "") if first else ""
    rank = Path(reference.path).parent.name
    return DumpComparison(tuple(verdicts), tuple(missing), first, parent, stack, rank)


def _plain(name: str) -> str:
    """Return a name without what differs between the frameworks of two dumps.

    >>> _plain("NPU.npu_fusion_attention.0.forward"), _plain("Cell.layers.0.Linear.forward.0")
    ('torch.npu_fusion_attention.0.forward', 'module.layers.0.linear.forward.0')
    """
    head, _, rest = name.partition(".")
    head = {"npu": "torch", "cell": "module", "mint": "torch", "primitive": "torch"}.get(head.lower(), head.lower())
    return f"{head}.{re.sub(r'_impl$', '', rest.lower())}"


def _judge_call(one: DumpCall, two: DumpCall) -> CallVerdict:
    inputs = _difference(one.inputs, two.inputs)
    outputs = _difference(one.outputs, two.outputs)
    close = all(_is_close(a, b) for a, b in zip(one.outputs, two.outputs, strict=False))
    flag, reason = "", ""
    values = [value for tensor in two.outputs for value in tensor.values.values()]
    reference = [value for tensor in one.outputs for value in tensor.values.values()]
    if any(not math.isfinite(v) for v in values) and all(map(math.isfinite, reference)):
        flag, reason = "red", "nan or inf where the reference has none"
    elif any(abs(v) > 1e10 for v in values) and not any(abs(v) > 1e10 for v in reference):
        flag, reason = "red", "values above 1e10"
    elif [t.shape for t in one.outputs] != [t.shape for t in two.outputs]:
        flag, reason = "red", "shapes differ"
    elif any(a.crc and b.crc and a.crc != b.crc for a, b in zip(one.outputs, two.outputs, strict=False)):
        same = all(a.crc == b.crc for a, b in zip(one.inputs, two.inputs, strict=False))
        flag, reason = ("red", "checksums differ for equal inputs") if same else ("yellow", "checksums differ")
    elif outputs > RED:
        flag, reason = "red", f"output differs by {outputs:.3g}"
    elif outputs > YELLOW and inputs < YELLOW_INPUT:
        flag, reason = "yellow", f"output differs by {outputs:.3g}, input by {inputs:.1g}"
    return CallVerdict(one.name, flag, inputs, outputs, reason, close)


def _difference(one: tuple[DumpTensor, ...], two: tuple[DumpTensor, ...]) -> float:
    """Return the largest relative difference of a statistic, with msprobe's least denominator."""
    worst = 0.0
    for a, b in zip(one, two, strict=False):
        for key in a.values.keys() & b.values.keys():
            x, y = a.values[key], b.values[key]
            if math.isfinite(x) and math.isfinite(y):
                worst = max(worst, abs(x - y) / max(BENCH_FLOOR, abs(x)))
            elif not (x == y or (math.isnan(x) and math.isnan(y))):
                worst = math.inf
    return worst


def _is_close(a: DumpTensor, b: DumpTensor) -> bool:
    relative, absolute = max(_CLOSE.get(a.dtype, (0.0, 0.0)), _CLOSE.get(b.dtype, (0.0, 0.0)))
    return all(
        abs(a.values[key] - b.values[key]) <= absolute + relative * abs(a.values[key])
        for key in a.values.keys() & b.values.keys()
        if math.isfinite(a.values[key]) and math.isfinite(b.values[key])
    )
