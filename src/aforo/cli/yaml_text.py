"""Edits of a readable YAML text that keep its comments: a block is found by its keys and their indentation."""

from __future__ import annotations

import re


def _block(lines: list[str], keys: tuple[str, ...]) -> tuple[int, int, int]:
    """(first line, line after the last, indentation) of the block under a path of keys; `*` is the first key.

    The comment directly above a block belongs to it. KeyError when there is no such block.
    """
    start, end, indent, found = 0, len(lines), -1, 0
    for key in keys:
        pattern = re.compile(r"^( *)([^\s#:][^:]*):(\s|$)")
        depth: int | None = None
        for number in range(start, end):
            match = pattern.match(lines[number])
            if not match or len(match[1]) <= indent:
                continue
            depth = len(match[1]) if depth is None else depth
            if len(match[1]) == depth and key in ("*", match[2]):
                break
        else:
            raise KeyError("/".join(keys))
        found, indent = number, len(match[1])
        after = number + 1
        while after < end and (
            not lines[after].strip() or len(lines[after]) - len(lines[after].lstrip()) > indent
        ):
            after += 1
        start, end = number + 1, after
    first = found
    while (
        first > 0
        and lines[first - 1].strip().startswith("#")
        and lines[first - 1].startswith(" " * indent + "#")
    ):
        first -= 1
    while end > found + 1 and (not lines[end - 1].strip() or lines[end - 1].strip().startswith("#")):
        end -= 1
    return first, end, indent


def _indented(text: str, indent: int) -> list[str]:
    return [(" " * indent + line).rstrip() for line in text.strip("\n").splitlines()]


def replaced(text: str, keys: tuple[str, ...], block: str) -> str:
    """The text with the block (key and comment included) replaced; an empty `block` removes it."""
    lines = text.splitlines()
    first, end, indent = _block(lines, keys)
    new = _indented(block, indent) if block.strip() else []
    while not new and end < len(lines) and not lines[end].strip():
        end += 1
    return "\n".join([*lines[:first], *new, *lines[end:]]) + "\n"


def before(text: str, keys: tuple[str, ...], block: str) -> str:
    """The text with a block added before another one, at its indentation."""
    lines = text.splitlines()
    first, _, indent = _block(lines, keys)
    return "\n".join([*lines[:first], *_indented(block, indent), "", *lines[first:]]) + "\n"
