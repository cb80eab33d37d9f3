"""Rewrite one Python file so that the device comes from a helper; everything else keeps its form to the letter."""

from __future__ import annotations

import ast

import libcst as cst
from libcst.helpers import get_full_name_for_node

from tianji.migration.judging.cuda_names import load_cuda_names
from tianji.migration.reading.device_texts import COMPOSITE

HELPER = "device_layer"
_SHOWING = frozenset({"print", "debug", "info", "warning", "log", "error", "format"})
_TEXTS = {"cuda": "DEVICE", "nccl": "BACKEND", "CUDA_VISIBLE_DEVICES": "VISIBLE_DEVICES"}


class DeviceNeutral(cst.CSTTransformer):
    """Puts the helper's names where a file names CUDA; ``count`` says how many places changed."""

    def __init__(self, helper: str = HELPER) -> None:
        super().__init__()
        self.helper = helper
        self.count = 0
        self.kept: set[cst.CSTNode] = set()
        self.modules: set[cst.CSTNode] = set()
        self.inside: set[cst.CSTNode] = set()

    def _use(self, name: str) -> cst.Attribute:
        self.count += 1
        return cst.Attribute(cst.Name(self.helper), cst.Name(name))

    # What stays as it is

    def visit_Annotation(self, node: cst.Annotation) -> bool:
        """Leave annotations alone."""
        return False

    def visit_Import(self, node: cst.Import) -> bool:
        """Leave imports alone."""
        return False

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        """Leave imports alone."""
        return False

    def visit_Expr(self, node: cst.Expr) -> bool:
        """Leave documentation alone."""
        return not isinstance(node.value, cst.SimpleString | cst.ConcatenatedString)

    def visit_DictElement(self, node: cst.DictElement) -> None:
        """Keep the keys of tables: they are looked up by others."""
        self.kept.add(node.key)

    def visit_Subscript(self, node: cst.Subscript) -> None:
        """Keep what is looked up, and the words of ``Literal``; environment variables are chosen by the helper."""
        for element in node.slice:
            index = element.slice.value if isinstance(element.slice, cst.Index) else None
            if index is not None and not _is_text(index, "CUDA_VISIBLE_DEVICES"):
                self.kept.add(index)

    def visit_Call(self, node: cst.Call) -> None:
        """Keep what is only shown."""
        name = get_full_name_for_node(node.func) or ""
        if name.rsplit(".", 1)[-1] in _SHOWING:
            self.kept.update(argument.value for argument in node.args)

    def visit_ConcatenatedString(self, node: cst.ConcatenatedString) -> bool:
        """Leave texts of several parts alone."""
        return False

    # What changes

    def visit_Attribute(self, node: cst.Attribute) -> None:
        """Mark ``torch.cuda`` in a chain whose whole name has the same name below ``torch.npu``."""
        if node in self.inside:
            return
        name = get_full_name_for_node(node) or ""
        chain: cst.BaseExpression = node
        while isinstance(chain, cst.Attribute):
            self.inside.add(chain)
            if get_full_name_for_node(chain) == "torch.cuda" and chain is not node and _is_automatic(name):
                self.modules.add(chain)
            chain = chain.value

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.BaseExpression:
        """Replace a marked ``torch.cuda``, and ``x.is_cuda`` by a test of the type."""
        if original_node in self.modules:
            return self._use("module").with_changes(lpar=updated_node.lpar, rpar=updated_node.rpar)
        if updated_node.attr.value == "is_cuda":
            self.count += 1
            test = cst.parse_expression(f"(x.device.type == {self.helper}.DEVICE)")
            return test.with_deep_changes(_receiver(test), value=updated_node.value)
        return updated_node

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        """Turn ``x.cuda(...)`` into ``x.to(DEVICE, ...)``; a rank as the first argument becomes part of the device."""
        func = updated_node.func
        if not isinstance(func, cst.Attribute) or func.attr.value != "cuda" or _is_module(original_node.func):
            return updated_node
        args = list(updated_node.args)
        device: cst.BaseExpression = self._use("DEVICE")
        if args and args[0].keyword is None and not args[0].star:
            rank = args.pop(0).value
            device = cst.FormattedString(
                [
                    cst.FormattedStringExpression(device),
                    cst.FormattedStringText(":"),
                    cst.FormattedStringExpression(rank),
                ]
            )
            if any(isinstance(part, cst.SimpleString | cst.FormattedString) for part in (rank,)):
                return updated_node
        elif any(argument.keyword is not None and argument.keyword.value == "device" for argument in args):
            return updated_node
        comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" ")) if args else cst.MaybeSentinel.DEFAULT
        first = cst.Arg(device, comma=comma)
        return updated_node.with_changes(func=func.with_changes(attr=cst.Name("to")), args=[first, *args])

    def leave_SimpleString(self, original_node: cst.SimpleString, updated_node: cst.SimpleString) -> cst.BaseExpression:
        """Replace a text that is a device, a back-end or the variable of visible devices."""
        if original_node in self.kept or "b" in original_node.prefix.lower():
            return updated_node
        value = updated_node.evaluated_value
        if not isinstance(value, str):
            return updated_node
        if (name := _TEXTS.get(value)) is not None:
            return self._use(name).with_changes(lpar=updated_node.lpar, rpar=updated_node.rpar)
        if value.startswith("cuda:") and value[5:].isdigit():
            return self._formatted(f":{value[5:]}")
        if COMPOSITE.search(value) and value == "cpu:gloo,cuda:nccl":
            self.count += 1
            return cst.parse_expression(f'f"cpu:gloo,{{{self.helper}.DEVICE}}:{{{self.helper}.BACKEND}}"')
        return updated_node

    def _formatted(self, rest: str) -> cst.BaseExpression:
        self.count += 1
        return cst.parse_expression(f'f"{{{self.helper}.DEVICE}}{rest}"')

    def visit_FormattedString(self, node: cst.FormattedString) -> None:
        """Keep what stands inside a text in which the quotes are taken."""
        for part in node.parts:
            if isinstance(part, cst.FormattedStringExpression):
                self.kept.add(part.expression)

    def leave_FormattedString(
        self, original_node: cst.FormattedString, updated_node: cst.FormattedString
    ) -> cst.BaseExpression:
        """Replace the device at the start of ``f"cuda:{rank}"``."""
        first = updated_node.parts[0] if updated_node.parts else None
        if original_node in self.kept or not isinstance(first, cst.FormattedStringText):
            return updated_node
        if not first.value.startswith("cuda:"):
            return updated_node
        start = cst.FormattedStringExpression(self._use("DEVICE"))
        rest = first.with_changes(value=first.value.removeprefix("cuda"))
        return updated_node.with_changes(parts=[start, rest, *updated_node.parts[1:]])


