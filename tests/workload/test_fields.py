import pytest

from tianji.errors import FormatError
from tianji.workload.fields import LARGEST, Fields


def fields(**data: object) -> Fields:
    return Fields(data, "c.json", {"heads": ("n_head", "num_heads")}, {"width": 7})


def test_a_word_is_found_under_any_of_its_spellings() -> None:
    assert fields(num_heads=4).count("heads") == 4
    assert fields(n_head=4, num_heads=4).count("heads") == 4


def test_spellings_that_disagree_are_refused() -> None:
    with pytest.raises(FormatError, match="n_head = 4 and num_heads = 8 contradict each other"):
        fields(n_head=4, num_heads=8).count("heads")


def test_a_left_out_key_has_the_default_and_null_is_none() -> None:
    assert fields().count("width") == 7
    assert fields(width=None).count("width") is None
    assert fields().count("heads") is None


@pytest.mark.parametrize(
    "value", [True, -1, 0, 1.0, 1.5, float("nan"), float("inf"), "8", [8], {}, LARGEST + 1, 10**40]
)
def test_what_is_no_whole_number_in_range_is_refused(value: object) -> None:
    with pytest.raises(
        FormatError, match=r"c\.json: heads|c\.json: n_head: expected a whole number from 1 to 10,000,000"
    ):
        fields(n_head=value).count("heads")


def test_zero_is_a_count_where_it_may_be() -> None:
    assert fields(n_head=0).count("heads", least=0) == 0


@pytest.mark.parametrize("value", [0, 1, "true", []])
def test_a_switch_is_true_or_false(value: object) -> None:
    with pytest.raises(FormatError, match="expected true or false"):
        fields(on=value).flag("on")
    assert fields(on=True).flag("on") is True
    assert fields(on=None).flag("on") is fields().flag("on") is False


@pytest.mark.parametrize("value", [3, "0", [True], [-1], [1.0], ["0"]])
def test_a_list_of_counts_holds_counts(value: object) -> None:
    with pytest.raises(FormatError, match="expected a list of whole numbers"):
        fields(dense=value).counts("dense")
    assert fields(dense=[0, 3]).counts("dense") == [0, 3]
    assert fields().counts("dense") is None


@pytest.mark.parametrize("value", [3, "full", [1], [None]])
def test_a_list_of_texts_holds_texts(value: object) -> None:
    with pytest.raises(FormatError, match="expected a list of texts"):
        fields(kinds=value).words("kinds")
    assert fields(kinds=["full"]).words("kinds") == ["full"]


def test_a_missing_key_is_named_with_the_nearest_one() -> None:
    with pytest.raises(FormatError, match=r"'n_head' or 'num_heads' is missing.*the nearest key in it is 'n_heads'"):
        fields(n_heads=4).require("heads")
    with pytest.raises(FormatError, match="is null, but the architecture needs it"):
        fields(n_head=None).require("heads")


def test_a_misspelt_key_is_not_taken_for_left_out() -> None:
    with pytest.raises(FormatError, match="unknown key 'num_head'; did you mean 'num_heads'"):
        fields(num_head=4).check_spelling(["heads"], frozenset())
    fields(num_head=4).check_spelling(["heads"], frozenset({"num_head"}))
    fields(rope_theta=4).check_spelling(["heads"], frozenset())
