"""Programs in Python that take a recipe of NeMo or Megatron Bridge and change it: parsed as text, never executed."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from tianji.errors import FormatError
from tianji.exporters.launch_reader.options import Options
from tianji.exporters.launch_reader.stacks.bridge import find_recipe, read_recipe

_CALLS = ("pretrain_recipe", "finetune_recipe")
"""NeMo's functions of a model's module: ``llm.llama3_70b.pretrain_recipe(...)``."""
_NODES, _NODE = ("num_nodes", "nodes"), ("num_gpus_per_node", "gpus_per_node", "devices")
MOST = 20_000
"""Parts of a program that are looked at."""


def read_program(text: str, where: str, settings: Mapping[str, str]) -> Options | None:
    """Return the options of the recipe that a program takes, with its assignments; None where it takes none that is known.

    Raises FormatError for a text that is no Python.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise FormatError(f"{where}: no Python that can be read: {type(error).__name__}") from None
    nodes = [node for node, _ in zip(ast.walk(tree), range(MOST), strict=False)]
    known = _find_constants(nodes)
    known.update(settings)
    call = next((node for node in nodes if isinstance(node, ast.Call) and _name_recipe(node)), None)
    if call is None:
        return None
    changes: dict[str, str] = {}
    for keyword in call.keywords:
        if keyword.arg and (value := _value(keyword.value, known)) is not None:
            changes[keyword.arg] = value
    for node in nodes:
        if isinstance(node, ast.Assign) and (value := _value(node.value, known)) is not None:
            changes |= {target.attr: value for target in node.targets if isinstance(target, ast.Attribute)}
    words = [f"model.{name}={value}" for name, value in (changes | dict(settings)).items()]
    options = read_recipe(_name_recipe(call), words, settings, where)
    nodes_said = next((changes[n] for n in _NODES if changes.get(n, "").isdigit()), "")
    node_said = next((changes[n] for n in _NODE if changes.get(n, "").isdigit()), "8" if nodes_said else "")
    if node_said:
        options.values |= {"--nnodes": [nodes_said or "1"], "--nproc-per-node": [node_said]}
        options.values.pop("--worker-num", None)
    for name in (*_NODES, *_NODE, "dir", "name"):
        options.values.pop("--" + name.replace("_", "-"), None)
    options.remarks.append(
        f"{_name_recipe(call)}: what the program does not set is taken from Megatron Bridge's recipe of this name"
    )
    return options


def _name_recipe(call: ast.Call) -> str:
    """Return the recipe that a call names, empty for any other call."""
    match call.func:
        case ast.Attribute(attr=name, value=ast.Attribute(attr=module) | ast.Name(id=module)) if name in _CALLS:
            return module if find_recipe(module) else ""
        case ast.Name(id=name) | ast.Attribute(attr=name) if name.endswith("_config") and find_recipe(name):
            return name
    return ""


def _find_constants(nodes: list[ast.AST]) -> dict[str, str]:
    """Return names with their values: assignments, and parameters with their defaults."""
    known: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.FunctionDef):
            arguments = [*node.args.posonlyargs, *node.args.args]
            pairs = [
                *zip(reversed(arguments), reversed(node.args.defaults), strict=False),
                *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=False),
            ]
            known |= {a.arg: v for a, d in pairs if d is not None and (v := _value(d, known)) is not None}
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if (value := _value(node.value, known)) is not None:
                known |= {target.id: value for target in targets if isinstance(target, ast.Name)}
    return known


def _value(node: ast.expr, known: Mapping[str, str]) -> str | None:
    """Return what a constant, a name or a product or sum of whole numbers comes to; None for anything else."""
    match node:
        case ast.Constant(value=bool() | int() | float() | str() as value):
            return str(value).lower() if isinstance(value, bool) else str(value)
        case ast.Constant(value=None):
            return "none"
        case ast.Name(id=name):
            return known.get(name)
        case ast.BinOp(left=left, op=ast.Mult() | ast.Add() | ast.FloorDiv() as sign, right=right):
            a, b = _value(left, known), _value(right, known)
            if a is None or b is None or not (a.isdigit() and b.isdigit()) or max(len(a), len(b)) > 12:
                return None
            if isinstance(sign, ast.FloorDiv):
                return str(int(a) // int(b)) if int(b) else None
            return str(int(a) * int(b) if isinstance(sign, ast.Mult) else int(a) + int(b))
    return None
