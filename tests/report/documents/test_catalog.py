"""Documents of the catalog: figures with sources, and the publications that they name."""

import pytest

from tianji.errors import UnknownNameError
from tianji.hardware import CONFIDENCES
from tianji.report.documents.catalog import KINDS, entry_document, list_document, sources_in


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_first_of_each_kind_is_a_document(kind: str) -> None:
    name = list_document(kind)["names"][0]
    document = entry_document(kind, name)
    assert (document["kind"], document["name"]) == (kind, name)


def test_a_figure_keeps_its_value_source_and_confidence() -> None:
    document = entry_document("chips", "h100-sxm")
    peak = document["entry"]["peak"]["bf16"]
    assert peak["value"] == 989e12
    assert peak["confidence"] in CONFIDENCES
    assert set(peak["source"].split(", ")) <= set(document["sources"])


def test_published_counts_stand_beside_ours() -> None:
    (total, _) = entry_document("models", "deepseek-v3")["entry"]["published"]
    assert total["counted"] == 671_026_419_200
    assert abs(total["difference"]) < 0.005


def test_each_publication_is_listed_once() -> None:
    publications = sources_in([{"source": "DSV3"}, {"inner": {"source": "DSV3, EPOCH"}}, {"source": ""}])
    assert [source.key for source in publications] == ["DSV3", "EPOCH"]


def test_an_unknown_entry_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean"):
        entry_document("chips", "h201")
