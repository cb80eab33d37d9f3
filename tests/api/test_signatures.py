"""Every verb has the same name and the same options on the command line and in Python."""

import inspect
import pydoc
from collections.abc import Callable
from typing import Any

import click
import pytest

import tianji
from tianji.cli import main
from tianji.cli.group import COMMANDS
from tianji.parallel.strategy import FIELDS

SHOWING = {"as_json": "to_json", "html": "save_html", "plots": "save_plots", "csv": "save_tables"}
"""Options that say how an answer is shown, and the method that does it."""
ONLY_TYPED = {
    "browse": {"as_toml": "an entry's file is text; its path is what a Python user opens"},
    "validate": {"report": "the page on accuracy is the project's own"},
}
ONLY_PYTHON = {"strategy": "a whole strategy, where the command line has its fields"}
MOST_LINES, WIDTH, INDENT = 42, 88, 4


def verbs() -> list[str]:
    """Return what is typed behind `tianji`, and behind ``tianji.`` with a stop for each blank."""
    names = []
    for name in COMMANDS:
        parts = getattr(command(name), "commands", {})
        names += [] if isinstance(command(name), click.Group) else [name]
        names += [f"{name} {part}" for part in parts]
    return names


def command(name: str) -> click.Command:
    group, _, part = name.partition(" ")
    one = main.get_command(click.Context(main), group)
    assert one is not None
    if part:
        one = one.commands[part]  # type: ignore[attr-defined]  # operate has parts without being a group
        assert isinstance(one, click.Command)
    return one


def verb(name: str) -> Callable[..., Any]:
    function: Any = tianji
    for part in name.split():
        function = getattr(function, part)
    assert callable(function)
    return function


@pytest.mark.parametrize("name", verbs())
def test_options_and_keywords_have_the_same_names(name: str) -> None:
    typed = {str(p.name) for p in command(name).params if p.expose_value}
    typed -= SHOWING.keys() | ONLY_TYPED.get(name, {}).keys()
    parameters = inspect.signature(verb(name)).parameters
    keywords = {n for n, p in parameters.items() if p.kind is not inspect.Parameter.VAR_KEYWORD}
    if len(keywords) < len(parameters):
        keywords |= set(FIELDS)
    assert typed == keywords - ONLY_PYTHON.keys()


@pytest.mark.parametrize("name", verbs())
def test_an_option_is_spelt_like_its_keyword(name: str) -> None:
    for parameter in command(name).params:
        if isinstance(parameter, click.Option) and parameter.name not in SHOWING and parameter.name != "as_toml":
            assert parameter.opts[0].removeprefix("--").replace("-", "_") == str(parameter.name).rstrip("_")


@pytest.mark.parametrize("name", verbs())
def test_defaults_are_the_same(name: str) -> None:
    parameters = inspect.signature(verb(name)).parameters
    for option in command(name).params:
        keyword = parameters.get(str(option.name))
        default = option.to_info_dict()["default"]
        if keyword is None or option.required or default in (None, ()) or option.name == "calibration":
            continue
        assert str(default) == str(keyword.default), option.name


@pytest.mark.parametrize("name", verbs())
def test_the_help_of_a_verb_fits_a_screen(name: str) -> None:
    text = inspect.getdoc(verb(name))
    assert text
    lines = pydoc.plain(pydoc.render_doc(verb(name))).splitlines()
    assert max(map(len, text.splitlines())) <= WIDTH - INDENT
    assert sum(max(1, -(-len(line) // WIDTH)) for line in lines) <= MOST_LINES


def test_every_way_to_show_is_a_method() -> None:
    assert all(hasattr(tianji.Answer, method) for method in SHOWING.values())


def test_the_old_name_of_a_command_still_works() -> None:
    old = main.get_command(click.Context(main), "catalog")
    assert old is not None
    assert old.name == "browse"
