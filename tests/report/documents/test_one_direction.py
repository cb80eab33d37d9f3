"""Every ratio of two pools is that of the one named later over the one named earlier: on the screen, the page and in JSON."""

import re

import pytest

import tianji
from tianji.comparison import Comparison
from tianji.comparison.side_by_side import set_side_by_side
from tianji.report.documents.comparison import ComparisonDocument, comparison_document
from tianji.report.view import ViewTable
from tianji.report.views.comparison import comparison_view

TIMES = r"([0-9.]+ \([0-9.]+ to [0-9.]+\)) times"


@pytest.fixture(scope="module")
def three() -> Comparison:
    pools = ("8xhgx-h100", "16xhgx-h100", "8xatlas-900-a2")
    result: Comparison = tianji.compare("llama-3.1-8b", *pools, batch=64, seq=2048).result
    return result


def turned(three: Comparison, places: tuple[int, ...]) -> ComparisonDocument:
    calibration = tianji.load_calibration()
    return comparison_document(set_side_by_side([three.assessments[i] for i in places]), calibration)


def shown(ratio: dict[str, float]) -> str:
    return f"{ratio['nominal']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})"


@pytest.mark.parametrize("places", [(0, 1), (1, 0), (0, 2), (2, 0)])
def test_two_pools_have_one_ratio_everywhere(places: tuple[int, int], three: Comparison) -> None:
    document = turned(three, places)
    (pair,) = document["pairs"]
    speed, cost = (document["ratios"][key][1] for key in ("useful_tokens_per_day", "cost"))
    assert (pair["one"], pair["other"]) == tuple(document["pools"][i]["name"] for i in (1, 0))
    assert (pair["speed"], pair["cost"]) == (speed, cost)
    assert speed is not None and cost is not None
    said = [re.search(TIMES, text) for text in (document["bottom_line"]["answer"], *document["verdicts"][:2])]
    assert [found and found[1] for found in said] == [shown(speed), shown(speed), shown(cost)]  # type: ignore[arg-type]
    view = comparison_view(document)
    tiles = [tile.number.text for tile in view.highlights[:2]]
    assert tiles == [f"{ratio['nominal']:.2f}" for ratio in (speed, cost)]


def test_all_pairs_have_a_verdict_and_turn_with_their_order(three: Comparison) -> None:
    forth, back = turned(three, (0, 1, 2)), turned(three, (2, 1, 0))
    assert [(p["one"], p["other"]) for p in forth["pairs"]] == [
        tuple(forth["pools"][i]["name"] for i in pair) for pair in ((1, 0), (2, 0), (2, 1))
    ]
    turned_pairs = {(p["other"], p["one"]): p for p in back["pairs"]}
    turns = {"ahead": "behind", "behind": "ahead", "open": "open", None: None}
    for pair in forth["pairs"]:
        other = turned_pairs[pair["one"], pair["other"]]
        assert pair["speed"]["nominal"] == pytest.approx(1 / other["speed"]["nominal"])
        assert pair["is_faster_chance"] == pytest.approx(1 - other["is_faster_chance"])
        assert (turns[pair["speed_verdict"]], turns[pair["cost_verdict"]]) == (
            other["speed_verdict"],
            other["cost_verdict"],
        )
    assert {"ahead", "open"} & {p["speed_verdict"] for p in forth["pairs"]}
    (table,) = (
        block
        for section in comparison_view(forth).sections
        for block in section.blocks
        if isinstance(block, ViewTable) and block.name == "pairs"
    )
    assert [row[4] for row in table.rows] == [pair["speed_verdict"] for pair in forth["pairs"]]
