"""Read a Python file by its syntax tree: what it imports, and each place that a move to another device may touch."""

from __future__ import annotations

import ast
import warnings

from tianji.migration.facts import FileFacts, FileKind, Guard, Occurrence
from tianji.migration.reading.device_texts import (
    AVAILABILITY,
    CUDA_OPTIONS,
    DEVICE_KINDS,
    OTHER_DEVICES,
    OTHER_MODULES,
    PEAKS,
    classify_text,
    is_device_prefix,
)
from tianji.migration.reading.guarded_visitor import GuardedVisitor
from tianji.migration.reading.guards import guard_of_body, is_optional_import
from tianji.migration.reading.python_names import Names, chain_of
from tianji.migration.reading.python_shapes import (
    assigns,
    is_main,
    is_setting,
    is_text,
    is_variable,
    makes_contiguous,
    names_rank,
    texts_in,
)

LONGEST = 160
"""Letters of a source line that a occurrence keeps."""
FOREIGN = ("torch.cuda", "torch.backends", "torch.version.cuda", "torch.xpu", "torch.hpu")
_JIT = frozenset({"triton.jit", "triton.runtime.jit.jit"})
_TEXT_CONTEXTS = {
    "torch.device": "idiom:device-object",
    "torch.autocast": "idiom:autocast-string",
    "torch.amp.autocast": "idiom:autocast-string",
    "torch.distributed.device_mesh.init_device_mesh": "idiom:device-mesh",
    "torch.distributed.init_device_mesh": "idiom:device-mesh",
}
_SHOWING = frozenset({"print", "debug", "info", "warning", "log", "rank0_print", "print_rank_0", "info_once"})
"""Functions that show their arguments."""
_COLLECTIVE_STARTS = ("init_process_group", "new_group", "setup_distributed", "init_distributed")


