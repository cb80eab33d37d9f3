"""Every option, key and field that we write exists: in the engine itself where it is installed, else in its stored list."""

import ast
import importlib.util
import re
import tomllib
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings

from legal_plans import plans
from tianji.errors import ExportError
from tianji.exporters import render_plan
from tianji.exporters.launch_reader.shell_reader import read_script
from tianji.exporters.lint.schemas import MINDFORMERS, check_document
from tianji.parallel.plan import Plan
from tianji.workload import make_task

DATA = Path(__file__).parent / "data"


@cache
def listed(name: str) -> dict[str, list[str]]:
    lines = (DATA / name).read_text().splitlines()
    return {row[0]: row[1:] for line in lines if not line.startswith("#") and (row := line.split("\t"))}


def text_of(plan: Plan, target: str, name: str) -> str | None:
    try:
        bundle = render_plan(plan, target)
    except ExportError:
        return None
    return next(a.text for a in bundle.artefacts if a.name == name)


def launch_words(text: str) -> list[str]:
    words = next(c for c in read_script(text, "script").commands if "pretrain_gpt.py" in c)
    return words[words.index("pretrain_gpt.py") + 1 :]


def check_options(words: list[str], known: dict[str, list[str]]) -> None:
    at = 0
    while at < len(words):
        name, values = words[at], []
        assert name in known, f"{name} is no option of the engine"
        at += 1
        while at < len(words) and not words[at].startswith("--"):
            values.append(words[at])
            at += 1
        arity, choices = (known[name] + ["", ""])[:2]
        if arity in ("0", "1"):
            assert len(values) == int(arity), f"{name} takes {arity} values, got {values}"
        if choices:
            assert set(values) <= set(choices.split(",")), f"{name}: {values} is none of {choices}"


@settings(max_examples=80)
@given(plan=plans(("hgx-h100",)))
def test_every_megatron_option_is_known_with_its_values(plan: Plan) -> None:
    text = text_of(plan, "megatron", "pretrain_megatron.sh")
    if text:
        check_options(launch_words(text), listed("megatron_options.txt"))


@settings(max_examples=80)
@given(plan=plans(("atlas-950-superpod",)))
def test_every_mindspeed_option_is_known(plan: Plan) -> None:
    text = text_of(plan, "mindspeed", "pretrain_mindspeed.sh")
    if text:
        own = {name: [] for name in listed("mindspeed_options.txt")}
        check_options(launch_words(text), listed("megatron_options.txt") | own)


@pytest.mark.parametrize("task", ["pretrain", "lora", "reward", "embedding", "distill"])
@settings(max_examples=15)
@given(plan=plans(("hgx-h100",)))
def test_every_option_of_megatron_swift_is_known_with_its_values(task: str, plan: Plan) -> None:
    own = make_task(task, teacher=plan.job.model if task == "distill" else None)
    text = text_of(replace(plan, job=replace(plan.job, task=own)), "megatron-swift", "run_megatron_swift.sh")
    if text:
        words = next(c for c in read_script(text, "script").commands if "megatron" in c)
        check_options(words[words.index("megatron") + 2 :], listed("megatron_swift_options.txt"))


@pytest.mark.skipif(
    importlib.util.find_spec("megatron") is None or importlib.util.find_spec("megatron.training") is None,
    reason="Megatron-LM is not installed: its stored list of options is checked",
)
@settings(max_examples=20)
@given(plan=plans(("hgx-h100",)))
def test_megatron_itself_parses_the_options(plan: Plan) -> None:
    import argparse

    from megatron.training.arguments import add_megatron_arguments  # type: ignore[import-not-found]

    text = text_of(plan, "megatron", "pretrain_megatron.sh")
    if text:
        parser = add_megatron_arguments(argparse.ArgumentParser(allow_abbrev=False))
        assert parser.parse_args(launch_words(text)).num_layers == plan.job.model.num_layers


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {path: value}
    return {k: v for key, item in value.items() for k, v in leaves(item, f"{path}.{key}".lstrip(".")).items()}


@settings(max_examples=80)
@given(plan=plans(("hgx-h100",)))
def test_every_torchtitan_option_is_known_with_its_type(plan: Plan) -> None:
    text = text_of(plan, "torchtitan", "torchtitan.toml")
    if text is None:
        return
    for name, value in leaves(tomllib.loads(text)).items():
        assert name in listed("torchtitan_options.txt"), f"{name} is no option of torchtitan"
        kind = listed("torchtitan_options.txt")[name][0]
        if kind.startswith("Literal"):
            assert value in ast.literal_eval(kind.removeprefix("Literal").split(" | ")[0]), f"{name}: {value!r}, {kind}"
        elif kind in ("int", "bool", "str", "float"):
            assert type(value).__name__ == kind, f"{name}: {value!r} is no {kind}"


def fits(value: ast.expr, kind: str = "") -> bool:
    """Whether a literal is of a type as annotations spell it; what is no literal, or of no type that is listed, passes."""
    try:
        found = ast.literal_eval(value)
    except ValueError:
        return True
    words = set(re.findall(r"\w+", kind))
    if found is None:
        return not kind or bool(words & {"None", "Optional"})
    wide = {"int": {"int", "float"}, "list": {"list", "List"}, "tuple": {"tuple", "Tuple"}}.get(type(found).__name__)
    return not kind or bool(words & (wide or {type(found).__name__})) or (isinstance(found, str) and found in words)


@pytest.mark.parametrize(
    ("text", "kind", "right"),
    [
        ("3", "int", True), ("3", "Optional[float]", True), ("True", "int", False), ("'3'", "int", False),
        ("None", "Optional[str]", True), ("None", "bool", False), ("'a'", "Literal['a', 'b']", True), ("1.5", "int", False),
        ("AttnBackend.flash", "AttnBackend", True),
    ],
)  # fmt: skip
def test_a_literal_is_held_against_its_type(text: str, kind: str, right: bool) -> None:
    assert fits(ast.parse(text, mode="eval").body, kind) is right


@settings(max_examples=80)
@given(plan=plans(("hgx-h100",)))
def test_every_field_of_the_nemo_recipe_is_known_with_its_type(plan: Plan) -> None:
    text = text_of(plan, "nemo", "nemo_recipe.py")
    if text is None:
        return
    known = listed("megatron_bridge_fields.txt")
    for node in (n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Assign)):
        name = ast.unparse(node.targets[0])
        if name not in ("cfg", "model"):
            assert name in known, f"{name} is no field of the recipe"
            assert fits(node.value, *known[name]), f"{name} = {ast.unparse(node.value)} is no {known[name]}"


@settings(max_examples=80)
@given(plan=plans(("atlas-950-superpod",)))
def test_every_mindformers_key_is_known(plan: Plan) -> None:
    text = text_of(plan, "mindformers", "mindformers.yaml")
    if text:
        names = {part for name in leaves(yaml.safe_load(text)) for part in name.split(".")}
        assert not names - set(listed("mindformers_keys.txt"))
        assert check_document(yaml.safe_load(text), MINDFORMERS, "file") == []


def test_the_lists_say_where_they_come_from() -> None:
    for path in DATA.glob("*.txt"):
        assert re.match(r"# .*\d", path.read_text().splitlines()[0]), path.name
