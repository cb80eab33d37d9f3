"""Documents and command line are in step, and the command line starts light."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from tianji.cli import main
from tianji.cli.group import COMMANDS, OLD_NAMES

ROOT = Path(__file__).parents[2]
HEAVY = ("numpy", "rich", "matplotlib", "scipy")


def commands(group: click.Command, path: tuple[str, ...] = ("tianji",)) -> Iterator[tuple[str, click.Command]]:
    yield " ".join(path), group
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            yield from commands(command, (*path, name))
    else:
        for name, part in getattr(group, "commands", {}).items():
            yield from commands(part, (*path, name))


def test_every_command_is_documented() -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    missing = [path for path, _ in commands(main) if f"`{path}" not in page and f"\n{path}" not in page]
    assert not missing


def test_every_option_is_documented() -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    words = set(re.findall(r"--[a-z][a-z0-9-]*", page))
    for path, command in commands(main):
        options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
        missing = [name for o in options for name in o.opts if name.startswith("--") and name not in words]
        assert not missing, f"{path}: docs/cli.md does not name {missing}"


def test_every_documented_option_exists() -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    known = {o for _, c in commands(main) for p in c.params for o in (*p.opts, *p.secondary_opts)} | {"--help"}
    assert not set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", page)) - known


def test_every_command_and_option_has_help() -> None:
    for path, command in commands(main):
        assert command.help, f"{path} has no help"
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.help, f"{path} {option.opts[0]} has no help"


def test_the_pages_name_commands_that_there_are() -> None:
    known = {*COMMANDS, *OLD_NAMES}
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        named = set(re.findall(r"(?:^|^ {4}|^\$ |`)tianji ([a-z]+)(?! \d)\b", page.read_text(), re.MULTILINE))
        assert not named - known, page.name


def test_the_chinese_front_shows_what_the_front_shows() -> None:
    """The same commands, figures, rooms and links, in the same order; only the words are others."""
    fronts = [(ROOT / name).read_text() for name in ("README.md", "README.zh-CN.md")]
    for pattern in (
        r"^(?:bash|tianji|pip|import|plans)[^#\n]*?(?= *(?:#.*)?$)",
        r"`src/tianji/\w+/`|`tests/`",
        r"\]\((?!README)([^)]+)\)",
    ):
        english, chinese = (re.findall(pattern, front, re.MULTILINE) for front in fronts)
        assert english
        assert chinese == english
    rows = [
        re.findall(r"[\d.,]*\d", line)
        for front in fronts
        for line in front.splitlines()
        if re.match(r"\|.*\(|\|.*（", line)
    ]
    assert rows[: len(rows) // 2] == rows[len(rows) // 2 :]


def test_every_link_between_documents_leads_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())]
    broken = [f"{p.name}: {to}" for p, to in links if "://" not in to and not (p.parent / to).exists()]
    assert not broken


def test_the_command_line_starts_without_heavy_imports() -> None:
    code = f"import sys, tianji.cli; print(*(m for m in {HEAVY!r} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
