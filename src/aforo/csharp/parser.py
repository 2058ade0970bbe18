"""Text to syntax tree, through the maintained C# grammar. It knows no types.

tree-sitter is imported on first use: a gateway that has its code objects cached never loads it. The grammar
recovers from anything; we do not, the first thing that it could not read is the diagnostic.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from aforo.csharp import diagnostics as say
from aforo.csharp import regroup
from aforo.csharp import syntax as s
from aforo.csharp.literals import Literals, decode_string
from aforo.source import Span

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

# Nesting of nodes, where a left-leaning chain of operators or members counts once. Each level costs our own
# recursive stages a handful of Python frames.
DEPTH_LIMIT = 60
LENGTH_LIMIT = 65_536

Place = Callable[[int, int], Span]


@lru_cache(maxsize=1)
def _grammar() -> Parser:
    import tree_sitter
    import tree_sitter_c_sharp

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_c_sharp.language()))


def parse_expression(text: str, place: Place, secret: Callable[[int, int], bool]) -> s.Expr:
    """The tree of what stands in `@(...)`. Raises Mistake."""
    reader = _Reader("class C{object M(){return ", text, "\n;}}", place, secret)
    statements = reader.body()
    if len(statements) != 1 or statements[0].type != "return_statement":
        raise reader.wrong(statements[0] if statements else None)
    inner = reader.only(statements[0])
    return reader.expr(inner)


def parse_block(text: str, place: Place, secret: Callable[[int, int], bool]) -> s.Block:
    """The tree of what stands in `@{...}`, braces not included. Raises Mistake."""
    reader = _Reader("class C{object M(){", text, "\n}}", place, secret)
    return s.Block(tuple(reader.stmt(n) for n in reader.body()), place(0, len(text)))


_TYPE_NODES = frozenset(
    (
        "predefined_type",
        "identifier",
        "generic_name",
        "qualified_name",
        "array_type",
        "nullable_type",
        "implicit_type",
        "alias_qualified_name",
        "tuple_type",
        "pointer_type",
        "ref_type",
    )
)
_STATEMENT_WORDS = {
    "goto_statement": "`goto`",
    "labeled_statement": "a label",
    "yield_statement": "`yield`",
    "lock_statement": "`lock`",
    "fixed_statement": "`fixed`",
    "unsafe_statement": "`unsafe`",
}
_EXPRESSION_WORDS = {
    "await_expression": "`await`",
    "tuple_expression": "a tuple",
    "switch_expression": "a switch expression (C# 8)",
    "query_expression": "query syntax (`from ... select`)",
    "sizeof_expression": "`sizeof`",
    "stackalloc_expression": "`stackalloc`",
    "range_expression": "a range (C# 8)",
    "with_expression": "`with` (C# 9)",
    "ref_expression": "`ref`",
    "makeref_expression": "`__makeref`",
    "anonymous_method_expression": "`delegate`",
    "implicit_object_creation_expression": "`new()` without a type (C# 9)",
    "raw_string_literal": "a raw string (C# 11)",
    "this": "`this`",
    "base": "`base`",
}


class _Reader:
    """One text being read: knows where bytes of the grammar lie in the author's document."""

    def __init__(
        self, before: str, text: str, after: str, place: Place, secret: Callable[[int, int], bool]
    ) -> None:
        if len(text) > LENGTH_LIMIT:
            raise say.too_long(place(0, len(text)), LENGTH_LIMIT)
        if not text.strip():
            raise say.empty(place(0, len(text)))
        self.text = text
        self.before = len(before)
        self.place = place
        self.secret = secret
        # A lone surrogate cannot be encoded; it is no part of any well-formed program either.
        self.data = (before + text + after).encode("utf-8", "replace")
        self.ascii = len(self.data) == len(before) + len(text) + len(after)
        self.root = _grammar().parse(self.data).root_node
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

    # --- expressions -------------------------------------------------------------------------------------

    def expr(self, node: Node) -> s.Expr:
        self.depth += 1
        if self.depth > DEPTH_LIMIT:
            raise say.too_deep(self.span(node))
        try:
            if node.type in regroup.RUN:
                return self.run(node)
            read = getattr(self, "x_" + node.type, None)
            if read is not None:
                result: s.Expr = read(node)
                return result
        finally:
            self.depth -= 1
        if node.type in _TYPE_NODES:
            return s.Name(self.type_ref(node).name, (), self.span(node))
        what = _EXPRESSION_WORDS.get(node.type, f"`{node.type.replace('_', ' ')}`")
        raise say.unsupported(self.span(node), what)

    def x_identifier(self, node: Node) -> s.Expr:
        return s.Name(self.raw(node).removeprefix("@"), (), self.span(node))

    def x_predefined_type(self, node: Node) -> s.Expr:
        return s.Name(self.raw(node), (), self.span(node))

    def x_generic_name(self, node: Node) -> s.Expr:
        name, args = self.generic(node)
        return s.Name(name, args, self.span(node))

    def x_qualified_name(self, node: Node) -> s.Expr:
        left, right = self.field(node, "qualifier"), self.field(node, "name")
        name, args = self.generic(right)
        return s.Member(self.expr(left), name, args, False, self.span(right), self.span(node))

    def x_parenthesized_expression(self, node: Node) -> s.Expr:
        return s.Paren(self.expr(self.only(node)), self.span(node))

    def x_checked_expression(self, node: Node) -> s.Expr:
        word = "checked" if self.raw(node).startswith("checked") else "unchecked"
        if word == "checked":
            raise say.unsupported(self.span(node), "`checked`")
        return s.Paren(self.expr(self.only(node)), self.span(node))

    def x_integer_literal(self, node: Node) -> s.Expr:
        return self.literals.integer(self.raw(node), self.is_secret(node), self.span(node))

    def x_real_literal(self, node: Node) -> s.Expr:
        return self.literals.real(self.raw(node), self.is_secret(node), self.span(node))

    def x_boolean_literal(self, node: Node) -> s.Expr:
        return s.Literal("bool", self.raw(node) == "true", False, self.span(node))

    def x_null_literal(self, node: Node) -> s.Expr:
        return s.Literal("null", None, False, self.span(node))

    def x_string_literal(self, node: Node) -> s.Expr:
        span = self.span(node)
        return s.Literal("string", decode_string(self.raw(node)[1:-1], span), self.is_secret(node), span)

    def x_verbatim_string_literal(self, node: Node) -> s.Expr:
        value = self.raw(node)[2:-1].replace('""', '"')
        return s.Literal("string", value, self.is_secret(node), self.span(node))

    def x_character_literal(self, node: Node) -> s.Expr:
        span = self.span(node)
        value = decode_string(self.raw(node)[1:-1], span)
        if len(value) != 1 or ord(value) > 0xFFFF:
            raise say.bad_literal(span, "a character literal holds exactly one UTF-16 character")
        return s.Literal("char", value, self.is_secret(node), span)

    def x_interpolated_string_expression(self, node: Node) -> s.Expr:
        raw = self.raw(node)
        verbatim = "@" in raw[:2]
        if raw.startswith(('$"""', "$$")):
            raise say.unsupported(self.span(node), _EXPRESSION_WORDS["raw_string_literal"])
        parts: list[str | s.Hole] = []
        for child in node.children:
            if child.type == "interpolation":
                parts.append(self.hole(child))
            elif child.type in ("string_content", "escape_sequence", "interpolation_quote_escape"):
                text = self.raw(child).replace("{{", "{").replace("}}", "}")
                text = text.replace('""', '"') if verbatim else decode_string(text, self.span(child))
                parts.append(text)
        return s.Interpolated(tuple(parts), self.is_secret(node), self.span(node))

    def hole(self, node: Node) -> s.Hole:
        value: s.Expr | None = None
        alignment, spec = 0, ""
        for child in named(node):
            if child.type == "interpolation_alignment_clause":
                text = self.raw(child).lstrip(",").strip()
                if not re.fullmatch(r"-?\d{1,4}", text):
                    raise say.bad_literal(self.span(child), "an alignment is a whole number below 10000")
                alignment = int(text)
            elif child.type == "interpolation_format_clause":
                spec = self.raw(child)[1:]
            elif child.type != "interpolation_brace" and value is None:
                value = self.expr(child)
        if value is None:
            raise self.wrong(node)
        return s.Hole(value, alignment, spec)

    # --- runs of operators ------------------------------------------------------------------------------------

    def run(self, node: Node) -> s.Expr:
        """Operators, casts, tests and access chains, grouped by C#'s precedence."""
        items = regroup.flatten(node)
        return regroup.climb(items, self.operand, self.pair, self.test)

    def pair(self, left: s.Expr, operator: str, right: s.Expr) -> s.Expr:
        return s.Binary(left, operator, right, left.span.to(right.span))

    def test(self, value: s.Expr, operator: regroup.Operator) -> s.Expr:
        node = operator.node
        span = value.span.to(self.span(node))
        if node.type == "as_expression":
            return s.As(value, self.type_ref(self.field(node, "right")), span)
        if node.type == "is_expression":
            right = self.field(node, "right")
            return s.Is(value, s.TypePattern(self.type_ref(right), "", self.span(right)), span)
        return s.Is(value, self.pattern(self.field(node, "pattern")), span)

    def operand(self, item: regroup.Operand) -> s.Expr:
        if len(item.links) > 200 or len(item.prefixes) > DEPTH_LIMIT:
            raise say.too_deep(self.span(item.base))
        result = (
            self.signed(item.base) if item.base.type == "prefix_unary_expression" else self.expr(item.base)
        )
        start = result.span
        for link in item.links:
            if isinstance(link, regroup.GenericCall):
                result = self.generic_call(result, link)
            else:
                result = self.link(result, link, start)
        for prefix in reversed(item.prefixes):
            result = self.prefixed(prefix, result)
        return result

    def generic_call(self, target: s.Expr, call: regroup.GenericCall) -> s.Expr:
        last: Node = call.type.base
        for link in call.type.links:
            assert not isinstance(link, regroup.GenericCall)
            last = link
        type_span = self.span(call.type.base).to(self.span(last))
        if call.type.links:
            type_ref = s.TypeRef("".join(self.raw(last).split()), (), type_span)
        else:
            type_ref = self.type_ref(call.type.base)
        span = target.span.to(self.span(call.arguments))
        if call.arguments.type == "tuple_expression":
            arguments = self.arguments(call.arguments)
        else:
            inner = self.only(call.arguments)
            arguments = (s.Argument(self.expr(inner), "", "", self.span(inner)),)
        match target:
            case s.Member():
                member = s.Member(
                    target.target, target.name, (type_ref,), target.conditional, target.name_span, target.span
                )
                return s.Call(member, arguments, span)
        raise say.unsupported(span, "this generic call")

    def prefixed(self, node: Node, operand: s.Expr) -> s.Expr:
        span = self.span(node)
        span = Span(span.start, max(span.end, operand.span.end))
        if node.type == "cast_expression":
            return s.Cast(self.type_ref(self.field(node, "type")), operand, span)
        operator = self.raw(node.children[0])
        if operator in ("&", "*", "^"):
            raise say.unsupported(span, f"unary `{operator}`")
        return s.Unary(operator, operand, span)

    def signed(self, node: Node) -> s.Expr:
        """`++x`, `--x`, and -1, which is one literal."""
        operator, operand = self.raw(node.children[0]), node.children[-1]
        if operator in ("++", "--"):
            return s.Step(self.expr(operand), operator, True, self.span(node))
        return self.literals.integer("-" + self.raw(operand), self.is_secret(operand), self.span(node))

    def x_postfix_unary_expression(self, node: Node) -> s.Expr:
        operator = self.raw(node.children[-1])
        if operator not in ("++", "--"):
            raise say.unsupported(self.span(node), f"postfix `{operator}`")
        return s.Step(self.expr(node.children[0]), operator, False, self.span(node))

    def x_conditional_expression(self, node: Node) -> s.Expr:
        condition, then, otherwise = (
            self.expr(self.field(node, f)) for f in ("condition", "consequence", "alternative")
        )
        return s.Ternary(condition, then, otherwise, self.span(node))

    def x_assignment_expression(self, node: Node) -> s.Expr:
        operator = self.raw(node.child_by_field_name("operator") or node.children[1])
        if operator == "??=":
            raise say.unsupported(self.span(node), "`??=` (C# 8)")
        target, value = self.expr(self.field(node, "left")), self.expr(self.field(node, "right"))
        return s.Assign(target, operator, value, self.span(node))

    def pattern(self, node: Node) -> s.Pattern:
        if node.type == "constant_pattern":
            return s.ConstantPattern(self.expr(self.only(node)), self.span(node))
        if node.type == "declaration_pattern":
            type_node = self.field(node, "type")
            name = node.child_by_field_name("name")
            written = None if type_node.type == "implicit_type" else self.type_ref(type_node)
            return s.TypePattern(written, self.raw(name) if name is not None else "", self.span(node))
        if node.type in ("type_pattern", "var_pattern"):
            inner = named(node)
            if node.type == "var_pattern":
                return s.TypePattern(None, self.raw(inner[-1]) if inner else "", self.span(node))
            return s.TypePattern(self.type_ref(inner[0]), "", self.span(node))
        raise say.unsupported(self.span(node), f"this pattern ({node.type.replace('_', ' ')})")

    def x_typeof_expression(self, node: Node) -> s.Expr:
        return s.TypeOf(self.type_ref(self.field(node, "type")), self.span(node))

    def x_default_expression(self, node: Node) -> s.Expr:
        written = node.child_by_field_name("type")
        return s.Default(self.type_ref(written) if written is not None else None, self.span(node))

    def x_throw_expression(self, node: Node) -> s.Expr:
        return s.ThrowExpr(self.expr(self.only(node)), self.span(node))

    def x_declaration_expression(self, node: Node) -> s.Expr:
        written = self.field(node, "type")
        name = node.child_by_field_name("name")
        declared = None if written.type == "implicit_type" else self.type_ref(written)
        text = self.raw(name) if name is not None else ""
        return s.Declaration(declared, "" if text == "_" else text, self.span(node))

    # --- access chains ------------------------------------------------------------------------------------

    def link(self, target: s.Expr, node: Node, start: Span | None = None) -> s.Expr:
        """One link of a chain on `target`; `start` is where the chain begins, which the node may not know."""
        span = self.span(node)
        span = Span((start or span).start, span.end)
        if node.type == "member_access_expression":
            name_node = self.field(node, "name")
            name, args = self.generic(name_node)
            return s.Member(target, name, args, False, self.span(name_node), span)
        if node.type == "element_access_expression":
            return s.Index(target, self.arguments(self.field(node, "subscript")), False, span)
        if node.type == "invocation_expression":
            return s.Call(target, self.arguments(self.field(node, "arguments")), span)
        return self.binding(target, named(node)[-1], span, first=True)

    def binding(self, target: s.Expr, node: Node, span: Span, *, first: bool) -> s.Expr:
        """What stands behind `?`: `.name` or `[i]`, perhaps with more links on top of it."""
        if node.type == "member_binding_expression":
            name_node = self.field(node, "name")
            name, args = self.generic(name_node)
            return s.Member(target, name, args, first, self.span(name_node), span)
        if node.type == "element_binding_expression":
            place = node.child_by_field_name("subscript") or node
            return s.Index(target, self.arguments(place), first, span)
        if node.type == "invocation_expression":
            inner = self.binding(target, self.field(node, "function"), span, first=first)
            return s.Call(inner, self.arguments(self.field(node, "arguments")), self.span(node))
        if node.type in ("member_access_expression", "element_access_expression"):
            inner = self.binding(target, self.field(node, "expression"), span, first=first)
            return self.link(inner, node)
        if node.type == "conditional_access_expression":
            inner = self.binding(target, self.field(node, "condition"), span, first=first)
            return self.binding(inner, named(node)[-1], self.span(node), first=True)
        raise self.wrong(node)

    def arguments(self, node: Node) -> tuple[s.Argument, ...]:
        out = []
        for child in named(node):
            if child.type != "argument":
                raise self.wrong(child)
            name, mode = "", ""
            inner = named(child)
            if any(c.type == ":" for c in child.children):
                name, inner = self.raw(inner[0]), inner[1:]
            for c in child.children:
                if c.type in ("out", "ref", "in"):
                    mode = c.type
            if len(inner) != 1:
                raise self.wrong(child)
            out.append(s.Argument(self.expr(inner[0]), name, mode, self.span(child)))
        return tuple(out)

    def generic(self, node: Node) -> tuple[str, tuple[s.TypeRef, ...]]:
        if node.type == "generic_name":
            parts = named(node)
            return self.raw(parts[0]), tuple(self.type_ref(a) for a in named(parts[1]))
        return self.raw(node).removeprefix("@"), ()

    # --- creation ----------------------------------------------------------------------------------------

    def x_object_creation_expression(self, node: Node) -> s.Expr:
        written = self.type_ref(self.field(node, "type"))
        given = node.child_by_field_name("arguments")
        init = node.child_by_field_name("initializer")
        return s.New(
            written,
            self.arguments(given) if given is not None else (),
            tuple(self.element(e) for e in named(init)) if init is not None else None,
            self.span(node),
        )

    def element(self, node: Node) -> s.ElementInit:
        span = self.span(node)
        if node.type == "initializer_expression":
            return s.ElementInit(tuple(self.expr(e) for e in named(node)), (), "", span)
        if node.type == "assignment_expression":
            left, right = self.field(node, "left"), self.field(node, "right")
            value = (
                self.nested_initializer(right) if right.type == "initializer_expression" else self.expr(right)
            )
            if left.type == "element_binding_expression":
                inner = left.child_by_field_name("subscript") or left
                return s.ElementInit((value,), tuple(a.value for a in self.arguments(inner)), "", span)
            if left.type == "identifier":
                return s.ElementInit((value,), (), self.raw(left), span)
            raise self.wrong(left)
        return s.ElementInit((self.expr(node),), (), "", span)

    def nested_initializer(self, node: Node) -> s.Expr:
        raise say.unsupported(self.span(node), "an initialiser without `new`")

    def x_array_creation_expression(self, node: Node) -> s.Expr:
        written = self.field(node, "type")
        element = self.type_ref(self.field(written, "type"))
        ranks = [c for c in written.children if c.type == "array_rank_specifier"]
        sizes = named(ranks[0]) if ranks else []
        if len(ranks) > 1:
            for _ in ranks[1:]:
                element = s.TypeRef("[]", (element,), element.span)
        if len(sizes) > 1:
            raise say.unsupported(self.span(node), "an array with several dimensions")
        init = next((c for c in named(node) if c.type == "initializer_expression"), None)
        size = self.expr(sizes[0]) if sizes else None
        return s.NewArray(element, size, self.elements(init), self.span(node))

    def x_implicit_array_creation_expression(self, node: Node) -> s.Expr:
        init = next((c for c in named(node) if c.type == "initializer_expression"), None)
        return s.NewArray(None, None, self.elements(init), self.span(node))

    def x_initializer_expression(self, node: Node) -> s.Expr:
        """`int[] a = { 1, 2 }`"""
        return s.NewArray(None, None, self.elements(node), self.span(node))

    def elements(self, init: Node | None) -> tuple[s.Expr, ...] | None:
        return None if init is None else tuple(self.expr(e) for e in named(init))

    def x_anonymous_object_creation_expression(self, node: Node) -> s.Expr:
        members: list[tuple[str, s.Expr]] = []
        pending: str | None = None
        children = [c for c in node.children if c.type != "comment"]
        for at, child in enumerate(children):
            if not child.is_named:
                continue
            follows = children[at + 1].type if at + 1 < len(children) else ""
            if follows == "=":
                pending = self.raw(child)
                continue
            value = self.expr(child)
            if pending is None:
                match value:
                    case s.Name(name=name) | s.Member(name=name):
                        pending = name
                    case _:
                        raise say.misplaced(self.span(child), "a member without a name")
            members.append((pending, value))
            pending = None
        return s.NewAnonymous(tuple(members), self.span(node))

    def x_lambda_expression(self, node: Node) -> s.Expr:
        if any(c.type == "modifier" for c in node.children):
            raise say.unsupported(self.span(node), "an `async` lambda")
        given = self.field(node, "parameters")
        if given.type == "implicit_parameter":
            parameters: list[tuple[str, s.TypeRef | None]] = [(self.raw(given), None)]
        else:
            parameters = [self.parameter(p) for p in named(given)]
        body = self.field(node, "body")
        inner = self.block(body) if body.type == "block" else self.expr(body)
        return s.Lambda(tuple(parameters), inner, self.span(node))

    def parameter(self, node: Node) -> tuple[str, s.TypeRef | None]:
        if any(c.type == "modifier" for c in node.children):
            raise say.unsupported(self.span(node), "a parameter with a modifier")
        written = node.child_by_field_name("type")
        name = self.raw(self.field(node, "name"))
        return name, self.type_ref(written) if written is not None else None

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
                element = self.type_ref(self.field(node, "type"))
                rank = self.raw(self.field(node, "rank"))
                if "," in rank:
                    raise say.unsupported(span, "an array with several dimensions")
                return s.TypeRef("[]", (element,), span)
            case "nullable_type":
                return s.TypeRef("Nullable", (self.type_ref(self.field(node, "type")),), span)
        raise say.unsupported(span, f"the type `{self.raw(node)[:40]}`")

    # --- statements ----------------------------------------------------------------------------------------

    def stmt(self, node: Node) -> s.Stmt:
        self.depth += 1
        if self.depth > DEPTH_LIMIT:
            raise say.too_deep(self.span(node))
        try:
            read = getattr(self, "s_" + node.type, None)
            if read is None:
                what = _STATEMENT_WORDS.get(node.type, f"`{node.type.replace('_', ' ')}`")
                raise say.unsupported(self.span(node), what)
            result: s.Stmt = read(node)
            return result
        finally:
            self.depth -= 1

    def block(self, node: Node) -> s.Block:
        return s.Block(tuple(self.stmt(n) for n in named(node)), self.span(node))

    def s_block(self, node: Node) -> s.Stmt:
        return self.block(node)

    def s_empty_statement(self, node: Node) -> s.Stmt:
        return s.Block((), self.span(node))

    def s_checked_statement(self, node: Node) -> s.Stmt:
        if self.raw(node).startswith("checked"):
            raise say.unsupported(self.span(node), "`checked`")
        return self.block(self.only(node))

    def s_expression_statement(self, node: Node) -> s.Stmt:
        return s.Do(self.expr(self.only(node)), self.span(node))

    def s_local_declaration_statement(self, node: Node) -> s.Stmt:
        declaration = next((c for c in named(node) if c.type == "variable_declaration"), None)
        if declaration is None:
            raise self.wrong(node)
        if node.children[0].type == "using":
            raise say.unsupported(self.span(node), "a `using` declaration (C# 8)")
        return self.local(declaration)

    def local(self, node: Node) -> s.Local:
        written = self.field(node, "type")
        type_ref = None if written.type == "implicit_type" else self.type_ref(written)
        out: list[tuple[str, s.Expr | None, Span]] = []
        for each in named(node):
            if each.type != "variable_declarator":
                continue
            name_node = self.field(each, "name")
            value = next((c for c in named(each) if c != name_node), None)
            out.append(
                (
                    self.raw(name_node).removeprefix("@"),
                    self.expr(value) if value is not None else None,
                    self.span(each),
                )
            )
        return s.Local(type_ref, tuple(out), self.span(node))

    def s_if_statement(self, node: Node) -> s.Stmt:
        # `else if` chains are walked: each link would otherwise count as a level.
        links: list[tuple[Node, s.Expr, s.Stmt]] = []
        now: Node | None = node
        last: s.Stmt | None = None
        while now is not None:
            if now.type != "if_statement":
                last = self.stmt(now)
                break
            links.append(
                (now, self.expr(self.field(now, "condition")), self.stmt(self.field(now, "consequence")))
            )
            now = now.child_by_field_name("alternative")
        for each, condition, then in reversed(links):
            last = s.If(condition, then, last, self.span(each))
        assert last is not None
        return last

    def s_while_statement(self, node: Node) -> s.Stmt:
        condition, body = self.expr(self.field(node, "condition")), self.stmt(self.field(node, "body"))
        return s.While(condition, body, False, self.span(node))

    def s_do_statement(self, node: Node) -> s.Stmt:
        condition, body = self.expr(self.field(node, "condition")), self.stmt(self.field(node, "body"))
        return s.While(condition, body, True, self.span(node))

    def s_for_statement(self, node: Node) -> s.Stmt:
        start: list[s.Stmt] = []
        step: list[s.Expr] = []
        for at, child in enumerate(node.children):
            field = node.field_name_for_child(at)
            if field == "initializer":
                if child.type == "variable_declaration":
                    start.append(self.local(child))
                elif child.is_named:
                    start.append(s.Do(self.expr(child), self.span(child)))
            elif field == "update" and child.is_named:
                step.append(self.expr(child))
        condition = node.child_by_field_name("condition")
        return s.For(
            tuple(start),
            self.expr(condition) if condition is not None else None,
            tuple(step),
            self.stmt(self.field(node, "body")),
            self.span(node),
        )

    def s_foreach_statement(self, node: Node) -> s.Stmt:
        written = self.field(node, "type")
        left = self.field(node, "left")
        if left.type != "identifier":
            raise say.unsupported(self.span(left), "deconstruction")
        return s.Foreach(
            None if written.type == "implicit_type" else self.type_ref(written),
            self.raw(left).removeprefix("@"),
            self.expr(self.field(node, "right")),
            self.stmt(self.field(node, "body")),
            self.span(node),
        )

    def s_switch_statement(self, node: Node) -> s.Stmt:
        sections: list[s.SwitchSection] = []
        labels: list[s.Label] = []
        for section in named(self.field(node, "body")):
            label, body = self.switch_section(section)
            labels.append(label)
            if body:
                sections.append(s.SwitchSection(tuple(labels), tuple(body), self.span(section)))
                labels = []
        if labels:
            raise self.wrong(node)
        return s.Switch(self.expr(self.field(node, "value")), tuple(sections), self.span(node))

    def switch_section(self, node: Node) -> tuple[s.Label, list[s.Stmt]]:
        pattern: s.Pattern | None = None
        guard: s.Expr | None = None
        body: list[s.Stmt] = []
        seen_colon = False
        for child in node.children:
            if child.type == ":":
                seen_colon = True
            elif child.type in ("case", "default", "comment"):
                continue
            elif seen_colon:
                body.append(self.stmt(child))
            elif child.type == "when_clause":
                guard = self.expr(self.only(child))
            elif child.is_named:
                pattern = (
                    self.pattern(child)
                    if child.type.endswith("_pattern")
                    else s.ConstantPattern(self.expr(child), self.span(child))
                )
        return s.Label(pattern, guard, self.span(node)), body

    def s_return_statement(self, node: Node) -> s.Stmt:
        inner = named(node)
        return s.Return(self.expr(inner[0]) if inner else None, self.span(node))

    def s_break_statement(self, node: Node) -> s.Stmt:
        return s.Break(self.span(node))

    def s_continue_statement(self, node: Node) -> s.Stmt:
        return s.Continue(self.span(node))

    def s_throw_statement(self, node: Node) -> s.Stmt:
        inner = named(node)
        return s.Throw(self.expr(inner[0]) if inner else None, self.span(node))

    def s_try_statement(self, node: Node) -> s.Stmt:
        catches: list[s.Catch] = []
        last: s.Block | None = None
        for child in named(node):
            if child.type == "catch_clause":
                catches.append(self.catch(child))
            elif child.type == "finally_clause":
                last = self.block(self.only(child))
        return s.Try(self.block(self.field(node, "body")), tuple(catches), last, self.span(node))

    def catch(self, node: Node) -> s.Catch:
        written: s.TypeRef | None = None
        name = ""
        guard: s.Expr | None = None
        for child in named(node):
            if child.type == "catch_declaration":
                written = self.type_ref(self.field(child, "type"))
                name_node = child.child_by_field_name("name")
                name = self.raw(name_node) if name_node is not None else ""
            elif child.type == "catch_filter_clause":
                guard = self.expr(self.only(child))
        return s.Catch(written, name, guard, self.block(self.field(node, "body")), self.span(node))

    def s_using_statement(self, node: Node) -> s.Stmt:
        body = self.stmt(self.field(node, "body"))
        held = next(c for c in named(node) if c != node.child_by_field_name("body"))
        resource = self.local(held) if held.type == "variable_declaration" else self.expr(held)
        return s.Using(resource, body, self.span(node))

    def s_local_function_statement(self, node: Node) -> s.Stmt:
        written = self.field(node, "type")
        if node.child_by_field_name("type_parameters") is not None:
            raise say.unsupported(self.span(node), "a generic local function")
        parameters: list[tuple[str, s.TypeRef]] = []
        for each in named(self.field(node, "parameters")):
            name, type_ref = self.parameter(each)
            if type_ref is None or len(named(each)) > 2:
                raise say.unsupported(self.span(each), "this parameter")
            parameters.append((name, type_ref))
        body = self.field(node, "body")
        inner: Any = self.block(body) if body.type == "block" else self.expr(self.only(body))
        returns = self.type_ref(written)
        return s.Function(
            None if returns.name == "void" else returns,
            self.raw(self.field(node, "name")),
            tuple(parameters),
            inner,
            self.span(node),
        )


def named(node: Node | None) -> list[Node]:
    """Named children without comments; directives of the preprocessor do not come through the document parser."""
    if node is None:
        return []
    return [c for c in node.named_children if c.type != "comment"]


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
