"""The view of ``tianji goodput`` on a mixture: what a pool's has, over all parts together."""

from __future__ import annotations

from tianji.report.documents.mixed_goodput import MixedGoodputDocument
from tianji.report.view import View, ViewSection
from tianji.report.views.goodput import lasting_highlights, lasting_sections, profile_blocks
from tianji.report.views.mixture import mixture_basis, mixture_facts
from tianji.report.views.request_summary import bottom_lines


def mixed_goodput_view(document: MixedGoodputDocument) -> View:
    """Return the view of ``tianji goodput`` on a mixture."""
    mixture, profiles = document["mixture"], document["failure_profiles"]
    spares = ", ".join(f"{count:,} of {chip}" for chip, count in document["spares_by_chip"].items())
    failures = tuple(("Failures", profile["title"]) for profile in profiles)
    loss = document["loss_in_words"]
    lead = (document["verdict"], f"{loss[0].upper()}{loss[1:]}; {document['leans_on']}.", f"Spare nodes: {spares}.")
    causes = tuple(block for profile in profiles[:1] for block in profile_blocks(profile))
    job = f"{document['model']['name']} in {document['job']['precision']}"
    return View(
        f"Goodput: {job} on {mixture['name']}, {mixture['chips']:,} unlike chips",
        lead,
        tuple(lasting_highlights(document)),
        (
            *lasting_sections(document),
            ViewSection("What fails, by source", causes, is_detail=True),
            mixture_basis(document),
        ),
        mixture_facts(document, failures),
        bottom_lines(document["bottom_line"]),
    )
