"""Expressions of the grammar's tree to ours, a method for each kind of node. It knows no types."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aforo.csharp import diagnostics as say
from aforo.csharp import regroup
from aforo.csharp import syntax as s
from aforo.csharp.literals import decode_string
from aforo.csharp.reader import BRACES, DEPTH_LIMIT, QUOTES, Reader, named
from aforo.source import Span

if TYPE_CHECKING:
    from tree_sitter import Node

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
_EXPRESSION_WORDS = {
    "await_expression": "`await`",
    "switch_expression": "a switch expression (C# 8)",
    "sizeof_expression": "`sizeof`",
    "stackalloc_expression": "`stackalloc`",
    "range_expression": "a range (C# 8)",
    "with_expression": "`with` (C# 9)",
    "ref_expression": "`ref`",
    "makeref_expression": "`__makeref`",
    "implicit_object_creation_expression": "`new()` without a type (C# 9)",
    "raw_string_literal": "a raw string (C# 11)",
    "this": "`this`",
    "base": "`base`",
}


class ExpressionReader(Reader):
    """Reads what has a value."""

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

    def x_array_type(self, node: Node) -> s.Expr:
        """`(a[0]) - 1` has its first part from a cast."""
        rank = self.field(node, "rank")
        places = tuple(s.Argument(self.expr(each), "", "", self.span(each)) for each in named(rank))
        if not places:
            raise self.wrong(node)
        return s.Index(self.expr(self.field(node, "type")), places, False, self.span(node))

    def x_parenthesized_expression(self, node: Node) -> s.Expr:
        return s.Paren(self.expr(self.only(node)), self.span(node))

    def x_checked_expression(self, node: Node) -> s.Expr:
        on = self.raw(node).startswith("checked")
        return s.Checked(on, self.expr(self.only(node)), self.span(node))

    def x_tuple_expression(self, node: Node) -> s.Expr:
        elements = self.arguments(node)
        return s.Tuple(tuple((a.name, a.value) for a in elements), self.span(node))

    def x_tuple_pattern(self, node: Node) -> s.Expr:
        """`(a, (b, _))` behind `var`."""
        inner = [
            self.expr(c) if c.type == "tuple_pattern" else self.declared(self.raw(c), self.span(c))
            for c in named(node)
        ]
        return s.Tuple(tuple(("", e) for e in inner), self.span(node))

    def declared(self, name: str, span: Span) -> s.Expr:
        return s.Declaration(None, "" if name == "_" else name, span)

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
        verbatim = "@" in raw[:3]
        if raw.startswith(('$"""', "$$")):
            raise say.unsupported(self.span(node), _EXPRESSION_WORDS["raw_string_literal"])
        parts: list[str | s.Hole] = []
        for child in node.children:
            if child.type == "interpolation":
                parts.append(self.hole(child, verbatim=verbatim))
            elif child.type in ("string_content", "escape_sequence", "interpolation_quote_escape"):
                text = self.raw(child).replace(BRACES, "{").replace("}}", "}")
                text = text.replace(QUOTES, '"') if verbatim else decode_string(text, self.span(child))
                parts.append(text)
        return s.Interpolated(tuple(parts), self.is_secret(node), self.span(node))

    def hole(self, node: Node, *, verbatim: bool) -> s.Hole:
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
                # `{time:hh\\:mm}`: escapes stand for characters in a format too.
                spec = spec.replace(QUOTES, '"') if verbatim else decode_string(spec, self.span(child))
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
        """Two operands; `new List<(int A, int B)> { ... }` comes as comparisons of a tuple of declarations."""
        match left, right:
            case (
                s.Binary(s.New(s.TypeRef(name, ()), (), None), "<", s.Tuple(elements) as tuple_),
                s.NewArray(None, (), tuple(entries)),
            ) if operator == ">":
                parts = [each for _, each in elements if isinstance(each, s.Declaration)]
                types = tuple(each.type for each in parts if each.type is not None)
                if len(types) == len(elements):
                    argument = s.TypeRef(f"({','.join(p.name for p in parts)})", types, tuple_.span)
                    given = tuple(s.ElementInit((e,), (), "", e.span) for e in entries)
                    span = left.span.to(right.span)
                    return s.New(s.TypeRef(name, (argument,), left.span), (), given, span)
        return s.Binary(left, operator, right, left.span.to(right.span))

    def test(self, value: s.Expr, operator: regroup.Operator) -> s.Expr:
        node = operator.node
        span = value.span.to(self.span(node))
        if node.type == "as_expression":
            return s.As(value, self.type_ref(self.field(node, "right")), span)
        if node.type == "is_expression":
            right = self.field(node, "right")
            return s.Is(value, s.TypePattern(self.type_ref(right), "", self.span(right)), span)
        match operator.constant:
            case []:
                return s.Is(value, self.pattern(self.field(node, "pattern")), span)
            case [regroup.Operand([], base, [])] if base.type == "generic_name":
                pattern: s.Pattern = s.TypePattern(self.type_ref(base), "", self.span(base))
            case run:
                constant = regroup.climb(run, self.operand, self.pair, self.test)
                pattern = s.ConstantPattern(constant, constant.span)
        return s.Is(value, pattern, value.span.to(pattern.span))

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
            elif isinstance(link, regroup.Subscript):
                inner = [self.only(self.only(each)) for each in named(link.node)]
                places = tuple(s.Argument(self.expr(each), "", "", self.span(each)) for each in inner)
                result = s.Index(result, places, False, Span(start.start, self.span(link.node).end))
            else:
                result = self.link(result, link, start)
        for prefix in reversed(item.prefixes):
            result = self.prefixed(prefix, result)
        return result

    def generic_call(self, target: s.Expr, call: regroup.GenericCall) -> s.Expr:
        last: Node = call.type.base
        for link in call.type.links:
            assert not isinstance(link, (regroup.GenericCall, regroup.Subscript))
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
        if written.type == "pointer_type" and name is not None:
            # There are no pointers here: the grammar takes `a * b` for one where a declaration could stand.
            return s.Binary(self.expr(self.only(written)), "*", self.expr(name), self.span(node))
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
            if not mode and not name and inner[0].type == "declaration_expression":
                compared = self.compared(inner[0])
                if compared:
                    out += [s.Argument(each, "", "", each.span) for each in compared]
                    continue
            out.append(s.Argument(self.expr(inner[0]), name, mode, self.span(child)))
        return tuple(out)

    def compared(self, node: Node) -> tuple[s.Binary, ...]:
        """`a < b, c > d`, which the grammar takes for a declaration of a `d` that is an `a<b, c>`: that needs an `out`."""
        written, name = self.field(node, "type"), node.child_by_field_name("name")
        if written.type != "generic_name" or name is None:
            return ()
        left, given = named(written)
        between = named(given)
        if len(between) != 2 or any(each.type not in ("identifier", "qualified_name") for each in between):
            return ()
        first, second = self.expr(between[0]), self.expr(between[1])
        return (
            s.Binary(self.expr(left), "<", first, self.span(left).to(first.span)),
            s.Binary(second, ">", self.expr(name), second.span.to(self.span(name))),
        )

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
            member = self.raw(left).removeprefix("@") if left.type == "identifier" else ""
            if member and right.type == "initializer_expression":
                nested = tuple(self.element(e) for e in named(right))
                return s.ElementInit((), (), member, span, nested)
            if right.type == "initializer_expression":
                raise say.unsupported(self.span(right), "an initialiser without `new`")
            value = self.expr(right)
            if left.type == "element_binding_expression":
                inner = left.child_by_field_name("subscript") or left
                return s.ElementInit((value,), tuple(a.value for a in self.arguments(inner)), "", span)
            if member:
                return s.ElementInit((value,), (), member, span)
            raise self.wrong(left)
        return s.ElementInit((self.expr(node),), (), "", span)

    def x_array_creation_expression(self, node: Node) -> s.Expr:
        # `new T[2][]`: the sizes stand at the innermost brackets, what is behind them belongs to the elements.
        element, ranks = self.array_type(self.field(node, "type"))
        for each in reversed(ranks[1:]):
            element = s.TypeRef(f"[{',' * (self.rank(each) - 1)}]", (element,), element.span)
        sizes = tuple(self.expr(size) for size in named(ranks[0]))
        init = next((c for c in named(node) if c.type == "initializer_expression"), None)
        return s.NewArray(element, sizes, self.elements(init), self.span(node), self.rank(ranks[0]))

    def x_implicit_array_creation_expression(self, node: Node) -> s.Expr:
        init = next((c for c in named(node) if c.type == "initializer_expression"), None)
        return s.NewArray(None, (), self.elements(init), self.span(node), self.rank(node))

    def x_initializer_expression(self, node: Node) -> s.Expr:
        """`int[] a = { 1, 2 }`"""
        return s.NewArray(None, (), self.elements(node), self.span(node))

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

    def x_anonymous_method_expression(self, node: Node) -> s.Expr:
        """`delegate(int x) { ... }`; without parameters it takes any."""
        given = node.child_by_field_name("parameters")
        parameters = tuple(self.parameter(p) for p in named(given))
        body = self.block(next(c for c in named(node) if c.type == "block"))
        return s.Lambda(parameters, body, self.span(node), given is None)

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