def read_python(path: str, text: str) -> FileFacts:
    """Return the facts of a Python file; one that Python cannot parse says so in ``problem``.

    The text is parsed and never executed or imported.
    """
    facts = FileFacts(path, FileKind.PYTHON, num_lines=text.count("\n") + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # An odd escape in a stranger's text is his business.
            tree = ast.parse(text)
        _Reader(facts, text).read(tree)
    except SyntaxError as error:
        facts.problem = f"is no Python of version 3 (line {error.lineno or 0}: {error.msg})"
    except (RecursionError, MemoryError):
        facts.problem = "is nested too deeply to be read"
    except ValueError as error:
        facts.problem = f"cannot be parsed ({error})"
    return facts


class _Reader(GuardedVisitor):
    """One pass over a tree; chains are resolved at the end, when all imports of the file are known."""

    def __init__(self, facts: FileFacts, text: str) -> None:
        super().__init__()
        self.facts = facts
        self.lines = text.splitlines()
        self.names = Names(facts.path)
        self.depth = 0
        self.chains: list[tuple[list[str], int, Guard, bool]] = []
        self.taken: list[tuple[str, int, Guard]] = []
        """Names imported from ``torch.cuda``, with line and guard."""
        self.uses_ray = "ray" in text
        self.counts_flops = "flop" in text.lower() or "mfu" in text.lower()
        self.handlers |= {
            ast.Import: self.on_import,
            ast.ImportFrom: self.on_import_from,
            ast.Attribute: self.on_attribute,
            ast.Name: self.on_name,
            ast.Call: self.on_call,
            ast.Constant: self.on_constant,
            ast.JoinedStr: self.on_joined,
            ast.BinOp: self.on_binary,
            ast.Compare: self.on_compare,
            ast.If: self.on_if,
            ast.IfExp: self.on_if,
            ast.Try: self.on_try,
            ast.Assign: self.on_assign,
            ast.Expr: self.on_expression,
            ast.FunctionDef: self.on_function,
            ast.AsyncFunctionDef: self.on_function,
            ast.Dict: self.on_dict,
            ast.arguments: self.on_arguments,
            ast.ClassDef: self.on_class,
        }

    def read(self, tree: ast.Module) -> None:
        self.facts.is_settings = any(map(assigns, tree.body)) and all(map(is_setting, tree.body))
        self.visit(tree)
        self.resolve_chains()
        self.facts.imports = self.names.imports
        self.facts.occurrences.sort(key=lambda occurrence: (occurrence.line, occurrence.symbol))

    def add(self, line: int, symbol: str, detail: str = "", guard: Guard | None = None) -> None:
        text = self.lines[line - 1].strip()[:LONGEST] if 0 < line <= len(self.lines) else ""
        self.facts.occurrences.append(
            Occurrence(self.facts.path, line, symbol, text, self.guard if guard is None else guard, detail)
        )

    # Imports and names

    def on_import(self, node: ast.Import) -> None:
        self.names.add_import(node, self.import_guard())

    def import_guard(self) -> Guard:
        return Guard.LAZY if self.guard is Guard.NONE and self.depth else self.guard

    def on_import_from(self, node: ast.ImportFrom) -> None:
        self.names.add_import_from(node, self.import_guard())
        for alias in node.names:
            if AVAILABILITY.match(alias.name) or (node.module or "").startswith(OTHER_MODULES):
                self.seen_availability(alias.name, node.lineno)
            elif (node.module or "").startswith("torch.cuda"):
                self.taken.append((f"{node.module}.{alias.name}", node.lineno, self.guard))

    def on_name(self, node: ast.Name) -> None:
        self.chains.append(([node.id], node.lineno, self.guard, False))

    def on_attribute(self, node: ast.Attribute, is_called: bool = False) -> None:
        chain = chain_of(node)
        if chain is not None:
            self.chains.append((chain, node.lineno, self.guard, is_called))
        else:
            self.on_method(node.attr, node.lineno, is_called)
            self.visit(node.value)
        if node.attr in DEVICE_KINDS and chain is not None and len(chain) >= 2 and chain[-2].endswith("Type"):
            self.add(node.lineno, "idiom:device-kind", node.attr)

    def on_method(self, name: str, line: int, is_called: bool) -> None:
        if name == "is_cuda":
            self.add(line, "idiom:is-cuda")
        elif name == "cuda" and is_called:
            self.add(line, "idiom:cuda-method")
        elif is_called:
            self.facts.methods.setdefault(name, []).append(line)

    def resolve_chains(self) -> None:
        """Turn chains into occurrences and names, now that the file's imports are known."""
        for chain, line, guard, is_called in self.chains:
            dotted = self.names.resolve(chain)
            if not dotted:
                if len(chain) > 1:
                    saved, self.guard = self.guard, guard
                    self.on_method(chain[-1], line, is_called)
                    self.guard = saved
                continue
            if dotted.startswith("torch.") or dotted == "torch":
                self.facts.names.setdefault(dotted, []).append(line)
                if dotted.startswith(FOREIGN):
                    self.add(line, dotted, guard=guard)
            elif is_called or len(chain) > 1:
                self.facts.names.setdefault(dotted, []).append(line)
        used = tuple(self.facts.names)
        for dotted, line, guard in self.taken:
            # What is handed on, or used under a name that is bound anew, is met where it is imported.
            if not any(name == dotted or name.startswith(f"{dotted}.") for name in used):
                self.add(line, dotted, guard=guard)

    # Calls and texts

    def on_call(self, node: ast.Call) -> None:
        function = node.func
        chain = chain_of(function) or []
        last = chain[-1] if chain else function.attr if isinstance(function, ast.Attribute) else ""
        dotted = self.names.resolve(chain) if chain else ""
        self.read_arguments(node, dotted, last)
        if isinstance(function, ast.Attribute):
            self.on_attribute(function, is_called=True)
            if AVAILABILITY.match(function.attr):
                self.seen_availability(function.attr, function.lineno)
        elif isinstance(function, ast.Name):
            self.chains.append(([function.id], function.lineno, self.guard, True))
            if AVAILABILITY.match(function.id):
                self.seen_availability(function.id, function.lineno)
        else:
            self.visit(function)
        saved = self.guard
        if last in _SHOWING and self.guard is Guard.NONE:
            self.guard = Guard.SHOWN
        elif (
            last in ("pop", "unsetenv", "delenv")
            and node.args
            and is_variable(node.args[0])
            and self.guard is Guard.NONE
        ):
            self.guard = Guard.UNSET
        for argument in node.args:
            self.visit(argument)
        for keyword in node.keywords:
            is_branch = keyword.arg == "map_location" and isinstance(keyword.value, ast.IfExp)
            self.under(Guard.LOADING if is_branch else self.guard, keyword.value)
        self.guard = saved

    def read_arguments(self, node: ast.Call, dotted: str, last: str) -> None:
        """Note what arguments say that depends on the function they are given to."""
        symbol = _TEXT_CONTEXTS.get(dotted) or ("idiom:device-mesh" if last == "init_device_mesh" else "")
        for argument in [*node.args, *(k.value for k in node.keywords)]:
            if (
                symbol
                and isinstance(argument, ast.Constant)
                and classify_text(str(argument.value)) == "idiom:device-string"
            ):
                self.add(argument.lineno, symbol, str(argument.value))
                self.seen.add(id(argument))
        if last in ("to", "device") and len(node.args) == 1 and names_rank(node.args[0]) and last == "to":
            self.add(node.lineno, "idiom:device-int", last)
        for keyword in node.keywords:
            self.read_keyword(node, keyword, last)
        if last in ("set_start_method", "get_context") and node.args and is_text(node.args[0], "fork"):
            self.add(node.lineno, "idiom:fork")
        if last == "get" and node.args and is_text(node.args[0], "GPU") and self.uses_ray:
            self.add(node.lineno, "idiom:ray-resource", "GPU")
        if last == "double" and not node.args:
            self.add(node.lineno, "idiom:float64", ".double()")

    def read_keyword(self, node: ast.Call, keyword: ast.keyword, last: str) -> None:
        value = keyword.value
        if keyword.arg == "num_gpus" and self.uses_ray:
            self.add(value.lineno, "idiom:ray-resource", "num_gpus")
        elif keyword.arg == "device" and names_rank(value):
            self.add(value.lineno, "idiom:device-int", "device")
        elif keyword.arg == "device_id" and names_rank(value) and last in _COLLECTIVE_STARTS:
            self.add(value.lineno, "idiom:device-id-int")
        elif keyword.arg == "pin_memory_device":
            self.add(value.lineno, "idiom:pin-memory-device")
            self.seen.add(id(value))

    def on_constant(self, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, str):
            if id(node) in self.seen:
                return
            if symbol := classify_text(value):
                self.add(node.lineno, symbol, value[:40])
            elif is_device_prefix(value):
                self.add(node.lineno, "idiom:device-fstring", value)
            elif value in DEVICE_KINDS and value.startswith("MULTI_"):
                self.add(node.lineno, "idiom:device-kind", value)
        elif self.counts_flops and isinstance(value, float) and value in PEAKS:
            self.add(node.lineno, "idiom:peak-flops", f"{value:g}")

    def on_joined(self, node: ast.JoinedStr) -> None:
        for index, part in enumerate(node.values):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                if part.value.startswith("cuda:") and index == 0:
                    self.add(node.lineno, "idiom:device-fstring", part.value[:40])
                elif (symbol := classify_text(part.value)) and not symbol.startswith("idiom:device"):
                    self.add(node.lineno, symbol, part.value[:40])
            else:
                self.visit(part)

    def on_binary(self, node: ast.BinOp) -> None:
        left = node.left
        if isinstance(left, ast.Constant) and isinstance(left.value, str) and is_device_prefix(left.value):
            self.add(node.lineno, "idiom:device-fstring", left.value)
            self.seen.add(id(left))
            self.visit(node.right)
        else:
            self.visit_children(node)

    def on_compare(self, node: ast.Compare) -> None:
        saved = self.guard
        for side in [node.left, *node.comparators]:
            texts = texts_in(side)
            self.guard = Guard.ANSWERED if any(text.value == "npu" for text in texts[1:]) else saved
            for text in texts:
                word = str(text.value)
                symbol = classify_text(word)
                if symbol == "idiom:device-string":
                    self.add(text.lineno, "idiom:device-branch", word)
                elif symbol == "idiom:nccl-backend":
                    self.add(text.lineno, "idiom:nccl-branch", word)
                elif word in OTHER_DEVICES:
                    self.add(text.lineno, "idiom:device-dispatch", word)
                else:
                    continue
                self.seen.add(id(text))
        self.guard = saved
        self.visit_children(node)

    def on_dict(self, node: ast.Dict) -> None:
        for key in node.keys:
            if key is not None and is_text(key, "GPU") and self.uses_ray:
                self.add(key.lineno, "idiom:ray-resource", "GPU")
        self.visit_children(node)

    def seen_availability(self, name: str, line: int) -> None:
        self.add(line, "idiom:device-dispatch", name)

    # Structure

    def on_expression(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # A text on its own is documentation.
            self.visit(node.value)

    def on_assign(self, node: ast.Assign) -> None:
        chain = chain_of(node.value) if isinstance(node.value, ast.Attribute) else None
        if chain is not None and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            # An alias, like `dist = torch.distributed`; a variable that holds an attribute of another stays unknown.
            dotted = self.names.resolve(chain)
            if dotted and node.col_offset == 0:
                self.names.aliases.setdefault(node.targets[0].id, dotted)
        if isinstance(node.value, ast.Constant) and node.value.value in ("", "-1"):
            self.under(Guard.UNSET, *node.targets)
            return
        self.visit_children(node)

    def on_class(self, node: ast.ClassDef) -> None:
        for item in node.body:
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and item.target.id in CUDA_OPTIONS:
                self.add(item.lineno, "idiom:cuda-option", item.target.id)
        self.visit_children(node)

    def on_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for decorator in node.decorator_list:
            target = decorator.func if isinstance(decorator, ast.Call) else decorator
            chain = chain_of(target)
            if chain is not None and self.names.resolve(chain) in _JIT:
                self.facts.num_kernels += 1
                self.add(node.lineno, "idiom:triton-kernel", node.name)
        if AVAILABILITY.match(node.name):
            self.seen_availability(node.name, node.lineno)
        if node.name.startswith("is_") and node.name.endswith("_available"):
            self.facts.availability[node.name] = node.lineno
        self.depth += 1
        self.annotation(node.returns)
        for item in (*node.decorator_list, node.args, *node.body):
            self.visit(item)
        self.depth -= 1

    def on_arguments(self, node: ast.arguments) -> None:
        """A device as the default of a parameter is one that callers choose; a back-end is not theirs."""
        named = [*node.posonlyargs, *node.args]
        defaults = [*zip(named[len(named) - len(node.defaults) :], node.defaults, strict=True)]
        for argument, default in [*defaults, *zip(node.kwonlyargs, node.kw_defaults, strict=True)]:
            is_device = argument.arg.endswith("device") and isinstance(default, ast.Constant)
            self.under(Guard.DEFAULT if is_device else self.guard, default)
        for item in (*named, *node.kwonlyargs, node.vararg, node.kwarg):
            if item is not None:
                self.visit(item)

    def on_if(self, node: ast.If | ast.IfExp) -> None:
        self.under(Guard.WORKAROUND if makes_contiguous(node) else self.guard, node.test)
        if is_main(node.test):
            self.facts.has_main = True
        inner, other = guard_of_body(node.test, self.guard)
        saved = self.guard
        for part, guard in ((node.body, inner), (node.orelse, other)):
            self.guard = guard
            parts: list[ast.AST] = list(part) if isinstance(part, list) else [part]
            for branch in parts:
                self.visit(branch)
        self.guard = saved

    def on_try(self, node: ast.Try) -> None:
        saved = self.guard
        if is_optional_import(node):
            self.guard = Guard.OPTIONAL_IMPORT
        for item in node.body:
            self.visit(item)
        self.guard = saved
        after: list[ast.AST] = [*node.handlers, *node.orelse, *node.finalbody]
        for part in after:
            self.visit(part)
