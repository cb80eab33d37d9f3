"""A mistake in Python ends in an error of Tianji that names the argument, whatever the function and the value."""

import inspect
from functools import cache
from types import FunctionType, ModuleType
from typing import Any, get_type_hints

import pytest

import tianji
from tianji.api.door import describe, is_of, name_arguments
from tianji.api.operation_parts import PARTS
from tianji.errors import FormatError, InputError, TianjiError

WRONG: tuple[Any, ...] = (object(), 3 + 4j, {1, 2}, [None], b"bytes", print)
"""Values that no argument takes, whatever it is."""


@cache
def functions() -> dict[str, FunctionType]:
    names: dict[str, FunctionType] = {}
    for name in tianji.__all__:
        value = getattr(tianji, name)
        verbs = value.__all__ if isinstance(value, ModuleType) else PARTS if name == "operate" else []
        names |= {f"{name}.{verb}": getattr(value, verb) for verb in verbs}
        names |= {name: value} if isinstance(value, FunctionType) else {}
    return names


def arguments() -> list[tuple[str, str]]:
    kinds = (inspect.Parameter.VAR_KEYWORD,)
    return [
        (name, p.name)
        for name, f in functions().items()
        for p in inspect.signature(f).parameters.values()
        if p.kind not in kinds
    ]


@pytest.mark.parametrize(("name", "argument"), arguments())
def test_a_value_of_a_wrong_type_is_refused_by_the_name_of_its_argument(name: str, argument: str) -> None:
    function = functions()[name]
    hints = get_type_hints(function)
    for value in WRONG:
        given: list[Any] = []
        keywords: dict[str, Any] = {}
        for other in inspect.signature(function).parameters.values():
            filled = value if other.name == argument else right_value(hints[other.name])
            if other.kind is inspect.Parameter.VAR_POSITIONAL:
                given += [filled] if other.name == argument else []
            elif other.kind is not inspect.Parameter.VAR_KEYWORD and (
                other.name == argument or other.default is other.empty
            ):
                keywords[other.name] = filled
        if given:
            given = [keywords.pop(p) for p in inspect.signature(function).parameters if p in keywords] + given
        with pytest.raises(FormatError, match=f"^{argument}: expected .*, got "):
            function(*given, **keywords)


def right_value(hint: Any) -> Any:
    """Return a value that an argument takes."""
    return next((value for value in ("1", 1, {}, *nouns()) if is_of(value, hint)), None)


@cache
def nouns() -> tuple[Any, ...]:
    result = tianji.predict("llama-3.1-8b", "hgx-h100", chips=8, tp=8).result
    return result.plan, result


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: tianji.plan(None, "hgx-h100"), "model: expected a text, a path, a Model or a Job, got None"),
        (lambda: tianji.compare("llama-3.1-8b", ["hgx-h100"]), "pools: expected a text, a Pool or a Mixture, got .'hgx-h100'."),
        (lambda: tianji.plan("llama-3.1-8b", "hgx-h100", chips=True), "chips: expected a whole number, a text or None, got True"),
        (lambda: tianji.predict("llama-3.1-8b", "hgx-h100", tp=[1]), "tp: expected a whole number"),
        (lambda: tianji.size("llama-3.1-8b", "hgx-h100", days=3), 'give tokens=, like tokens="15T"$'),
        (lambda: tianji.plan("llama-3.1-8b", "hgx-h100", rent={"h100-sxm": 2}), "^rent= counts only with objective="),
        (lambda: tianji.migrate.versions(to="mindspore"), 'give with_="mindspore" for'),
    ],
)  # fmt: skip
def test_messages_speak_of_arguments(call: Any, says: str) -> None:
    with pytest.raises(InputError, match=says) as raised:
        call()
    assert "--" not in str(raised.value)


def test_the_type_of_an_error_and_what_it_holds_stay() -> None:
    with pytest.raises(tianji.InfeasibleError, match=r"a shorter seq=, a narrower precision="):
        tianji.plan("deepseek-v3", "hgx-h100", chips=8)
    error = TianjiError("give --tokens")
    assert name_arguments(str(error)) == "give tokens="


def test_a_command_stays_as_it_is_typed() -> None:
    assert name_arguments("as `tianji plan M P --out FILE` does") == "as `tianji plan M P --out FILE` does"


def test_numbers_of_numpy_are_numbers() -> None:
    import numpy as np

    assert is_of(np.int64(3), int)
    assert is_of(np.float32(3), float)
    assert not is_of(np.bool_(True), int)
    assert describe(int | None) == "a whole number or None"
