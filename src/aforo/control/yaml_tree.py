"""YAML with the place of everything in it: plain values beside a map from path to span. It knows no resource."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from aforo.control.desired import Mistake, Place, TextPlace
from aforo.model.kind import Path
from aforo.source import Source, Span

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_REPEATED = 20_000  # nodes that aliases may repeat
_MAX_DEPTH = 64  # lists and maps within each other, aliases followed
_SAME = "tag:yaml.org,2002:"
_TAGS = frozenset(
    f"{_SAME}{name}" for name in ("str", "int", "float", "bool", "null", "timestamp", "seq", "map")
)
# What YAML 1.1 makes of a bare `<<` and `=`; as values they are texts.
_MARKS = frozenset((f"{_SAME}merge", f"{_SAME}value"))


@dataclass(slots=True)
class Node:
    """A YAML value with its place. `value` is a scalar, a list of nodes, or entries of (key node, node)."""

    kind: str  # scalar, list, map
    value: Any
    place: Place
    style: str = ""  # of a scalar: "|", ">", "'", '"', ""

    def items(self) -> Iterator[tuple[Node, Node]]:
        """The entries of a map."""
        yield from (self.value if self.kind == "map" else ())

    def plain(self) -> Any:
        """The value without places."""
        if self.kind == "scalar":
            return self.value
        if self.kind == "list":
            return [n.plain() for n in self.value]
        return {str(k.value): n.plain() for k, n in self.value}

    def places(self, path: Path, into: dict[Path, Place]) -> None:
        """Note the place of this node and of everything in it, below `path`."""
        into[path] = self.place
        if self.kind == "list":
            for index, node in enumerate(self.value):
                node.places((*path, index), into)
        elif self.kind == "map":
            for key, node in self.value:
                node.places((*path, key.value), into)
                into[(*path, key.value)] = key.place if node.kind != "scalar" else node.place


@dataclass(slots=True)
class Tree:
    """A document read; `root` is None when it cannot be, and `mistakes` say why."""

    source: Source
    root: Node | None = None
    mistakes: list[Mistake] = field(default_factory=list)


def read_tree(source: Source) -> Tree:
    """The document of a text. Every mistake has its place; duplicate keys are mistakes.

    So are nesting deeper than 64, aliases that repeat too much or contain themselves, tags of other than plain
    values, and numbers that are not finite.
    """
    tree = Tree(source)
    try:
        shape = _shape(source)
        if shape is not None:
            tree.mistakes.append(shape)
            return tree
        composed = yaml.compose(source.text, Loader=_LOADER)
    except yaml.YAMLError as error:
        tree.mistakes.append(_syntax(source, error))
        return tree
    if composed is not None:
        reader = _Reader(tree)
        tree.root = reader.node(composed)
    return tree


def text_place(node: Node) -> TextPlace:
    """Where the text of a scalar begins, so that its own lines and columns can be found in the file."""
    source = node.place.source
    line, column = source.position(node.place.span.start)
    text = str(node.value)
    if node.style == "|":
        lines = text.split("\n")
        first = next((i for i, content in enumerate(lines) if content.strip()), 0)
        start = line + 1
        if start + first <= source.text.count("\n") + 1:
            shown = source.line(start + first)
            if shown.endswith(lines[first].rstrip("\r")):
                return TextPlace(source, start, len(shown) - len(lines[first]))
    elif "\n" not in text and source.line(line)[column - 1 :].startswith(text):
        return TextPlace(source, line, column - 1)
    return TextPlace(source, line, None, column)


class _Reader:
    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.source = tree.source
        self.seen: set[int] = set()
        self.repeated = 0
        self.too_deep = False
        self.constructor = _LOADER("")

    def node(self, composed: Any, depth: int = 0) -> Node:
        if depth > _MAX_DEPTH:  # only by aliases: `_shape` has seen the text
            if not self.too_deep:
                self.tree.mistakes.append(_too_deep(self.place(composed)))
            self.too_deep = True
            return Node("scalar", None, self.place(composed))
        if id(composed) in self.seen:
            self.repeated += 1
            if self.repeated == _MAX_REPEATED:
                message = "aliases (*name) repeat too much here"
                self.tree.mistakes.append(Mistake("YAML0003", message, place=self.place(composed)))
            if self.repeated >= _MAX_REPEATED:
                return Node("scalar", None, self.place(composed))
        self.seen.add(id(composed))
        place = self.place(composed)
        self.tag(composed, place)
        if isinstance(composed, yaml.ScalarNode):
            return Node("scalar", self.scalar(composed, place), place, composed.style or "")
        if isinstance(composed, yaml.SequenceNode):
            return Node("list", [self.node(n, depth + 1) for n in composed.value], place)
        entries: list[tuple[Node, Node]] = []
        names: set[str] = set()
        for key, value in composed.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                message = "a key has to be a plain name"
                self.tree.mistakes.append(Mistake("YAML0002", message, place=self.place(key)))
                continue
            # Names are texts as they stand there, even where YAML would read a number or a truth value.
            self.tag(key, self.place(key))
            name = str(key.value)
            if name in names:
                message = f"{name!r} is given twice"
                self.tree.mistakes.append(Mistake("YAML0004", message, place=self.place(key)))
                continue
            names.add(name)
            entries.append((Node("scalar", name, self.place(key)), self.node(value, depth + 1)))
        return Node("map", entries, place)

    def tag(self, composed: Any, place: Place) -> None:
        """Refuse a tag that asks for something else than a plain value; it would be lost without a word."""
        if composed.tag in _TAGS or composed.tag in _MARKS:
            return
        shown = composed.tag
        shown = f"!!{shown.removeprefix(_SAME)}" if shown.startswith(_SAME) else shown
        message = f"the tag {shown[:80]!r} is not known here"
        hints = ("values are texts, numbers, truth values, dates, lists and maps, without tags of their own",)
        self.tree.mistakes.append(Mistake("YAML0011", message, place=place, hints=hints))

    def scalar(self, composed: Any, place: Place) -> Any:
        if composed.tag not in _TAGS:  # a mark, or refused
            return str(composed.value)
        try:
            value = self.constructor.construct_object(composed)
        except (yaml.YAMLError, ValueError, ArithmeticError) as error:
            self.tree.mistakes.append(Mistake("YAML0002", f"this is no value: {error}", place=place))
            return None
        if isinstance(value, float) and not math.isfinite(value):
            message = f"{composed.value} is no finite number"
            hints = ("a text needs quotes",)
            self.tree.mistakes.append(Mistake("YAML0002", message, place=place, hints=hints))
            return None
        return value

    def place(self, composed: Any) -> Place:
        start = self.offset(composed.start_mark)
        if isinstance(composed, yaml.ScalarNode):
            return Place(self.source, Span(start, max(start, self.offset(composed.end_mark))))
        return Place(self.source, Span(start, start + 1))

    def offset(self, mark: Any) -> int:
        return _offset(self.source, mark)


def _shape(source: Source) -> Mistake | None:
    """What makes a text unfit for composing, which calls itself for every level. Reads events, so it does not."""
    open_anchors: list[str | None] = []
    for event in yaml.parse(source.text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            open_anchors.append(event.anchor)
            if len(open_anchors) > _MAX_DEPTH:
                return _too_deep(_at(source, event))
        elif isinstance(event, yaml.CollectionEndEvent):
            open_anchors.pop()
        elif isinstance(event, yaml.AliasEvent) and event.anchor in open_anchors:
            message = f"the alias *{event.anchor} stands inside of what it names"
            return Mistake("YAML0003", message, place=_at(source, event))
    return None


def _at(source: Source, event: Any) -> Place:
    start = _offset(source, event.start_mark)
    return Place(source, Span(start, start + 1))


def _too_deep(place: Place) -> Mistake:
    message = f"lists and maps are nested deeper than {_MAX_DEPTH} here"
    return Mistake("YAML0010", message, place=place)


def _syntax(source: Source, error: yaml.YAMLError) -> Mistake:
    mark = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", None) or error)
    if mark is None:
        return Mistake("YAML0001", f"this is not YAML: {problem}", place=Place(source, Span(0, 1)))
    at = _offset(source, mark)
    context = str(getattr(error, "context", None) or "")
    line = source.line(source.position(at)[0])
    hints = ["YAML is indented with spaces, not tabs"] if "\t" in line else []
    if "mapping values are not allowed" in problem:
        hints.append("a text with ': ' in it needs quotes")
    message = f"this is not YAML: {problem}{f' ({context})' if context else ''}"
    return Mistake("YAML0001", message, place=Place(source, Span(at, at + 1)), hints=tuple(hints))


def _offset(source: Source, mark: Any) -> int:
    starts = source._starts
    line = min(int(mark.line), len(starts) - 1)
    return min(starts[line] + int(mark.column), len(source.text))
