"""What the parser of a framework would stop at: asked before anything is written, and of a plan for a framework that is named."""

from __future__ import annotations

from collections.abc import Iterator

from tianji.exporters.contract import Limits
from tianji.exporters.formats.arguments import Tree
from tianji.exporters.formats.shell_scripts import shell_words
from tianji.exporters.megatron_family.dialect import Dialect
from tianji.exporters.rules.tables import ReleaseRule, load_rules


def broken_rules(options: Tree, dialect: Dialect) -> Iterator[ReleaseRule]:
    """Yield the rules of the framework that options break."""
    return load_rules(dialect.rules).broken({a.name: shell_words(a.value) for a in options})


def ask_parser(options: Tree, limits: Limits, dialect: Dialect) -> None:
    """Refuse what the framework's own checks would stop at, or run otherwise than it is priced."""
    for rule in broken_rules(options, dialect):
        advice = f"take {rule.plan}" if rule.plan else f"it takes {rule.fix}"
        limits.refuse(f"{rule.says} ({advice}; {rule.source})")
