"""Whole-number arithmetic of a shell: ``$((...))``, ``((...))`` and the numbers of tests, with assignments to variables."""

from __future__ import annotations

import re
from collections.abc import Callable, MutableMapping

LARGEST_NUMBER = 10**15
DEEPEST = 60
"""Brackets within brackets."""
LONGEST = 10_000
_TOKEN = re.compile(
    r"\s*(?:(0[xX][0-9a-fA-F]+|\d+)|([A-Za-z_]\w*)|(<<=|>>=|\*\*|\+\+|--|&&|\|\||[-+*/%<>=!]=|<<|>>|[-+*/%()<>!~?:,=&|^]))"
)


def _divide(a: int, b: int) -> int:
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


_BINARY: tuple[dict[str, Callable[[int, int], int]], ...] = (
    {"||": lambda a, b: int(bool(a or b))},
    {"&&": lambda a, b: int(bool(a and b))},
    {"|": lambda a, b: a | b},
    {"^": lambda a, b: a ^ b},
    {"&": lambda a, b: a & b},
    {"==": lambda a, b: int(a == b), "!=": lambda a, b: int(a != b)},
    {"<": lambda a, b: int(a < b), ">": lambda a, b: int(a > b), "<=": lambda a, b: int(a <= b), ">=": lambda a, b: int(a >= b)},
    {"<<": lambda a, b: a << min(b, 60), ">>": lambda a, b: a >> min(b, 60)},
    {"+": lambda a, b: a + b, "-": lambda a, b: a - b},
    {"*": lambda a, b: a * b, "/": _divide, "%": lambda a, b: a - b * _divide(a, b)},
)  # fmt: skip
"""Operators by rising precedence."""


def calculate(text: str, variables: MutableMapping[str, str] | None = None) -> int | None:
    """Return the whole number that an arithmetic text gives, None where it is none; assignments change the variables.

    >>> calculate("8 * (4 + 1) / 2"), calculate("N > 2 ? N - 1 : 0", {"N": "4"})
    (20, 3)
    """
    if len(text) > LONGEST:
        return None
    try:
        reader = _Arithmetic(text, {} if variables is None else variables)
        return reader.whole()
    except (ValueError, ZeroDivisionError):
        return None


class _Arithmetic:
    """A parser that computes as it goes; raises ValueError for what is no whole number."""

    def __init__(self, text: str, variables: MutableMapping[str, str]) -> None:
        self.tokens: list[str] = []
        self.variables, self.at, self.depth = variables, 0, 0
        place, text = 0, text.rstrip()
        while place < len(text):
            token = _TOKEN.match(text, place)
            if not token:
                raise ValueError("no arithmetic")
            self.tokens.append(token[0].strip())
            place = token.end()

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, *wanted: str) -> str:
        token = self.peek()
        if token and token in wanted:
            self.at += 1
            return token
        return ""

    def whole(self) -> int:
        value = self.comma()
        if self.at < len(self.tokens):
            raise ValueError("more than one number")
        return value

    def comma(self) -> int:
        self.depth += 1
        if self.depth > DEEPEST:
            raise ValueError("nested too deeply")
        value = self.assignment()
        while self.take(","):
            value = self.assignment()
        self.depth -= 1
        return value

    def assignment(self) -> int:
        name, sign = self.peek(), self.tokens[self.at + 1] if self.at + 1 < len(self.tokens) else ""
        if re.fullmatch(r"[A-Za-z_]\w*", name) and (sign == "=" or (sign.endswith("=") and sign[:-1] in "+-*/%")):
            self.at += 2
            value = self.assignment()
            if sign != "=":
                value = _BINARY[8 if sign[0] in "+-" else 9][sign[0]](self.lookup(name), value)
            return self.store(name, value)
        return self.choice()

    def choice(self) -> int:
        value = self.binary(0)
        if not self.take("?"):
            return value
        first = self.comma()
        if not self.take(":"):
            raise ValueError("a choice without its second part")
        second = self.assignment()
        return first if value else second

    def binary(self, level: int) -> int:
        if level == len(_BINARY):
            return self.power()
        value = self.binary(level + 1)
        while sign := self.take(*_BINARY[level]):
            value = self.bound(_BINARY[level][sign](value, self.binary(level + 1)))
        return value

    def power(self) -> int:
        base = self.unary()
        if not self.take("**"):
            return base
        exponent = self.power()
        if exponent < 0 or exponent > 50:
            raise ValueError("a power beyond all bounds")
        return self.bound(base**exponent)

    def unary(self) -> int:
        sign = self.take("-", "+", "!", "~", "++", "--")
        if not sign:
            return self.primary()
        if sign in ("++", "--"):
            name = self.peek()
            self.at += 1
            return self.store(name, self.lookup(name) + (1 if sign == "++" else -1))
        self.depth += 1
        if self.depth > DEEPEST:
            raise ValueError("nested too deeply")
        value = self.unary()
        self.depth -= 1
        return {"-": -value, "+": value, "!": int(not value), "~": ~value}[sign]

    def primary(self) -> int:
        if self.take("("):
            value = self.comma()
            if not self.take(")"):
                raise ValueError("an open bracket")
            return value
        token = self.peek()
        self.at += 1
        if token[:1].isdigit():
            base = 16 if token[:2].lower() == "0x" else 8 if len(token) > 1 and token[0] == "0" else 10
            return self.bound(int(token[:20], base))
        if re.fullmatch(r"[A-Za-z_]\w*", token):
            value = self.lookup(token)
            if step := self.take("++", "--"):
                self.store(token, value + (1 if step == "++" else -1))
            return value
        raise ValueError("no number")

    def lookup(self, name: str) -> int:
        text = self.variables.get(name, "").strip()
        if not re.fullmatch(r"-?\d{1,15}", text):
            raise ValueError(f"{name} is no whole number")
        return int(text)

    def store(self, name: str, value: int) -> int:
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise ValueError("no variable")
        self.variables[name] = str(self.bound(value))
        return value

    def bound(self, value: int) -> int:
        if abs(value) > LARGEST_NUMBER:
            raise ValueError("a number beyond all bounds")
        return value
