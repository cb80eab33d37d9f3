"""Options that several commands share: the job, the pool, the strategy, the calibration, JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tianji.parallel.strategy import CHOICES, DEGREES, FIELDS, Strategy

if TYPE_CHECKING:
    from tianji.hardware import Pool
    from tianji.hardware.calibration import Calibration
    from tianji.reliability import Reliability
    from tianji.workload import Job

F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout, nothing else.")


def workers_option(command: F) -> F:
    """Add ``--workers``, where a sweep is worked out, and refuse its old name, which now only launches."""
    command = click.option(
        "--workers", default="local", show_default=True, metavar="NAME",
        help="Where the sweep is worked out: local, or ray (all CPUs of the pool that is up or of RAY_ADDRESS).",
    )(command)  # fmt: skip
    return click.option("--engine", hidden=True, expose_value=False, callback=_refuse_engine, help="Now --workers.")(
        command
    )


def _refuse_engine(context: click.Context, option: click.Parameter, value: str | None) -> None:
    if value is not None:
        from tianji.errors import FormatError

        raise FormatError(
            f"--engine launches workers of a run (tianji run, tianji operate); a sweep takes --workers: write --workers {value}"
        )


calibration_option = click.option(
    "--calibration", default="default", show_default=True, metavar="NAME|FILE",
    help="Corrections to datasheet figures: a name of the catalog or a TOML file; none is pure datasheet physics.",
)  # fmt: skip

_JOB_OPTIONS = (
    click.option("--chips", metavar="N", help="Chips of the pool to use.  [default: the pool's own count]"),
    click.option("--batch", metavar="N", help="Global batch, in sequences.  [default: as in the published run]"),
    click.option("--seq", metavar="N", help="Tokens of one sequence.  [default: as in the published run]"),
    click.option("--tokens", metavar="COUNT", help='Tokens of the whole run, like 15T: gives the days.'),
    click.option("--precision", default="bf16", show_default=True, metavar="NAME",
                 help="Number formats of the run: bf16, fp16, fp32, fp8, mxfp8 or fp4."),
    click.option("--optimizer-dtype", default="fp32", show_default=True, metavar="NAME",
                 help="Dtype of the optimizer's two moments: fp32, bf16 or fp8."),
    click.option("--moe-imbalance", default="1", show_default=True, metavar="X",
                 help="Load of the busiest expert rank over the mean; 1 is perfect balance."),
    calibration_option,
)  # fmt: skip


def job_options(command: F) -> F:
    """Add the options that :func:`read_request` takes."""
    for option in reversed(_JOB_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asks about: a job, a pool and the calibration to use."""

    job: Job
    pool: Pool
    calibration: Calibration


def read_request(
    model: str, pool: str, *, chips: str | None, batch: str | None, seq: str | None, tokens: str | None, precision: str,
    optimizer_dtype: str, moe_imbalance: str, calibration: str,
) -> Request:  # fmt: skip
    """Return the request that a model, a pool and the :func:`job_options` make.

    Raises InputError for anything in them that cannot be used.
    """
    from tianji.catalog import load_calibration, load_model, load_pool, make_job
    from tianji.units import parse, parse_count

    load_model(model)
    found = load_pool(pool, None if chips is None else parse_count(chips, "--chips"))
    imbalance = parse(moe_imbalance, "ratio", "--moe-imbalance")
    job = make_job(
        model, seq, batch, tokens, precision, optimizer_dtype=optimizer_dtype, moe_imbalance=imbalance, chips=found.chips
    )  # fmt: skip
    return Request(job, found, load_calibration(calibration))


# --- failures -------------------------------------------------------------------------------------------------
LOSS_OPTIONS = (
    click.option("--loss", default="job", show_default=True, metavar="job|replica",
                 help="What a failure stops: the whole job, or one data-parallel replica."),
    click.option("--replica-chips", metavar="N",
                 help="Chips of one replica that fails alone, at least a copy of the model.  [default: a pod]"),
)  # fmt: skip


