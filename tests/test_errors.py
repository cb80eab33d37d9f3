"""The tree of exceptions, and messages that help."""

import inspect
import pickle

import pytest

from tianji import errors
from tianji.catalog import load_model
from tianji.errors import FormatError, InputError, TianjiError, UnknownFigureError, UnknownNameError


def all_errors() -> list[type[Exception]]:
    return [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, Exception)]


def test_all_descend_from_one() -> None:
    assert all(issubclass(error, TianjiError) for error in all_errors())


def test_the_page_lists_each_one() -> None:
    page = errors.__doc__ or ""
    assert [e.__name__ for e in all_errors() if e.__name__ not in page] == []


def test_bad_input_is_one_kind() -> None:
    assert issubclass(FormatError, InputError)
    assert issubclass(UnknownNameError, InputError)
    assert issubclass(UnknownFigureError, InputError)


def test_a_name_like_none_is_answered_with_all() -> None:
    assert "Known: b, c." in str(UnknownNameError("thing", "zzzzzz", ["c", "b"]))


def test_a_long_list_is_not_recited() -> None:
    assert "Known" not in str(UnknownNameError("thing", "zzzzzz", [f"name{i}" for i in range(31)]))


def test_an_unknown_figure_says_whose_and_how_to_supply_it() -> None:
    error = UnknownFigureError("ascend-980", "memory bandwidth", "attention reads it")
    assert (error.owner, error.figure) == ("ascend-980", "memory bandwidth")
    for part in ("ascend-980", "memory bandwidth", "attention reads it", "Supply it"):
        assert part in str(error)


@pytest.mark.parametrize("error", [FormatError("x"), InputError("y")])
def test_a_message_survives_another_process(error: Exception) -> None:
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    assert "dgx-a100" in str(UnknownNameError("pool", "dgx-a10", ["dgx-a100", "hgx-h100"]))


@pytest.mark.parametrize(("wanted", "near"), [("deepseek-v4", "deepseek-v4-flash"), ("qwen3-235", "qwen3-235b-a22b")])
def test_the_beginning_of_a_name_points_to_it(wanted: str, near: str) -> None:
    with pytest.raises(UnknownNameError, match=near):
        load_model(wanted)
