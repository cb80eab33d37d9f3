"""``tianji plan`` on a mixture of unlike chips."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tianji.cli.output import watch
from tianji.cli.outputs import Outputs
from tianji.errors import IllegalStrategyError

if TYPE_CHECKING:
    from tianji.reliability import Reliability


def plan_on_mixture(
    model: str,
    mixture: str,
    fixed: Mapping[str, Any],
    refused: Mapping[str, object],
    reliability: Reliability,
    outputs: Outputs,
    options: Mapping[str, Any],
) -> None:
    """Plan and print; ``refused`` holds options that only a pool of one chip takes, by how they are spelt.

    Raises InputError for anything that cannot be used.
    """
    from tianji.catalog import load_calibration, make_job
    from tianji.catalog.mixtures import load_mixture
    from tianji.search.mixed_planner import plan_mixture
    from tianji.units import parse

    for name, value in {**refused, "--chips": options["chips"]}.items():
        if value:
            why = "; its file says how many chips each part has" if name == "--chips" else ""
            raise IllegalStrategyError(f"{name} goes with a pool of one chip, and {mixture} is a mixture{why}")
    found, calibration = load_mixture(mixture), load_calibration(options["calibration"])
    job = make_job(
        model, options["seq"], options["batch"], options["tokens"], options["precision"],
        optimizer_dtype=options["optimizer_dtype"], chips=found.chips,
        moe_imbalance=parse(options["moe_imbalance"], "ratio", "--moe-imbalance"),
    )  # fmt: skip
    with watch("Pricing strategies on all parts") as progress:
        outcome = plan_mixture(job, found, calibration, fixed=fixed, progress=progress)
    from tianji.report.documents.mixture import mixed_plan_document

    outputs.present(mixed_plan_document(outcome, calibration, reliability))
