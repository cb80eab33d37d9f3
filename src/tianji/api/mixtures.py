"""A job on a mixture of unlike chips: the plan that ``plan`` and ``goodput`` start from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tianji.api.progress import show_progress
from tianji.api.requests import ModelLike, Sizes, check_model, find_job
from tianji.api.software import SoftwareOptions, choose_software
from tianji.errors import IllegalStrategyError
from tianji.hardware.calibration import Calibration
from tianji.hardware.mixture import Mixture
from tianji.parallel.software_fields import hold_fields
from tianji.search.mixed_planner import MixedOutcome, plan_mixture


def find_mixed_outcome(
    model: ModelLike, mixture: Mixture, sizes: Sizes, fixed: Mapping[str, Any], calibration: Calibration, asked: SoftwareOptions
) -> tuple[MixedOutcome, Calibration]:  # fmt: skip
    """Return the best way to use a mixture, and the calibration under the software that is said.

    Raises InputError for anything that cannot be used, InfeasibleError where nothing fits.
    """
    check_model(model)
    chips = [part.chip for part in mixture.parts]
    job = find_job(model, sizes, mixture.chips, chips)
    choice = choose_software(calibration, chips, asked, fixed, has_experts=job.model.moe is not None)
    choice = choice.rule_out(job, chips, fixed)
    calibration, job = choice.calibration, choice.settle(job, chips[0])
    # Both parts run one strategy: what all of them hold is held.
    decided = [hold_fields(calibration, chip, {}) for chip in chips]
    common = {name: value for name, value in decided[0].items() if all(h.get(name) == value for h in decided)}
    with show_progress("Pricing strategies on all parts") as progress:
        outcome = plan_mixture(job, mixture, calibration, fixed=common | dict(fixed), progress=progress)
    return outcome, calibration


def refuse_options(options: Mapping[str, object], mixture: Mixture) -> None:
    """Raise IllegalStrategyError for an option that only a pool of one chip takes."""
    for name, value in options.items():
        if value:
            why = "; its file says how many chips each part has" if name == "--chips" else ""
            raise IllegalStrategyError(f"{name} goes with a pool of one chip, and {mixture.name} is a mixture{why}")
