"""Changing XML nodes: adding, removing, replacing, setting values."""

from __future__ import annotations

from typing import Any

from aforo.csharp.runtime.exceptions import ArgumentNullException, InvalidOperationException
from aforo.csharp.runtime.limits import room, work
from aforo.csharp.runtime.xml_edit import attribute, element, make_attribute, make_element, place
from aforo.csharp.runtime.xml_model import (
    XAttribute,
    XComment,
    XContainer,
    XElement,
    XName,
    XNode,
    XObject,
    XText,
    add,
    clone,
    xml_text,
)


def add_content(container: XContainer, content: Any) -> None:
    add(container, content)


def add_first(container: XContainer, content: Any) -> None:
    add(container, content, 0)


def add_after(node: XNode, content: Any) -> None:
    above, at = place(node)
    add(above, content, at + 1)


def add_before(node: XNode, content: Any) -> None:
    above, at = place(node)
    add(above, content, at)


def remove(item: XObject) -> None:
    if isinstance(item, XAttribute):
        owner = item.parent
        if not isinstance(owner, XElement):
            raise InvalidOperationException("The parent is missing.")
        work(len(owner.attributes))
        owner.attributes = [a for a in owner.attributes if a is not item]
    else:
        assert isinstance(item, XNode)
        above, at = place(item)
        del above.nodes[at]
    item.parent = None


def remove_each(items: list[Any]) -> None:
    for each in list(items):
        if each is not None:
            remove(each)


def remove_nodes(container: XContainer) -> None:
    work(len(container.nodes))
    for each in container.nodes:
        each.parent = None
    container.nodes = []


def remove_attributes(container: XElement) -> None:
    for each in container.attributes:
        each.parent = None
    container.attributes = []


def remove_all(container: XElement) -> None:
    remove_attributes(container)
    remove_nodes(container)


def replace_with(node: XNode, content: Any) -> None:
    above, at = place(node)
    remove(node)
    add(above, content, at)


def replace_nodes(container: XContainer, content: Any) -> None:
    copied = [clone(c) if isinstance(c, XNode) and c.parent is container else c for c in content or ()]
    remove_nodes(container)
    add(container, copied)


def replace_all(container: XElement, content: Any) -> None:
    remove_attributes(container)
    replace_nodes(container, content)


def replace_attributes(container: XElement, content: Any) -> None:
    remove_attributes(container)
    add(container, content)


def set_value(item: XObject, value: Any) -> None:
    """`SetValue(object)`"""
    if value is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: value")
    text = xml_text(value)
    room(len(text))
    if isinstance(item, XElement):
        remove_nodes(item)
        add(item, text)
    elif isinstance(item, (XAttribute, XText, XComment)):
        item.value = text


def set_text(item: XObject, value: str | None) -> None:
    """`Value = ...`"""
    set_value(item, value)


def set_name(container: XElement, name: XName | None) -> None:
    if name is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: value")
    container.name = name


def set_attribute(container: XElement, name: XName, value: Any) -> None:
    """`SetAttributeValue`: null takes it away."""
    found = attribute(container, name)
    if value is None:
        if found is not None:
            remove(found)
    elif found is not None:
        set_value(found, value)
    else:
        add(container, make_attribute(name, value))


def set_element(container: XElement, name: XName, value: Any) -> None:
    """`SetElementValue`: null takes it away."""
    found = element(container, name)
    if value is None:
        if found is not None:
            remove(found)
    elif found is not None:
        set_value(found, value)
    else:
        add(container, make_element(name, value))
