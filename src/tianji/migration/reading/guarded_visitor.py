"""A walk of a syntax tree that knows under which guard each part of it is met."""

from __future__ import annotations

import ast
from collections.abc import Callable

from tianji.migration.facts import Guard
from tianji.migration.reading.device_texts import DEVICE_WORDS
from tianji.migration.reading.guards import guard_of_body
from tianji.migration.reading.python_names import chain_of
from tianji.migration.reading.python_shapes import is_text

_TYPES = frozenset({"Union", "Optional", "List", "Tuple", "Dict", "Type", "Callable", "Sequence", "ClassVar"})


class GuardedVisitor:
    """Visits each node once; what a node is in (a type, a test, a list of words) says under which guard its parts are met."""

    def __init__(self) -> None:
        self.guard = Guard.NONE
        self.seen: set[int] = set()
        """Nodes that are read already."""
        self.handlers: dict[type[ast.AST], Callable[..., None]] = {
            ast.BoolOp: self.on_bool,
            ast.Subscript: self.on_subscript,
            ast.AnnAssign: self.on_annotated,
            ast.arg: self.on_argument,
            ast.List: self.on_words,
            ast.Tuple: self.on_words,
            ast.Set: self.on_words,
            ast.Delete: self.on_delete,
        }

    def visit(self, node: ast.AST) -> None:
        """Visit a node by its handler, or its parts."""
        handler = self.handlers.get(type(node))
        if handler is None:
            self.visit_children(node)
        else:
            handler(node)

    def visit_children(self, node: ast.AST) -> None:
        """Visit the parts of a node, in their order."""
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, list):
                for item in value:
                    if isinstance(item, ast.AST):
                        self.visit(item)
            elif isinstance(value, ast.AST):
                self.visit(value)

    def under(self, guard: Guard, *nodes: ast.AST | None) -> None:
        """Visit nodes under a guard; one that is there already stays."""
        saved = self.guard
        self.guard = guard if saved is Guard.NONE else saved
        for node in nodes:
            if node is not None:
                self.visit(node)
        self.guard = saved

    def on_bool(self, node: ast.BoolOp) -> None:
        """What stands behind a test for CUDA in a chain of ``and`` is met with CUDA only."""
        saved = self.guard
        for value in node.values:
            self.visit(value)
            if isinstance(node.op, ast.And):
                self.guard = guard_of_body(value, self.guard)[0]
        self.guard = saved

    def on_subscript(self, node: ast.Subscript) -> None:
        """What a type is made of is read by no device; a literal key is a name of the repository's own."""
        self.visit(node.value)
        chain = chain_of(node.value) or [""]
        if chain[-1] in _TYPES:
            self.under(Guard.ANNOTATION, node.slice)
        elif is_text(node.slice, "cuda"):
            self.under(Guard.NAME, node.slice)
        else:
            self.visit(node.slice)

    def on_annotated(self, node: ast.AnnAssign) -> None:
        """Visit the type of a variable as one."""
        self.annotation(node.annotation)
        self.visit(node.target)
        if node.value is not None:
            self.visit(node.value)

    def on_argument(self, node: ast.arg) -> None:
        """Visit the type of an argument as one."""
        self.annotation(node.annotation)

    def annotation(self, node: ast.expr | None) -> None:
        """Visit a type. The words of a Literal are no mere type: readers of arguments and settings refuse others."""
        chain = chain_of(node.value) if isinstance(node, ast.Subscript) else None
        self.under(self.guard if chain and chain[-1] == "Literal" else Guard.ANNOTATION, node)

    def on_words(self, node: ast.List | ast.Tuple | ast.Set) -> None:
        """A list of words that names other things than devices, like languages, names none; one with the NPU has its answer."""
        words = {
            item.value.lower() for item in node.elts if isinstance(item, ast.Constant) and isinstance(item.value, str)
        }
        if "cuda" in words and len(words) > 2 and not words - {"cuda"} & DEVICE_WORDS:
            self.seen.update(id(item) for item in node.elts)
        self.under(Guard.ANSWERED if "npu" in words else self.guard, *node.elts)

    def on_delete(self, node: ast.Delete) -> None:
        """A variable that is taken away asks for no device."""
        self.under(Guard.UNSET, *node.targets)