def loss_options(command: F) -> F:
    """Add the options that :func:`read_loss` takes."""
    for option in reversed(LOSS_OPTIONS):
        command = option(command)
    return command


def read_loss(loss: str, replica_chips: str | None) -> Reliability:
    """Return the choices of a run under failures: the usual ones, but for what a failure stops.

    Raises InputError for a word or a count that cannot be used.
    """
    from tianji.errors import FormatError
    from tianji.reliability import Reliability
    from tianji.units import parse_count

    if replica_chips is not None and loss == "job":
        raise FormatError("--replica-chips counts only with --loss replica; give both, or neither")
    chips = 0 if replica_chips is None else parse_count(replica_chips, "--replica-chips")
    return Reliability(loss=loss, replica_chips=chips)


# --- strategies -----------------------------------------------------------------------------------------------
_HELP = {
    "tp": "Tensor parallel degree.",
    "pp": "Pipeline stages.",
    "vpp": "Model chunks of each pipeline rank; above 1 means interleaving.",
    "cp": "Context parallel degree.",
    "ep": "Expert parallel degree, over ranks of tp·cp·dp.",
    "etp": "Expert tensor parallel degree.",
    "dp": "Data parallel replicas.  [default: what tp·pp·cp leave of the chips]",
    "micro_batch_size": "Sequences of one micro-batch.",
    "zero": "Sharded over data ranks: 0 nothing, 1 optimizer, 2 and gradients, 3 and weights.",
    "zero_group": "Ranks of one sharding group (HSDP); 0: all of them.",
    "sequence_parallel": "Cut the activations between the matmuls too.",
    "recompute": "Activations computed again in the backward pass.",
    "recompute_layers": "Fraction of the layers that are recomputed.",
    "schedule": "Pipeline schedule.",
    "cp_kind": "How attention is cut under context parallelism.",
    "overlap_dp": "Hide data-parallel communication.",
    "ep_kind": "How tokens reach their experts.",
    "weight_gather": "How updated weights reach all ranks (ZeRO-1 and 2).",
    "overlap_tp": "Hide tensor-parallel communication behind split matmuls.",
    "overlap_pp": "Hide pipeline sends.",
    "overlap_ep": "Hide expert dispatch behind another micro-batch.",
    "flash_attention": "Fused attention that never stores the scores.",
    "offload_optimizer": "Keep the optimizer's state in host memory.",
    "placement": "Which axis lies next to the tensor axis.",
}
_PREFIX = "strategy_"


def strategy_options(command: F) -> F:
    """Add one option for each field of a strategy, from the same table that the files are read by."""
    defaults = Strategy()
    for name in reversed(FIELDS):
        dashed, parameter = name.replace("_", "-"), _PREFIX + name
        if isinstance(getattr(defaults, name), bool):
            option = click.option(f"--{dashed}/--no-{dashed}", parameter, default=None, help=_HELP[name])
        else:
            words = "|".join(CHOICES[name]) if name in CHOICES else "N" if name != "recompute_layers" else "X"
            option = click.option(f"--{dashed}", parameter, metavar=words, help=_HELP[name])
        command = option(command)
    return command


def read_strategy_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the strategy fields among a command's options that the user gave.

    Raises FormatError for a value of another type or out of its range.
    """
    from tianji.parallel import read_field

    given = {name: options[_PREFIX + name] for name in FIELDS if options.get(_PREFIX + name) is not None}
    fields = {name: read_field(name, value) for name, value in given.items()}
    Strategy(**fields)
    return fields


def drop_strategy_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a command's other options."""
    return {name: value for name, value in options.items() if not name.startswith(_PREFIX)}


SWITCHES = tuple(name for name in FIELDS if isinstance(getattr(Strategy(), name), bool))
"""Fields that are on or off; a search holds those that an engine decides unless it is told to vary them."""

assert set(_HELP) == set(FIELDS), "every strategy field is an option"
assert set(DEGREES) <= set(FIELDS)
