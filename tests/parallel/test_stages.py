"""Stages as people and frameworks write them: what is printed reads back, and what is no pipeline is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tianji.errors import FormatError
from tianji.parallel.stages import Stages, add_offsets, fill_chunks, read_stages


@st.composite
def pipelines(draw: st.DrawFn) -> Stages:
    layers = draw(st.lists(st.one_of(st.integers(0, 30), st.just(4)), min_size=1, max_size=40))
    behind = len(layers) - next((i for i, n in enumerate(reversed(layers)) if n), len(layers))
    first = draw(st.integers(max(behind - 1, 0), len(layers) - 1))
    modules = [0] * first + [
        draw(st.integers(0, 3)) if i == first or not n else 0 for i, n in enumerate(layers) if i >= first
    ]
    return Stages(tuple(layers), tuple(modules) if any(modules) else ())


@given(pipelines())
def test_what_is_printed_reads_back(stages: Stages) -> None:
    assert read_stages(str(stages)) == stages
    assert read_stages(str(stages).lower()) == stages
    if not stages.modules:
        assert read_stages(",".join(map(str, stages.layers))) == stages


@pytest.mark.parametrize(
    ("text", "layers", "modules"),
    [
        ("Et*4|(t*4|)*14tmL", (*(4,) * 15, 1), (*(0,) * 15, 1)),
        ("Ettt|(tt|)*29,m|L", (3, *(2,) * 29, 0, 0), (*(0,) * 30, 1, 0)),
        ("E|(t|t*2|)*2L", (0, 1, 2, 1, 2, 0), ()),
        ("3, 4,4,3", (3, 4, 4, 3), ()),
        ("EtL", (1,), ()),
    ],
)
def test_what_frameworks_write(text: str, layers: tuple[int, ...], modules: tuple[int, ...]) -> None:
    assert read_stages(text) == Stages(layers, modules)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "t|t",
        "EtL|t",
        "E(t|)*L",
        "Et|mtL",
        "EtLL",
        "Ex*3L",
        "(((t*9)*9)*9)*9",
        "E(t*9999|)*9999L",
        "-1,3",
        "1;2",
        "Et*99999L",
    ],
)
def test_what_is_no_pipeline_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match=r"strategy\.stages: "):
        read_stages(text)


def test_modules_lie_beside_the_head_where_nothing_is_said() -> None:
    assert Stages((2, 2)).complete(1) == Stages((2, 2), (0, 1))
    assert Stages((2, 2), (1, 0)).complete(1) == Stages((2, 2), (1, 0))
    assert Stages((2, 2)).complete(0) == Stages((2, 2))


def test_offsets_are_layers_beyond_an_even_share() -> None:
    assert add_offsets(61, 4, [0, 1, 0, 0]) == Stages((15, 16, 15, 15))
    assert add_offsets(6, 2, [[1, 0], [0, 1]]) == Stages((2, 1, 1, 2))
    assert add_offsets(8, 4, 0) is None
    for offsets in ([1, 0], [9, -9, 0, 0], [0.5, 0, 0, 0]):
        with pytest.raises(FormatError, match="offset"):
            add_offsets(8, 4, offsets)


@given(st.integers(1, 200), st.integers(-3, 5))
def test_one_or_two_chunks_more_than_layers_hold_the_head_and_the_embedding_alone(layers: int, more: int) -> None:
    filled = fill_chunks(layers, layers + more)
    assert (filled is not None) == (more in (1, 2))
    if filled:
        assert read_stages(str(filled)) == filled
        assert filled.layers == ((0,) if more == 2 else ()) + (1,) * layers + (0,)
