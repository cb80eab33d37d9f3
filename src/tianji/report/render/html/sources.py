"""Addresses in a cell of sources as links of which a screen shows the end: the page that says it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tianji.report.render.markup import Child, tag

_ADDRESS = re.compile(r"https?://[^\s;,]+")
SHORT = 24
"""Letters up to which an address is shown whole."""


def link_sources(text: str) -> Iterator[Child]:
    """Yield a text with each address in it as a link; what a screen leaves out of it has the class ``f``.

    >>> from tianji.report.render.markup import to_html
    >>> to_html(tag("td", *link_sources("see https://a.org")))
    '<td>see <a href="https://a.org" rel="noreferrer" title="https://a.org"><span class="f">https://</span>a.org</a></td>'
    """
    at = 0
    for match in _ADDRESS.finditer(text):
        yield text[at : match.start()]
        left_out, shown = split_address(match[0])
        yield tag("a", tag("span", left_out, class_="f"), shown, href=match[0], rel="noreferrer", title=match[0])
        at = match.end()
    yield text[at:]


def split_address(address: str) -> tuple[str, str]:
    """Return an address in two: what a narrow column leaves out, and what it shows.

    >>> split_address("https://github.com/Ascend/pytorch/blob/9e73e708ab/torch_npu/contrib/transfer_to_npu.py")
    ('https://github.com/Ascend/pytorch/blob/9e73e708ab/torch_npu/contrib/', 'transfer_to_npu.py')
    >>> split_address("https://github.com/volcengine/verl/pull/218")
    ('https://github.com/volcengine/', 'verl/pull/218')
    """
    start = address.index("//") + 2
    parts = address[start:].rstrip("/").split("/")
    shown = "/".join(parts) if len("/".join(parts)) <= SHORT else parts[-1]
    if "." not in shown and len(parts) > 3:
        shown = "/".join(parts[-3:])
    return address[: address.rindex(shown)], address[address.rindex(shown) :]
