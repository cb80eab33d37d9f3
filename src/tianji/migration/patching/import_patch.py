"""The other way: one import at the top of each entry point, which patches torch or Megatron as they load."""

from __future__ import annotations

TRANSFER = "torch_npu.contrib.transfer_to_npu"
ADAPTOR = "mindspeed.megatron_adaptor"
_LINES = {
    TRANSFER: "try:\n    import torch_npu\n    from torch_npu.contrib import transfer_to_npu\nexcept ImportError:\n    pass\n",
    ADAPTOR: "try:\n    import mindspeed.megatron_adaptor\nexcept ImportError:\n    pass\n",
}


def add_import(text: str, module: str) -> str:
    r"""Return a script that first imports a patching module where it is installed; one that does already stays.

    >>> add_import('"Train."\nimport torch\n', ADAPTOR).splitlines()[1:3]
    ['try:', '    import mindspeed.megatron_adaptor']
    """
    if module.rsplit(".", 1)[-1] in text:
        return text
    lines = text.splitlines(keepends=True)
    place = _first_statement(text)
    end = "\r\n" if "\r\n" in text else "\n"
    return "".join([*lines[:place], _LINES[module].replace("\n", end), *lines[place:]])


def _first_statement(text: str) -> int:
    """Return the number of lines before the first statement that is neither documentation nor from __future__."""
    import ast

    for node in ast.parse(text).body:
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if not (is_text or is_future):
            return node.lineno - 1
    return len(text.splitlines())
