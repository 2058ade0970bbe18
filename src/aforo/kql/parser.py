"""Tokens to syntax, by recursive descent with recovery: it reports every mistake and always gives a tree.

Tabular operators bring their own grammar (`operators/`), handed in as a table, so that the parser knows none of
them by name. Scalar expressions stand in `expressions.py`'s grammar, which this class inherits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.expressions import ExpressionParser
from aforo.kql.tokens import Token, TokenKind
from aforo.source import Diagnostic, Span

OperatorGrammar = Callable[["Parser", Span], s.Syntax]


class Parser(ExpressionParser):
    """`operators` read what stands after a pipe, `sources` what may start a pipeline with a keyword."""

    def __init__(
        self,
        tokens: list[Token],
        operators: Mapping[str, OperatorGrammar],
        sources: Mapping[str, OperatorGrammar],
    ) -> None:
        super().__init__(tokens)
        self.operators = operators
        self.sources = sources

    # -- the whole text ----------------------------------------------------------------------------------

    def query(self) -> tuple[s.Query, list[Diagnostic]]:
        """The whole text as syntax, with every mistake that was met."""
        start = self.peek().span
        statements: list[s.Statement] = []
        body: s.Syntax | None = None
        while True:
            while self.take_mark(";"):
                pass
            if self.at_end():
                break
            before = self.index
            if (statement := self._statement()) is not None:
                statements.append(statement)
            else:
                tree = self.pipeline()
                if body is not None:
                    self.report(say.several_results(tree.span))
                body = body or tree
            if not self.at_end() and not self.peek_mark(";"):
                self._stray()
            if self.index == before:
                self.next()
        if body is None and not self.mistakes:
            self.report(say.no_query(self.peek().span))
        return s.Query(tuple(statements), body, start.to(self.peek().span)), self.mistakes

    def _stray(self) -> None:
        """Tokens behind a finished statement. A keyword there is most likely a lost pipe."""
        while not self.at_end() and not self.peek_mark(";"):
            token = self.peek()
            keyword, after = self.operator_keyword()
            if keyword in self.operators and token.kind is TokenKind.NAME:
                self.report(say.missing_pipe(keyword, token.span))
                self.index = after
                self.operators[keyword](self, token.span)
                continue
            if self.peek_mark("|"):
                # The pipeline goes on behind the lost pipe; read it for its own mistakes.
                self.pipes()
                continue
            self.report(say.expected("'|' or ';'", self.shown(token), token.span))
            self.skip_to_statement_end()

    def _statement(self) -> s.Statement | None:
        token = self.peek()
        if token.kind is not TokenKind.NAME:
            return None
        follows = self.peek(1)
        if token.text == "let" and follows.kind in (TokenKind.NAME, TokenKind.MARK, TokenKind.TYPED):
            return self.let()
        if token.text == "set" and follows.kind is TokenKind.NAME:
            return self._set()
        if token.text == "declare" and follows.text == "query_parameters":
            self.next()
            self.next()
            parameters = self.parameters()
            return s.DeclareParameters(parameters, token.span.to(self.last))
        if token.text == "declare" and follows.text == "pattern":
            return self._pattern_statement()
        if token.text == "alias" and follows.text == "database":
            return self._alias()
        if token.text == "restrict" and follows.text == "access":
            return self._restrict()
        return None

    def _alias(self) -> s.Alias:
        start = self.next().span
        self.next()
        name = self.name("a name")
        self.expect_mark("=")
        return s.Alias(name, self.expression(), start.to(self.last))

    def _restrict(self) -> s.Restrict:
        start = self.next().span
        self.next()
        self.expect_name("to")
        self.expect_mark("(")
        items = [self.primary_chain()]
        while self.take_mark(","):
            items.append(self.primary_chain())
        self.expect_mark(")")
        return s.Restrict(tuple(items), start.to(self.last))

    def _pattern_statement(self) -> s.Pattern:
        start = self.next().span
        self.next()
        name = self.name("a name")
        if not self.take_mark("="):
            # Only said to be there: nothing fits it.
            return s.Pattern(name, (), (), start.to(self.last))
        parameters = self.parameters()
        if self.take_mark("["):
            self.name("a path")
            if self.take_mark(":"):
                self.type_name()
            self.expect_mark("]")
        self.expect_mark("{")
        cases: list[s.PatternCase] = []
        while self.peek_mark("("):
            cases.append(self._case())
            self.take_mark(";")
        self.expect_mark("}")
        return s.Pattern(name, parameters, tuple(cases), start.to(self.last))

    def _case(self) -> s.PatternCase:
        start = self.next().span
        values: list[object] = []
        while not self.peek_mark(")") and not self.at_end():
            value = self.primary()
            values.append(value.value if isinstance(value, s.Literal) else None)
            if not self.take_mark(","):
                break
        self.expect_mark(")")
        path: str | None = None
        if self.take_mark("."):
            path = self.name("a path")
        self.expect_mark("=")
        statements, body = self._block()
        return s.PatternCase(tuple(values), path, statements, body, start.to(self.last))

    def let(self) -> s.Let:
        """`let name = expression | pipeline | (parameters) { body }`"""
        start = self.next().span
        name = self.name("a name")
        self.expect_mark("=")
        value: s.Syntax
        if self.peek_mark("(") and self._is_function():
            value = self._function()
        elif self.peek_name("view") and self.peek(1).text == "(":
            self.next()
            value = replace(self._function(), view=True)
        else:
            value = self.pipeline()
        return s.Let(name, value, start.to(self.last))

    def _set(self) -> s.SetOption:
        start = self.next().span
        name = self.next().text
        value = self.expression() if self.take_mark("=") else None
        return s.SetOption(name, value, start.to(self.last))

    def _is_function(self) -> bool:
        """Whether the parenthesis here closes before a `{`."""
        depth, i = 0, self.index
        while i < len(self.tokens):
            text, kind = self.tokens[i].text, self.tokens[i].kind
            if kind is TokenKind.MARK and text == "(":
                depth += 1
            elif kind is TokenKind.MARK and text == ")":
                depth -= 1
                if depth == 0:
                    return self.tokens[i + 1].text == "{" if i + 1 < len(self.tokens) else False
            elif kind is TokenKind.END or text == ";":
                return False
            i += 1
        return False

    def _function(self) -> s.Function:
        start = self.peek().span
        parameters = self.parameters()
        statements, body = self._block()
        return s.Function(parameters, statements, body, start.to(self.last))

    def _block(self) -> tuple[tuple[s.Let, ...], s.Syntax]:
        """`{ let x = 1; body }`"""
        self.expect_mark("{")
        statements: list[s.Let] = []
        while self.peek_name("let"):
            statements.append(self.let())
            if not self.take_mark(";"):
                break
        body = self.pipeline()
        self.take_mark(";")
        self.expect_mark("}")
        return tuple(statements), body

    def parameters(self) -> tuple[s.Parameter, ...]:
        self.expect_mark("(")
        out: list[s.Parameter] = []
        while not self.peek_mark(")") and not self.at_end():
            start = self.peek().span
            name = self.name("a parameter")
            self.expect_mark(":")
            if self.peek_mark("("):
                schema = () if self._star_schema() else self.schema()
                out.append(s.Parameter(name, None, schema, None, start.to(self.last)))
            else:
                type_ = self.type_name()
                default = self.expression() if self.take_mark("=") else None
                out.append(s.Parameter(name, type_, (), default, start.to(self.last)))
            if not self.take_mark(","):
                break
        self.expect_mark(")")
        return tuple(out)

    def _star_schema(self) -> bool:
        if self.peek(1).text == "*" and self.peek(2).text == ")":
            self.index += 3
            return True
        return False

    # -- pipelines ---------------------------------------------------------------------------------------

    def pipeline(self) -> s.Syntax:
        """`source | operator | ...`; a lone expression stays one, so that `let x = 5` is the same grammar."""
        with self.deeper() as fine:
            if not fine:
                return s.Missing(self.peek().span)
            start = self.peek()
            source = self._source()
            if not self.peek_mark("|"):
                return source
            operators = self.pipes()
            return s.Pipeline(source, operators, start.span.to(self.last))

    def _source(self) -> s.Syntax:
        token = self.peek()
        keyword, after = self.operator_keyword()
        if keyword in self.sources and token.kind is TokenKind.NAME and not self._is_plain_name(after):
            self.index = after
            return self.sources[keyword](self, token.span)
        return self.expression()

    def _is_plain_name(self, after: int) -> bool:
        """A table or column that happens to be called like a keyword."""
        token = self.tokens[after]
        return token.kind is TokenKind.END or token.text in ("|", ";", ")", ",")

    def pipes(self, *, first: bool = False) -> tuple[s.Operator, ...]:
        """`| operator | operator ...` from here; with `first`, one operator stands before the first pipe."""
        out: list[s.Operator] = []
        while self.peek_mark("|") or first:
            if not first or self.peek_mark("|"):
                self.next()
            first = False
            token = self.peek()
            keyword, after = self.operator_keyword()
            grammar = self.operators.get(keyword)
            if grammar is None:
                if token.kind is TokenKind.NAME:
                    self.report(say.unknown_operator(keyword, token.span, self.operators))
                else:
                    self.report(say.expected("an operator such as 'where'", self.shown(token), token.span))
                self.skip_to_pipe()
                continue
            self.index = after
            operator = grammar(self, token.span)
            assert isinstance(operator, s.Operator)
            out.append(operator)
            if not self._pipeline_ends():
                self._lost_pipe()
        return tuple(out)

    def _pipeline_ends(self) -> bool:
        token = self.peek()
        return token.kind is TokenKind.END or token.text in ("|", ";", ")", "]", "}", ",")

    def _lost_pipe(self) -> None:
        """Behind a finished operator stands something else."""
        while not self._pipeline_ends():
            token = self.peek()
            keyword, after = self.operator_keyword()
            if token.kind is TokenKind.NAME and keyword in self.operators:
                self.report(say.missing_pipe(keyword, token.span))
                self.index = after
                self.operators[keyword](self, token.span)
                continue
            self.report(say.expected("'|'", self.shown(token), token.span))
            self.skip_to_pipe()

    def operator_keyword(self) -> tuple[str, int]:
        """The keyword here with its hyphens (`project-away`), and the index behind it; nothing is taken."""
        i = self.index
        word = self.tokens[i].text
        while (
            i + 2 < len(self.tokens)
            and self.tokens[i + 1].text == "-"
            and self.tokens[i + 2].kind is TokenKind.NAME
            and self.tokens[i].span.end == self.tokens[i + 1].span.start
            and self.tokens[i + 1].span.end == self.tokens[i + 2].span.start
        ):
            word += "-" + self.tokens[i + 2].text
            i += 2
        return word, i + 1

    def transformation(self, opening: str = "(", closing: str = ")") -> tuple[s.Operator, ...]:
        """`(operator | operator ...)`: what is done to rows that are not named."""
        self.expect_mark(opening)
        # The first operator stands behind no pipe; the mark before it is read as one.
        with self.deeper() as fine:
            out = self.pipes(first=True) if fine else ()
        self.expect_mark(closing)
        return out

    # -- pieces that operators share ---------------------------------------------------------------------

    def schema(self) -> tuple[s.ColumnDeclaration, ...]:
        """`(name: type, ...)`"""
        self.expect_mark("(")
        return self.schema_rest()

    def schema_rest(self) -> tuple[s.ColumnDeclaration, ...]:
        """`name: type, ...)`"""
        out: list[s.ColumnDeclaration] = []
        while not self.peek_mark(")") and not self.at_end():
            start = self.peek().span
            name = self.name("a column")
            self.expect_mark(":")
            out.append(s.ColumnDeclaration(name, self.type_name(), start.to(self.last)))
            if not self.take_mark(","):
                break
        self.expect_mark(")")
        return tuple(out)

    def options(self, *known: str) -> dict[str, Token]:
        """`name = value` pairs that stand behind a keyword (`kind=inner`, `hint.strategy=shuffle`).

        Hints (`hint.*`) are read and dropped: they steer Kusto's clusters and change no answer.
        """
        out: dict[str, Token] = {}
        while self.peek().kind is TokenKind.NAME:
            if self.peek().text == "hint" and self.peek(1).text == ".":
                self.index += 3
                if self.take_mark("="):
                    self.next()
                continue
            if self.peek().text not in known or self.peek(1).text != "=":
                break
            name = self.next().text
            self.next()
            out[name] = self.next()
        return out

    def sorted_list(self) -> tuple[s.Sorted, ...]:
        """`a asc, b desc nulls last`"""
        out: list[s.Sorted] = []
        while True:
            start = self.peek().span
            expression = self.named_expression()
            ascending, nulls_first = False, None
            if self.peek().text in ("asc", "desc"):
                ascending = self.next().text == "asc"
            if self.peek_name("nulls"):
                self.next()
                nulls_first = self.next().text == "first"
            out.append(s.Sorted(expression, ascending, nulls_first, start.to(self.last)))
            if not self.take_mark(","):
                return tuple(out)

    def subquery(self) -> s.Syntax:
        """A table as an argument of an operator: a name, a call, or a pipeline in parentheses."""
        return self.primary_chain()

    def skip_to_pipe(self) -> None:
        """Steps to the next `|`, `;` or closing bracket of this level."""
        depth = 0
        while not self.at_end():
            text = self.peek().text if self.peek().kind is TokenKind.MARK else ""
            if text in ("(", "[", "{"):
                depth += 1
            elif text in (")", "]", "}"):
                if depth == 0:
                    return
                depth -= 1
            elif depth == 0 and text in ("|", ";"):
                return
            self.next()

    def skip_to_statement_end(self) -> None:
        while not self.at_end() and not self.peek_mark(";"):
            self.next()
