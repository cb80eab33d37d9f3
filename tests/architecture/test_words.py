"""One word, one meaning, in identifiers too: the glossary is law, names that say nothing become fewer, money is never time."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "tianji"
GLOSSARY = (ROOT / "docs" / "nomenclature.md").read_text()

SAYING_NOTHING = {"found": 100, "held": 0, "told": 0, "mine": 0, "some": 0, "said": 0, "theirs": 0}
"""Uses of names that fit anything. A bound may only go down: name what a variable is."""

MONEY_FREE_ROOMS = ("parallel", "perf", "prediction", "reliability", "search", "validation", "workload")
"""Rooms of time and memory. What they give is an estimate; a cost or a price is money, and ``economics`` has it."""

OTHER_MEANING = {
    "error": "what an exception is called; and the relative error of a prediction, which the glossary has",
    "layer": "of a model",
    "tier": "of a pool",
    "log": "a logarithm; and the log of events",
    "network": "of hosts or of a price: the equipment, where no link of a chip is meant",
    "report": "what an agent reports; and the folder of pages",
    "system": "of equations",
    "parameter": "a number of a model",
    "generation": "of chips",
    "span": "the chips that a unit of a tier joins",
    "mapping": "Python's word for a dictionary",
}
"""Words of the last column that have a meaning of their own beside the one that the column takes from them."""

ALLOWED = {
    "communicator": ({"hardware"}, "what NCCL and HCCL keep in memory, one for each group"),
    "config": ({"backends", "migration", "workload"}, "the file config.json of a published model; a repository's own"),
    "device": (
        {"api", "backends", "cli", "migration"},
        "what a framework computes on, the CPU too",
    ),
    "domain": ({"hardware", "reliability", "report"}, "a domain of failure: what goes down together"),
    "machine": (
        {"api", "backends", "measurements", "operation", "report"},
        "the one computer that the command runs on or measures",
    ),
    "graph": ({"migration"}, "of imports"),
    "metric": (
        {"api", "catalog", "cli", "migration"},
        "a column of a published table of failures; of a task, in a log",
    ),
    "npu": ({"migration"}, "in the name torch_npu, and what a repository calls a chip"),
    "server": ({"catalog"}, "an item of a bill: the hosts around the chips"),
}
"""Words that are the name outside for something of ours, with the rooms that have it."""


@cache
def trees() -> dict[Path, ast.Module]:
    return {path.relative_to(SOURCE): ast.parse(path.read_text()) for path in sorted(SOURCE.rglob("*.py"))}


def identifiers(tree: ast.AST) -> Iterator[str]:
    """Yield each use of a name: variables, arguments, attributes, keywords, functions and classes."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                yield name
            case ast.keyword(arg=str(name)):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name


@cache
def uses_of_names() -> dict[Path, Counter[str]]:
    return {path: Counter(identifiers(tree)) for path, tree in trees().items()}


def public_names(tree: ast.Module | ast.ClassDef) -> Iterator[str]:
    """Yield what callers see: functions with their arguments, classes with their fields and methods, constants."""
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if not name.startswith("_"):
                yield name
                yield from (a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs))
            case ast.ClassDef(name=name) if not name.startswith("_"):
                yield name
                yield from public_names(node)
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                if not name.startswith("_"):
                    yield name


def words_of(name: str) -> set[str]:
    """Return the words of an identifier, in the singular: of ``NodeReports`` they are node and report."""
    return {word.lower().removesuffix("s") for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def unwanted_words() -> dict[str, str]:
    """Return each single word of the glossary's last column with the word to say in its place."""
    table = GLOSSARY.partition("## Things")[2].partition("\n## ")[0]
    unwanted = {}
    for wanted, _, instead in re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]*) ?\|$", table, re.M):
        for word in re.sub(r"\([^)]*\)", "", instead).split(","):
            if re.fullmatch(r"[A-Za-z]+", word := word.strip()):
                unwanted[word.lower().removesuffix("s")] = wanted
    return unwanted


def test_the_glossary_is_read() -> None:
    unwanted = unwanted_words()
    assert unwanted["gpu"] == unwanted["card"] == "chip"
    assert unwanted["cluster"] == "pool"
    assert not OTHER_MEANING.keys() - unwanted.keys(), "a word is excused that the glossary does not forbid"


def test_no_public_name_uses_a_word_that_the_glossary_replaces() -> None:
    unwanted = {word: wanted for word, wanted in unwanted_words().items() if word not in OTHER_MEANING}
    broken = [
        f"{path}: {name} says {word!r}: say {unwanted[word]!r}"
        for path, tree in trees().items()
        for name in public_names(tree)
        for word in words_of(name) & unwanted.keys()
        if path.parts[0] not in ALLOWED.get(word, (set(), ""))[0]
    ]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("word", SAYING_NOTHING)
def test_names_that_say_nothing_become_fewer(word: str) -> None:
    uses = Counter({str(path): n for path, names in uses_of_names().items() if (n := names[word])})
    assert uses.total() <= SAYING_NOTHING[word], f"{word}: {uses.total()} uses, most in {uses.most_common(5)}"


def test_no_public_name_says_nothing() -> None:
    names = {(str(path), name) for path, tree in trees().items() for name in public_names(tree)}
    empty = sorted(f"{path}: {name}" for path, name in names if name in SAYING_NOTHING)
    assert not empty


def test_money_words_are_for_money() -> None:
    uses = Counter(
        f"{path}: {name}"
        for path, names in uses_of_names().items()
        if path.parts[0] in MONEY_FREE_ROOMS
        for name in names
        if words_of(name) & {"cost", "price", "priced"}
    )
    assert not uses, f"a cost or a price is money: {uses.most_common()}"


def test_nothing_that_costs_or_is_priced_is_in_seconds() -> None:
    """A function that answers in seconds, or a field in seconds, has no name of money."""
    broken = []
    for path, tree in trees().items():
        for node in ast.walk(tree):
            match node:
                case ast.FunctionDef(name=name, returns=ast.Name(id="Seconds")):
                    pass
                case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id="Seconds")):
                    pass
                case ast.arg(arg=name, annotation=ast.Name(id="Seconds")):
                    pass
                case _:
                    continue
            if words_of(name) & {"cost", "price", "cheap", "dear"}:
                broken.append(f"{path}: {name}")
    assert not broken


def test_a_percentage_is_spelled_one_way() -> None:
    wrong = [
        f"{path}:{node.lineno}"
        for path, tree in trees().items()
        if path.name != "layouts.py"  # A layout is words without a blank inside: `selective-recompute-50%`.
        for node in ast.walk(tree)
        if isinstance(node, ast.FormattedValue) and node.format_spec and ast.unparse(node.format_spec).endswith("%'")
    ]
    assert not wrong, "format_percent writes `12 %`; Python's format writes `12%`"


def test_a_page_spells_a_percentage_one_way() -> None:
    """As the terminal does; names of layouts (`full-recompute-20%`) and code are left out."""
    wrong = []
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        text = re.sub(r"^( *)```.*?^ *```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
        wrong += [f"{page.name}: {match[0]}" for match in re.finditer(r"\S*\d%", text) if "recompute" not in match[0]]
    assert not wrong, "a page says 12 %, not 12%"
