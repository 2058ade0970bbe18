"""The grammar of scalar expressions. It knows no operator."""

from __future__ import annotations

from collections.abc import Callable

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.literals import typed_literal
from aforo.kql.token_cursor import MAX_DEPTH, TokenCursor
from aforo.kql.tokens import Token, TokenKind
from aforo.kql.types import DYNAMIC, LONG, REAL, STRING, TIMESPAN, KqlType
from aforo.source import Span

# Calls that name a place: `database("x").T`.
PLACES = frozenset({"workspace", "app", "resource", "cluster", "database", "adx", "arg"})
# One more than the greatest long (and timespan in ticks).
_LEAST_WITHOUT_SIGN = 1 << 63
_COMPARISONS = frozenset({"==", "!=", "<>", "<", ">", "<=", ">=", "=~", "!~"})
_TEXT_OPERATORS = frozenset(
    [
        "has",
        "has_cs",
        "hasprefix",
        "hasprefix_cs",
        "hassuffix",
        "hassuffix_cs",
        "contains",
        "contains_cs",
        "startswith",
        "startswith_cs",
        "endswith",
        "endswith_cs",
    ]
)
_NEGATED_TEXT = frozenset("!" + op for op in _TEXT_OPERATORS)
_LISTS = frozenset({"in", "in~", "!in", "!in~", "has_any", "has_all", "has_any~", "has_all~"})


