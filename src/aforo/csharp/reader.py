"""One text under the grammar's tree: where its nodes lie in the author's document, and the types that it writes.

tree-sitter is imported on first use: a gateway that has its code objects cached never loads it. The grammar
recovers from anything; we do not, the first thing that it could not read is the diagnostic.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from time import perf_counter
from typing import TYPE_CHECKING, Final

from aforo.csharp import diagnostics as say
from aforo.csharp import syntax as s
from aforo.csharp.literals import Literals
from aforo.csharp.scan import escapes
from aforo.source import Span

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

# Nesting of nodes, where a left-leaning chain of operators or members counts once. Each level costs our own
# recursive stages a handful of Python frames.
DEPTH_LIMIT = 60
LENGTH_LIMIT = 65_536
# Each `<` may begin type arguments: the grammar tries both, and takes the square of their number for them.
ANGLES_LIMIT = 3_000
# Wall clock, asked for texts that are longer than those of people.
PARSE_LIMIT_S = 2.0
_QUICK = 16_384

Place = Callable[[int, int], Span]

# What `{{` and `""` of an interpolated string are handed to the grammar as: it takes `{{{x}` for text.
BRACES, QUOTES = "\x01\x01", "\x02\x02"


@lru_cache(maxsize=1)
def _grammar() -> Parser:
    import tree_sitter
    import tree_sitter_c_sharp

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_c_sharp.language()))


def _parsed(data: bytes) -> Node | None:
    """The tree; None where the grammar needs very long for it."""
    grammar = _grammar()
    if len(data) < _QUICK:
        return grammar.parse(data).root_node
    ends = perf_counter() + PARSE_LIMIT_S
    try:
        tree = grammar.parse(
            lambda at, _point: data[at : at + _QUICK],
            progress_callback=lambda _at, _wrong: perf_counter() > ends,
        )
    except ValueError:
        grammar.reset()
        return None
    return tree.root_node


class Reader:
    """One text being read: knows where bytes of the grammar lie in the author's document."""

    def __init__(
        self, before: str, text: str, after: str, place: Place, secret: Callable[[int, int], bool]
    ) -> None:
        if len(text) > LENGTH_LIMIT:
            raise say.too_long(place(0, len(text)), LENGTH_LIMIT)
        if not text.strip():
            raise say.empty(place(0, len(text)))
        if text.count("<") > ANGLES_LIMIT:
            raise say.too_deep(place(0, len(text)))
        self.text = text
        self.before = len(before)
        self.place = place
        self.secret = secret
        # A lone surrogate cannot be encoded; it is no part of any well-formed program either.
        self.data = (before + _marked(text) + after).encode("utf-8", "replace")
        self.ascii = len(self.data) == len(before) + len(text) + len(after)
        root = _parsed(self.data)
        if root is None:
            raise say.too_deep(place(0, len(text)))
        self.root = root
        self.depth = 0
        self.literals = Literals()

    def body(self) -> list[Node]:
        """The statements of the method that the text was put into; anything else is a syntax error."""
        if self.root.has_error:
            raise self.wrong(None)
        classes = named(self.root)
        members = named(classes[0].child_by_field_name("body")) if len(classes) == 1 else []
        if len(members) != 1 or members[0].type != "method_declaration":
            raise say.syntax(self.place(0, len(self.text)), "")
        block = members[0].child_by_field_name("body")
        if block is None:
            raise say.syntax(self.place(0, len(self.text)), "")
        return named(block)

    def wrong(self, node: Node | None) -> say.Mistake:
        """A syntax error at the first place that the grammar stumbled over."""
        bad = node if node is not None else _first_error(self.root)
        if bad is None:
            return say.syntax(self.place(0, len(self.text)), "")
        start, end = self.offsets(bad)
        start = max(0, min(start, len(self.text)))
        end = max(start, min(end, len(self.text)))
        if bad.is_missing:
            return say.missing(self.place(start, start), bad.type)
        found = re.match(r"\s*\S{0,24}", self.text[start:end] or self.text[start : start + 24])
        return say.syntax(self.place(start, end), (found.group().strip() if found else ""))

    def offsets(self, node: Node) -> tuple[int, int]:
        if self.ascii:
            return node.start_byte - self.before, node.end_byte - self.before
        head = self.data[: node.start_byte].decode("utf-8", "replace")
        return len(head) - self.before, len(head) - self.before + len(self.raw(node))

    def span(self, node: Node) -> Span:
        start, end = self.offsets(node)
        return self.place(max(0, start), min(max(0, end), len(self.text)))

    def raw(self, node: Node) -> str:
        """The node's text; in interpolated strings BRACES and QUOTES stand for escapes."""
        return self.data[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def is_secret(self, node: Node) -> bool:
        return self.secret(*self.offsets(node))

    def only(self, node: Node) -> Node:
        inner = named(node)
        if len(inner) != 1:
            raise self.wrong(node)
        return inner[0]

    def field(self, node: Node, name: str) -> Node:
        found = node.child_by_field_name(name)
        if found is None:
            raise self.wrong(node)
        return found

    def expr(self, node: Node) -> s.Expr:
        raise NotImplementedError

    def pattern(self, node: Node) -> s.Pattern:
        raise NotImplementedError

    def block(self, node: Node) -> s.Block:
        raise NotImplementedError

    # --- types ---------------------------------------------------------------------------------------------

    def type_ref(self, node: Node) -> s.TypeRef:
        span = self.span(node)
        match node.type:
            case "predefined_type" | "identifier":
                return s.TypeRef(self.raw(node).removeprefix("@"), (), span)
            case "generic_name":
                name, args = self.generic(node)
                return s.TypeRef(name, args, span)
            case "qualified_name":
                left = self.type_ref(self.field(node, "qualifier"))
                name, args = self.generic(self.field(node, "name"))
                return s.TypeRef(f"{left.name}.{name}", args, span)
            case "array_type":
                element, ranks = self.array_type(node)
                for rank in reversed(ranks):
                    element = s.TypeRef(f"[{',' * (self.rank(rank) - 1)}]", (element,), span)
                return element
            case "tuple_type":
                return self.tuple_type(node)
            case "nullable_type":
                return s.TypeRef("Nullable", (self.type_ref(self.field(node, "type")),), span)
        raise say.unsupported(span, f"the type `{self.raw(node)[:40]}`")

    def array_type(self, node: Node) -> tuple[s.TypeRef, list[Node]]:
        """The innermost element, and the brackets behind it: `int[,][]` is an array `[,]` of arrays `[]`."""
        ranks: list[Node] = []
        while node.type == "array_type":
            ranks.insert(0, self.field(node, "rank"))
            node = self.field(node, "type")
        if len(ranks) > DEPTH_LIMIT or any(self.rank(each) > 8 for each in ranks):
            raise say.too_deep(self.span(node))
        return self.type_ref(node), ranks

    def rank(self, node: Node) -> int:
        """How many dimensions the brackets of an array say."""
        return 1 + sum(each.type == "," for each in node.children)

    def tuple_type(self, node: Node) -> s.TypeRef:
        """`(int a, string)` is a type of the name `(a,)`."""
        names: list[str] = []
        types: list[s.TypeRef] = []
        for each in named(node):
            name = each.child_by_field_name("name")
            names.append(self.raw(name).removeprefix("@") if name is not None else "")
            types.append(self.type_ref(self.field(each, "type")))
        return s.TypeRef(f"({','.join(names)})", tuple(types), self.span(node))

    def generic(self, node: Node) -> tuple[str, tuple[s.TypeRef, ...]]:
        if node.type == "generic_name":
            parts = named(node)
            return self.raw(parts[0]), tuple(self.type_ref(a) for a in named(parts[1]))
        return self.raw(node).removeprefix("@"), ()

    def parameter(self, node: Node) -> tuple[str, s.TypeRef | None]:
        if any(c.type == "modifier" for c in node.children):
            raise say.unsupported(self.span(node), "a parameter with a modifier")
        written = node.child_by_field_name("type")
        name = self.raw(self.field(node, "name"))
        return name, self.type_ref(written) if written is not None else None


def _marked(text: str) -> str:
    """The text with BRACES and QUOTES in its interpolated strings; nothing moves."""
    if "$" not in text:
        return text
    marked = list(text)
    for at in escapes(text):
        marked[at : at + 2] = BRACES if text[at] == "{" else QUOTES
    return "".join(marked)


_SAYS_NOTHING: Final = frozenset(("comment", "preproc_region", "preproc_endregion"))


def named(node: Node | None) -> list[Node]:
    """Named children without comments and the marks of regions; other directives are refused as the statements they are not."""
    if node is None:
        return []
    return [c for c in node.named_children if c.type not in _SAYS_NOTHING]


def _first_error(node: Node) -> Node | None:
    """The first ERROR or missing node in reading order, found without recursion."""
    stack = [node]
    while stack:
        now = stack.pop()
        if now.is_missing or (now.type == "ERROR"):
            return now
        if now.has_error:
            stack.extend(reversed(now.children))
    return None
