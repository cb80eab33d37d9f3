"""Which page belongs to which document."""

from __future__ import annotations

from collections.abc import Callable

from tianji.report.pages.accuracy import accuracy_page
from tianji.report.pages.basis import Document
from tianji.report.pages.comparison import comparison_page, replacement_page, sizing_page
from tianji.report.pages.goodput import goodput_page
from tianji.report.pages.mixture import mixture_page
from tianji.report.pages.parts import Page
from tianji.report.pages.plan import plan_page, prediction_page

PAGES: dict[str, Callable[[Document], Page]] = {
    "plan": plan_page, "mixture": mixture_page, "predict": prediction_page,
    "goodput": goodput_page, "compare": comparison_page, "replace": replacement_page, "size": sizing_page,
    "validate": accuracy_page,
}  # fmt: skip
"""By command; ``mixture`` is that of `tianji plan` on unlike chips."""


def make_page(document: Document, kind: str) -> Page:
    """Return the page of the JSON document of a command."""
    return PAGES[kind](document)
