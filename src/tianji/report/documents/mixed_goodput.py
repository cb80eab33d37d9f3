"""The document of ``tianji goodput`` on a mixture: what lasts of the time of the plan that is taken."""

from __future__ import annotations

from typing import Literal

from tianji.hardware.calibration import Calibration
from tianji.prediction.goodput import Goodput
from tianji.report.documents.bottom_line import mixed_goodput_line
from tianji.report.documents.goodput import (
    FailureProfileDocument,
    LastingDocument,
    Remedies,
    lasting_document,
    profile_document,
)
from tianji.report.documents.mixture import MixedRequestDocument, mixed_request_document
from tianji.search.mixed_goodput import find_spares
from tianji.search.mixed_planner import MixedOutcome
from tianji.units import Dollars


class MixedGoodputDocument(MixedRequestDocument, LastingDocument):
    """How much of a mixture's time becomes lasting progress; a failure in any part stops the whole job."""

    document: Literal["mixed_goodput"]
    verdict: str
    """How the mixture is used."""
    spares_by_chip: dict[str, int]
    """Spare nodes of each kind of chip."""
    failure_profiles: list[FailureProfileDocument]


def mixed_goodput_document(
    outcome: MixedOutcome, goodput: Goodput, remedies: Remedies, calibration: Calibration, price: Dollars | None
) -> MixedGoodputDocument:
    """Return the goodput of what is taken of a mixture; ``price`` is that of one chip-hour."""
    alone = outcome.taken_alone
    spares = {alone.plan.pool.chip.name: goodput.spare_nodes} if alone else find_spares(outcome, goodput.reliability)
    line = mixed_goodput_line(outcome, goodput, price)
    return {
        "document": "mixed_goodput",
        **mixed_request_document(outcome, calibration),
        **lasting_document(outcome, goodput, remedies, price, line),
        "verdict": outcome.verdict,
        "spares_by_chip": spares,
        "failure_profiles": [profile_document(profile) for profile in goodput.profiles],
    }