class ExpressionParser(TokenCursor):
    """The cursor with `expression()` as its main entry. It never raises on any input."""

    # -- expressions -------------------------------------------------------------------------------------

    def expression(self) -> s.Syntax:
        # As `deeper`, without what a context manager costs: this is where every expression begins.
        self._depth += 1
        try:
            if self._depth > MAX_DEPTH:
                self._give_up()
                return s.Missing(self.peek().span)
            return self._or()
        finally:
            self._depth -= 1

    def named_expression(self) -> s.Syntax:
        """`expression`, `name = expression` or `(a, b) = expression`."""
        start = self.peek().span
        if (names := self._names_before_equals()) is not None:
            value = self.expression()
            return s.Named(names, value, start.to(self.last))
        return self.expression()

    def named_list(self) -> tuple[s.Syntax, ...]:
        out = [self.named_expression()]
        while self.take_mark(","):
            out.append(self.named_expression())
        return tuple(out)

    def _names_before_equals(self) -> tuple[str, ...] | None:
        token = self.peek()
        if token.kind is TokenKind.NAME and self.peek(1).text == "=" and self.peek(1).kind is TokenKind.MARK:
            self.index += 2
            return (token.text,)
        if token.kind is TokenKind.TIMESPAN and self.peek(1).text == "=":
            self.index += 2
            return (token.text,)
        if self.at_bracketed_name() and self.peek(3).text == "=":
            name = self.name("a name")
            self.next()
            return (name,)
        if not self.peek_mark("("):
            return None
        mark, names = self.index, []
        self.next()
        while self.peek().kind is TokenKind.NAME or self.at_bracketed_name():
            names.append(self.name("a name"))
            if not self.take_mark(","):
                break
        if names and self.take_mark(")") and self.take_mark("="):
            return tuple(names)
        self.index = mark
        return None

    def _or(self) -> s.Syntax:
        return self._connected("or", self._and)

    def _and(self) -> s.Syntax:
        return self._connected("and", self._comparison)

    def _connected(self, word: str, part: Callable[[], s.Syntax]) -> s.Syntax:
        """A chain of `and` or `or` as a balanced tree, so that a long one is not a deep one."""
        parts: list[s.Syntax] = [part()]
        places: list[Span] = []
        while self.peek_name(word):
            places.append(self.next().span)
            parts.append(part())
        while len(parts) > 1:
            pairs: list[s.Syntax] = []
            for i in range(0, len(parts) - 1, 2):
                left, right = parts[i], parts[i + 1]
                pairs.append(s.Binary(word, left, right, left.span.to(right.span), places[0]))
            parts = pairs + parts[len(pairs) * 2 :]
        return parts[0]

    def _comparison(self) -> s.Syntax:
        left = self._additive()
        while True:
            token = self.peek()
            text = token.text
            if token.kind is TokenKind.MARK and text in _COMPARISONS:
                self.next()
                right = self._additive()
                left = s.Binary(
                    "!=" if text == "<>" else text, left, right, left.span.to(right.span), token.span
                )
            elif text in _TEXT_OPERATORS or text in _NEGATED_TEXT:
                self.next()
                right = self._additive()
                left = s.Binary(text, left, right, left.span.to(right.span), token.span)
            elif token.kind is TokenKind.NAME and text == "matches" and self.peek(1).text == "regex":
                self.index += 2
                right = self._additive()
                left = s.Binary("matches regex", left, right, left.span.to(right.span), token.span)
            elif text in _LISTS:
                self.next()
                items = self._in_items()
                left = s.InList(text, left, items, left.span.to(self.last))
            elif text in ("between", "!between"):
                self.next()
                left = self._between(left, negated=text[0] == "!")
            elif token.kind is TokenKind.MARK and text == ":":
                self.next()
                right = self._additive()
                left = s.Binary("has", left, right, left.span.to(right.span), token.span)
            else:
                if text == "=" and token.kind is TokenKind.MARK:
                    self.report(say.expected("'=='", "'='", token.span, "'==' compares, '=' gives a name"))
                    self.next()
                    self._additive()
                    continue
                return left

    def _in_items(self) -> tuple[s.Syntax, ...]:
        if not self.peek_mark("("):
            return (self.primary(),)
        self.next()
        items: list[s.Syntax] = []
        while not self.peek_mark(")") and not self.at_end():
            items.append(self.pipeline())
            if not self.take_mark(","):
                break
        self.expect_mark(")")
        return tuple(items)

    def _between(self, operand: s.Syntax, *, negated: bool) -> s.Syntax:
        self.expect_mark("(")
        low = self._additive()
        self.expect_mark("..")
        high = self._additive()
        self.expect_mark(")")
        return s.Between(operand, low, high, negated, operand.span.to(self.last))

    def _additive(self) -> s.Syntax:
        left = self._multiplicative()
        while self.peek().kind is TokenKind.MARK and self.peek().text in ("+", "-"):
            op = self.next()
            right = self._multiplicative()
            left = s.Binary(op.text, left, right, left.span.to(right.span), op.span)
        return left

    def _multiplicative(self) -> s.Syntax:
        left = self._unary()
        while self.peek().kind is TokenKind.MARK and self.peek().text in ("*", "/", "%"):
            op = self.next()
            right = self._unary()
            left = s.Binary(op.text, left, right, left.span.to(right.span), op.span)
        return left

    def _unary(self) -> s.Syntax:
        token = self.peek()
        if token.kind is TokenKind.MARK and token.text in ("-", "+"):
            self.next()
            digits = self.peek()
            if (
                token.text == "-"
                and digits.kind is TokenKind.NUMBER
                and digits.text == str(_LEAST_WITHOUT_SIGN)
            ):
                # The least long, whose digits alone would be out of range.
                return s.Literal(-_LEAST_WITHOUT_SIGN, LONG, token.span.to(self.next().span))
            with self.deeper() as fine:
                operand = self._unary() if fine else s.Missing(token.span)
            if (
                isinstance(operand, s.Literal)
                and isinstance(operand.value, int | float)
                and token.text == "-"
            ):
                return s.Literal(-operand.value, operand.type, token.span.to(operand.span))
            return operand if token.text == "+" else s.Unary("-", operand, token.span.to(operand.span))
        return self._postfix()

    def _postfix(self) -> s.Syntax:
        target = self.primary()
        while True:
            if (
                self.peek_mark(".")
                and isinstance(target, s.Call)
                and target.function in PLACES
                and (everything := self._wildcard_of(target)) is not None
            ):
                return everything
            if self.peek_mark(".") and (self.peek(1).kind is TokenKind.NAME or self.peek(1).text == "["):
                self.next()
                if self.peek_mark("[") and not self.at_bracketed_name():
                    continue
                function_call = self.peek(1).text == "(" and self.peek().kind is TokenKind.NAME
                name_token = self.peek()
                name = self.name("a property")
                if function_call:
                    target = self._chained(target, name, name_token.span)
                else:
                    target = s.Member(target, name, target.span.to(self.last))
            elif self.peek_mark("[") and _has_elements(target):
                self.next()
                index = self.expression()
                self.expect_mark("]")
                target = s.Index(target, index, target.span.to(self.last))
            else:
                return target

    def _wildcard_of(self, place: s.Call) -> s.Syntax | None:
        """`database("x").*`, `database("x").Log*`: a Member whose name has a wildcard."""
        first, second = self.peek(1), self.peek(2)
        if first.text == "*":
            self.index += 2
            return s.Member(place, "*", place.span.to(self.last))
        if first.kind is TokenKind.NAME and second.text == "*" and second.span.start == first.span.end:
            self.index += 3
            return s.Member(place, first.text + "*", place.span.to(self.last))
        return None

    def primary_chain(self) -> s.Syntax:
        """A name, a call, or `database("x").T`."""
        return self._postfix()

    def _chained(self, target: s.Syntax, name: str, name_span: Span) -> s.Syntax:
        """`workspace("x").T`, `database("d").f()`: the calls that reach into another place."""
        arguments = self._arguments()
        return s.Call(name, (target, *arguments), target.span.to(self.last), name_span)

    def _within_range(self, token: Token, kind: str) -> None:
        if isinstance(token.value, int) and token.value >= _LEAST_WITHOUT_SIGN:
            self.report(say.out_of_range(kind, token.text[:80], token.span))

    def primary(self) -> s.Syntax:
        token = self.peek()
        match token.kind:
            case TokenKind.NUMBER:
                self.next()
                self._within_range(token, "long")
                return s.Literal(token.value, LONG if isinstance(token.value, int) else REAL, token.span)
            case TokenKind.TIMESPAN:
                self.next()
                self._within_range(token, "timespan")
                return s.Literal(token.value, TIMESPAN, token.span)
            case TokenKind.STRING:
                return self._string()
            case TokenKind.TYPED:
                self.next()
                literal, mistake = typed_literal(token)
                if mistake is not None:
                    self.report(mistake)
                return literal
            case TokenKind.NAME:
                return self._name_or_call()
            case TokenKind.MARK:
                return self._mark(token)
            case TokenKind.END:
                pass
        self.report(say.expected("an expression", self.shown(token), token.span))
        return s.Missing(token.span)

    def _string(self) -> s.Syntax:
        """Neighbouring strings are one."""
        token = self.next()
        text, span = str(token.value), token.span
        while self.peek().kind is TokenKind.STRING:
            token = self.next()
            text, span = text + str(token.value), span.to(token.span)
        return s.Literal(text, STRING, span)

    def _name_or_call(self) -> s.Syntax:
        token = self.next()
        if token.text in ("true", "false", "True", "False", "TRUE", "FALSE") and not self.peek_mark("("):
            return s.Literal(token.text.lower() == "true", KqlType.BOOL, token.span)
        if token.text == "null" and not self.peek_mark("("):
            return s.Literal(None, KqlType.DYNAMIC, token.span)
        if token.text == "typeof" and self.peek_mark("("):
            self.next()
            type_ = self.type_name()
            self.expect_mark(")")
            return s.TypeOf(type_, token.span.to(self.last))
        if self.peek_mark("("):
            arguments = self._arguments()
            return s.Call(token.text, arguments, token.span.to(self.last), token.span)
        if self._wildcard_follows(token):
            return self._pattern(token)
        return s.Name(token.text, token.span)

    def _wildcard_follows(self, token: Token) -> bool:
        star = self.peek()
        if star.text != "*" or star.kind is not TokenKind.MARK or star.span.start != token.span.end:
            return False
        after = self.peek(1)
        return (
            after.kind is TokenKind.END
            or after.text in (",", ")", "|", ";")
            or (after.text in ("asc", "desc", "granny") and after.span.start > star.span.end)
        )

    def name_pattern(self) -> s.Syntax | None:
        """`App*Logs` where a name of a table or a column begins; in an expression it is a product."""
        first, star, after = self.peek(), self.peek(1), self.peek(2)
        if (
            first.kind is TokenKind.NAME
            and star.text == "*"
            and star.span.start == first.span.end
            and after.kind in (TokenKind.NAME, TokenKind.NUMBER)
            and after.span.start == star.span.end
        ):
            return self._pattern(self.next())
        return None

    def _pattern(self, first: Token) -> s.Syntax:
        """`Dur*`, `*Time*`: names with wildcards, as `project-away` and `union` take them."""
        text, span = first.text, first.span
        while (token := self.peek()).span.start == span.end and (
            token.text == "*" or token.kind in (TokenKind.NAME, TokenKind.NUMBER)
        ):
            self.next()
            text, span = text + token.text, span.to(token.span)
        return s.Star(span, text)

    def _arguments(self) -> tuple[s.Syntax, ...]:
        self.expect_mark("(")
        out: list[s.Syntax] = []
        while not self.peek_mark(")") and not self.at_end():
            out.append(self.argument())
            if not self.take_mark(","):
                break
        self.expect_mark(")")
        return tuple(out)

    def argument(self) -> s.Syntax:
        """`name = value`, a value, or a table."""
        return self.named_expression() if self._names_ahead() else self.pipeline()

    def _names_ahead(self) -> bool:
        return (
            self.peek().kind is TokenKind.NAME
            and self.peek(1).text == "="
            and self.peek(1).kind is TokenKind.MARK
        )

    def _mark(self, token: Token) -> s.Syntax:
        if token.text == "(":
            self.next()
            inner = self.pipeline()
            self.expect_mark(")")
            return inner
        if token.text == "*":
            self.next()
            if self.peek().kind is TokenKind.NAME and self.peek().span.start == token.span.end:
                return self._pattern(token)
            return s.Star(token.span)
        if self.at_bracketed_name():
            name = self.name("a name")
            return s.Name(name, token.span.to(self.last))
        self.report(say.expected("an expression", self.shown(token), token.span))
        if token.text not in (")", "]", "}", "|", ";", ","):
            self.next()
        return s.Missing(token.span)

    def pipeline(self) -> s.Syntax:
        """Overridden by the parser of whole queries; alone, an expression is all there is."""
        return self.expression()


def _has_elements(target: s.Syntax) -> bool:
    """Behind any other literal, and behind `*`, a bracket begins something else."""
    return target.type is DYNAMIC if isinstance(target, s.Literal) else not isinstance(target, s.Star)
