"""Writes the reference pages that the code already states.

The command line comes from its help texts, Python from its docstrings, the catalog from its entries. docs/conf.py calls this at
each build; the pages are not kept in the repository.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click

import tianji
from tianji.api.operation_parts import PARTS
from tianji.cli import main as command_line


def write_pages(folder: Path) -> None:
    """Write all generated pages into a folder, those that did not change left alone."""
    folder.mkdir(exist_ok=True)
    for name, text in {
        "cli.md": command_line_page(),
        "python.md": python_page(),
        "catalog.md": catalog_page(),
    }.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def walk_commands(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, click.Command]]:
    """Yield a command and all below it with the words that call them."""
    yield " ".join(path), command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None and not child.hidden:
                yield from walk_commands(child, (*path, name))
    else:
        for name, part in getattr(command, "commands", {}).items():
            yield from walk_commands(part, (*path, name))


def command_line_page() -> str:
    """Return a section for each command: usage, what it does, its options."""
    parts = [
        "# Command line",
        "Each section is what `--help` prints. [The guide](../cli.md) shows commands with their output.",
    ]
    for call, command in walk_commands(command_line, ("tianji",)):
        context = click.Context(command, info_name=call)
        usage = " ".join(command.collect_usage_pieces(context))
        parts += [f"## `{call}`", f"    {call} {usage}", clean_help(command.help or "")]
        rows = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
        if rows:
            parts.append("\n".join(["| option | does |", "|---|---|", *(option_row(row, context) for row in rows)]))
    return "\n\n".join(parts) + "\n"


def clean_help(text: str) -> str:
    """Return a help text as Markdown: paragraphs that click must not wrap become literal blocks."""
    blocks = []
    for block in text.replace("\f", "").strip().split("\n\n"):
        if block.startswith("\b"):
            blocks.append("\n".join("    " + line for line in block.removeprefix("\b").strip("\n").splitlines()))
        else:
            blocks.append(" ".join(block.split()).replace("<", "\\<"))
    return "\n\n".join(blocks)


def option_row(option: click.Option, context: click.Context) -> str:
    """Return one option as a row of a table."""
    record = option.get_help_record(context)
    names, text = record if record else (" / ".join(option.opts), option.help or "")
    return f"| `{names.replace('|', '/')}` | {' '.join(text.split()).replace('|', '/').replace('<', chr(92) + '<')} |"


def python_page() -> str:
    """Return the exported names, verbs first, each from its docstring."""
    verbs = [name for name in tianji.__all__ if name[0].islower()]
    nouns = [name for name in tianji.__all__ if name[0].isupper()]
    parts = ["# Python", "All names below are imported from `tianji`; each is loaded when it is first used."]
    for title, names, directive in (("Functions", verbs, "autofunction"), ("Types", nouns, "autoclass")):
        parts.append(f"## {title}")
        for name in names:
            value = getattr(tianji, name)
            if isinstance(value, ModuleType):
                group = [getattr(value, verb) for verb in value.__all__]
                parts += [f"```{{eval-rst}}\n.. {directive}:: {v.__module__}.{v.__qualname__}\n```" for v in group]
                continue
            kind = directive if callable(value) or isinstance(value, type) else "autodata"
            if isinstance(value, type) and issubclass(value, Exception):
                kind = "autoexception"
            parts.append(f"```{{eval-rst}}\n.. {kind}:: {value.__module__}.{value.__qualname__}\n```")
            for part, function in PARTS.items() if name == "operate" else ():
                parts.append(f"`tianji.operate.{part}` is this function:")
                parts.append(f"```{{eval-rst}}\n.. {kind}:: {function.__module__}.{function.__qualname__}\n```")
    return "\n\n".join(parts) + "\n"


def catalog_page() -> str:
    """Return the entries of the catalog in tables, a line for each."""
    chips = [tianji.load_chip(name) for name in tianji.list_chips()]
    pools = [tianji.load_pool(name) for name in tianji.list_pools()]
    models = [tianji.load_model(name) for name in tianji.list_models()]
    parts = [
        "# Catalog",
        "What ships with Tianji. `tianji browse NAME` shows an entry with the source of every figure; "
        "[the guide](../catalog.md) tells how to add one.",
        "## Chips",
        table(("name", "title", "ecosystem", "status"), [(c.name, c.title, c.ecosystem, c.status) for c in chips]),
        "## Pools",
        table(("name", "title", "chip", "chips"), [(p.name, p.title, p.chip.name, f"{p.chips:,}") for p in pools]),
        "## Models",
        table(
            ("name", "parameters", "active", "layers"),
            [
                (m.name, f"{m.num_parameters / 1e9:.1f} B", f"{m.num_active_parameters / 1e9:.1f} B", str(m.num_layers))
                for m in models
            ],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in rows]
    return "\n".join(lines)