def _receiver(test: cst.BaseExpression) -> cst.CSTNode:
    comparison = cst.ensure_type(test, cst.Comparison)
    return cst.ensure_type(cst.ensure_type(comparison.left, cst.Attribute).value, cst.Attribute)


def _is_text(node: cst.BaseExpression, text: str) -> bool:
    return isinstance(node, cst.SimpleString) and node.evaluated_value == text


def _is_module(node: cst.BaseExpression) -> bool:
    return (get_full_name_for_node(node) or "").startswith("torch.cuda")


def _is_automatic(name: str) -> bool:
    row = load_cuda_names().find(name)
    return row is not None and row.mechanical == "automatic" and row.answer.startswith(("torch_npu.npu.", "torch.npu."))


def rewrite(text: str, statement: str) -> tuple[str, int]:
    """Return a file's text with the device from the helper, and how many places changed.

    ``statement`` imports the helper, by the name that stands last in it; it is put after the last import at the top, once. A
    text that cannot be parsed, or whose new form cannot, comes back as it is.
    """
    try:
        tree = cst.parse_module(text)
        transformer = DeviceNeutral(statement.rsplit(" ", 1)[-1])
        changed = tree.visit(transformer)
        if not transformer.count:
            return text, 0
        has_it = any(line.strip() == statement for line in text.splitlines())
        result = changed.code if has_it else _add_import(changed, statement).code
        ast.parse(result)
    except (cst.ParserSyntaxError, cst.CSTValidationError, SyntaxError, ValueError, RecursionError):
        return text, 0
    return result, transformer.count


def _add_import(tree: cst.Module, statement: str) -> cst.Module:
    body = list(tree.body)
    place = 0
    for index, node in enumerate(body):
        if not isinstance(node, cst.SimpleStatementLine):
            break
        first = node.body[0]
        is_text = isinstance(first, cst.Expr) and isinstance(first.value, cst.SimpleString | cst.ConcatenatedString)
        if isinstance(first, cst.Import | cst.ImportFrom) or (is_text and index == 0):
            place = index + 1
        elif not is_text:
            break
    line = cst.parse_statement(statement + "\n")
    return tree.with_changes(body=[*body[:place], line, *body[place:]])
