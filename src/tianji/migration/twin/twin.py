"""Make a model's twin and run it: one plan and one file of weights, trained by both executors, the runs judged for parity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tianji.backends.engine import run
from tianji.backends.first_weights import FirstWeights, write_first_weights
from tianji.backends.machine import available_memory, check_extra, make_folder, memory_of_ranks
from tianji.backends.mindspore.engine import MindSporeEngine
from tianji.backends.mindspore.weights import WEIGHTS, draw_carried
from tianji.backends.options import RunOptions
from tianji.catalog import load_pool
from tianji.catalog.models import describe_model, list_models
from tianji.errors import FormatError, InputError, RunError
from tianji.migration.parity import Parity, judge_parity, read_run
from tianji.migration.speed import find_config
from tianji.migration.twin.names import match_weights
from tianji.migration.twin.settings import read_settings
from tianji.migration.twin.weight_files import open_weights
from tianji.parallel import Strategy
from tianji.parallel.plan import Plan
from tianji.parallel.plan_file import write_plan
from tianji.result import Result
from tianji.units import show
from tianji.workload import Job, Model, find_precision
from tianji.workload.config_file import load_json
from tianji.workload.huggingface import read_config

POOL = "atlas-900-a2"
"""One chip of it stands in the plan; both runs are on this machine's CPU."""


@dataclass(frozen=True, slots=True)
class Twin:
    """One model ready for both executors: the plan and the weights in a folder, and where they came from."""

    plan: Plan
    folder: Path
    found_in: str
    """The ``config.json``."""
    carried_from: str
    """File or folder of the weights; empty: drawn from the seed."""
    num_weights: int
    num_layers_of: int
    """Layers of the whole model, of which the twin has the first."""
    norm_epsilon: float
    rotary_rates: NDArray[np.float32]
    unused: tuple[str, ...]
    """Names in the files of weights that no part of the model takes."""

    def __repr__(self) -> str:
        return f"Twin({self.plan!r} in {self.folder})"

    @property
    def weights(self) -> Path:
        """The file of the first weights."""
        return self.folder / WEIGHTS


@dataclass(frozen=True, slots=True)
class TwinRun:
    """Both runs of a twin, and the judgement of MindSpore's by PyTorch's."""

    reference: Result
    candidate: Result
    parity: Parity


@dataclass(frozen=True, slots=True)
class TwinSizes:
    """What a twin is trained with."""

    seq_len: int = 128
    batch: int = 8
    layers: int = 0
    """The first so many layers; 0: all."""
    seed: int = 0


def make_twin(source: str, out: Path, weights: str = "", sizes: TwinSizes | None = None) -> Twin:
    """Write a plan and the weights of a model into a folder, for both executors, and return what is in it.

    ``source`` is a ``config.json``, a repository or folder that holds one, or a name of the catalog. Without ``weights`` those
    beside the config are taken, or else they are drawn from the seed.

    Raises UnsupportedModelError for a model that MindSpore's executor lacks a part for, FormatError for files that cannot be
    read or do not fit, RunError where the folder or the memory does not suffice.
    """
    sizes = sizes or TwinSizes()
    config, found_in = _find_config(source)
    file, data = load_json(config)
    whole = read_config(data, file.resolve().parent.name or "model", where=str(file))
    epsilon, rates = read_settings(data, whole)
    model = _shorten(whole, sizes.layers)
    plan = _plan_for(model, sizes)
    MindSporeEngine.check_plan(plan, RunOptions())
    _check_memory(plan)
    carried_from = weights or _beside(config)
    arrays, unused = _carry(carried_from, model) if carried_from else _draw(model, sizes.seed)
    make_folder(out)
    write_first_weights(FirstWeights(arrays, epsilon, rates), out / WEIGHTS)
    write_plan(plan, out / "plan.json")
    return Twin(
        plan, out, found_in, carried_from, len(arrays), whole.num_layers, epsilon, rates, unused
    )  # fmt: skip


def run_twin(
    twin: Twin, options: RunOptions, repeats: int = 1, say: Callable[[str], None] = lambda text: None
) -> TwinRun:
    """Train a twin by PyTorch and by MindSpore on this machine's CPU and judge the runs.

    ``repeats`` further runs by PyTorch say what its noise is; ``say`` hears of each run as it starts.

    Raises RunError, with what to install, where MindSpore's environment is not there, and for a rank that fails.
    """
    options = replace(options, weights=str(twin.weights), device="cpu", trace=False, warmup=min(2, options.steps - 1))
    try:
        MindSporeEngine().check(twin.plan, options)
    except RunError as error:
        raise RunError(f"{twin.folder}: plan.json and weights.npz are written, but not run: {error}") from None

    def train(name: str, backend: str) -> Result:
        say(f"{name}: {options.steps} steps")
        return run(twin.plan, replace(options, out=str(twin.folder / name)), backend)

    reference = train("torch", "torch")
    again = [f"torch-{index}" for index in range(2, repeats + 2)]
    for name in again:
        train(name, "torch")
    candidate = train("mindspore", "mindspore")
    logs = {name: read_run(twin.folder / name) for name in ("torch", "mindspore", *again)}
    parity = judge_parity(logs["torch"], logs["mindspore"], [logs[name] for name in again], (), "fp32")
    return TwinRun(reference, candidate, parity)


def _find_config(source: str) -> tuple[Path, str]:
    """Return the config.json that a source stands for, and what to call it."""
    place = Path(source)
    if place.is_dir():
        inside = find_config(place)
        if inside is None:
            raise FormatError(
                f"{source}: no config.json in it describes a model; expected one, or a name of the catalog"
            )
        return place / inside, str(place / inside)
    if not place.exists() and source in list_models():
        return describe_model(source).folder / "config.json", source
    return place, source


def _shorten(model: Model, layers: int) -> Model:
    if not 0 <= layers <= model.num_layers:
        raise FormatError(f"--layers {layers}: expected 1 to {model.num_layers}, those of {model.name}")
    return replace(model, num_layers=layers) if layers else model


def _plan_for(model: Model, sizes: TwinSizes) -> Plan:
    length = min(sizes.seq_len, model.max_position_embeddings or sizes.seq_len)
    job = Job(model, length, sizes.batch, find_precision("fp32"))
    return Plan(job, load_pool(POOL, 1), Strategy())


def _check_memory(plan: Plan) -> None:
    need, have = memory_of_ranks(plan), available_memory()
    if need > have:
        model = plan.job.model
        raise RunError(
            f"{model.name}: {model.num_layers} layers in fp32 need about {show(need, 'bytes')}, this machine has"
            f" {show(have, 'bytes')} free; take fewer with --layers, or a shorter --seq"
        )


def _beside(config: Path) -> str:
    """Return the folder of a config where weights lie beside it, else an empty text."""
    kinds = (".safetensors", ".bin", ".pt", ".pth")
    return str(config.parent) if any(file.suffix in kinds for file in config.parent.iterdir()) else ""


def _draw(model: Model, seed: int) -> tuple[dict[str, NDArray[np.float32]], tuple[str, ...]]:
    check_extra()  # torch draws them
    return draw_carried(model, seed), ()


def _carry(source: str, model: Model) -> tuple[dict[str, NDArray[np.float32]], tuple[str, ...]]:
    readers, unused = match_weights(open_weights(Path(source)), model, source)
    arrays = {}
    for name, read in readers.items():
        arrays[name] = array = read()
        if not np.isfinite(array).all():
            raise InputError(f"{source}: {name} holds numbers that are not finite; carry over weights that are whole")
    return arrays, unused
