"""Elements of HTML and SVG. Text goes into the tree as text, so that nothing a user named can become markup."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, tostring

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""What neither HTML nor XML may hold."""

Child = Element | str | None


def tag(name: str, /, *children: Child, **attributes: str | float | None) -> Element:
    """Return an element. A trailing underscore of an attribute goes, the others are hyphens; None is left out.

    >>> to_html(tag("p", "a < b", class_="note"))
    '<p class="note">a &lt; b</p>'
    """
    element = Element(name)
    for key, value in attributes.items():
        if value is not None:
            text = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
            element.set(key.rstrip("_").replace("_", "-"), clean(text))
    return extend(element, *children)


def extend(element: Element, *children: Child) -> Element:
    """Put children at the end of an element, which is returned."""
    for child in children:
        if isinstance(child, Element):
            element.append(child)
        elif child:
            text = clean(child)
            if len(element):
                element[-1].tail = (element[-1].tail or "") + text
            else:
                element.text = (element.text or "") + text
    return element


def clean(text: str) -> str:
    """Return a text with a replacement character in place of what no document may hold."""
    return _CONTROL.sub("\ufffd", text)


def to_html(element: Element) -> str:
    """Return an element as HTML."""
    return tostring(element, encoding="unicode", method="html")


def to_xml(element: Element) -> str:
    """Return an element as an XML document in UTF-8."""
    return tostring(element, encoding="unicode") + "\n"
