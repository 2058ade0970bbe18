"""Bound trees to Python `ast`. Nothing is decided here: each bound node has one form in Python.

Runtime functions and constants become names that the caller puts into the globals of the code; a secret constant
is such a name too, so that no listing of the code can show it. Locals begin with `v`, temporaries with `t`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, assert_never

from aforo.csharp import bound as b
from aforo.csharp.diagnostics import too_deep
from aforo.csharp.functions import writes
from aforo.csharp.runtime.exceptions import CsException, null_reference, throw
from aforo.csharp.runtime.limits import begin, ticker
from aforo.csharp.runtime.strings import concat
from aforo.csharp.types import VOID
from aforo.source import Span

Locate = Callable[[Span], tuple[int, int]]

_OPERATORS: dict[str, ast.operator] = {
    "+": ast.Add(), "-": ast.Sub(), "*": ast.Mult(), "&": ast.BitAnd(), "|": ast.BitOr(), "^": ast.BitXor(),
}  # fmt: skip
_COMPARISONS: dict[str, ast.cmpop] = {
    "==": ast.Eq(), "!=": ast.NotEq(), "<": ast.Lt(), "<=": ast.LtE(), ">": ast.Gt(), ">=": ast.GtE(),
}  # fmt: skip


# A try with `finally` takes two of CPython's twenty.
_BLOCKS = 9


@dataclass(slots=True)
class Names:
    """The globals that generated code needs, shared by all expressions of a document."""

    values: dict[str, Any] = field(default_factory=dict)
    _by_id: dict[int, str] = field(default_factory=dict)

    def of(self, value: Any, hint: str = "") -> str:
        """A name for an object; the same object always has the same name."""
        known = self._by_id.get(id(value))
        if known is not None:
            return known
        if not hint:
            module = (getattr(value, "__module__", "") or "").rpartition(".")[2]
            hint = f"{module}_{getattr(value, '__qualname__', type(value).__name__)}"
        hint = re.sub(r"\W+", "_", hint).strip("_") or "k"
        name, at = hint, 1
        while name in self.values:
            at += 1
            name = f"{hint}_{at}"
        self.values[name] = value
        self._by_id[id(value)] = name
        return name


class Codegen:
    """Generates one expression or body. `hoisted` collects what must be defined before the expression runs."""

    def __init__(self, names: Names, locate: Locate) -> None:
        self.names = names
        self.locate = locate
        self.hoisted: list[ast.stmt] = []
        self.ticks = False
        # Whether the runtime is called: then what it uses up must be counted from nothing.
        self.calls = False
        # Whether the code can run more than once in an evaluation: then every text that it makes is counted.
        self.repeats = False
        self.switches: list[str | None] = []
        self.steps: list[tuple[b.Expr, ...]] = []
        self.counter = 0
        self.nesting = 0

    # --- places ----------------------------------------------------------------------------------------------

    def at(self, node: Any, span: Span) -> Any:
        """The node with the place of `span` in the author's text."""
        line, column = self.locate(span)
        node.lineno = node.end_lineno = line
        node.col_offset = node.end_col_offset = column
        return node

    def name(self, name: str, span: Span) -> ast.expr:
        found: ast.expr = self.at(ast.Name(name, ast.Load()), span)
        return found

    def target(self, name: str, span: Span) -> ast.Name:
        found: ast.Name = self.at(ast.Name(name, ast.Store()), span)
        return found

    def call(self, run: Any, args: Sequence[ast.expr], span: Span) -> ast.expr:
        self.calls = True
        made: ast.expr = self.at(ast.Call(self.name(self.names.of(run), span), list(args), []), span)
        return made

    def constant(self, value: Any, span: Span) -> ast.expr:
        made: ast.expr = self.at(ast.Constant(value), span)
        return made

    def walrus(self, name: str, value: ast.expr, span: Span) -> ast.expr:
        made: ast.expr = self.at(ast.NamedExpr(self.target(name, span), value), span)
        return made

    def none_test(self, value: ast.expr, negated: bool, span: Span) -> ast.expr:
        if isinstance(value, ast.Constant):
            # Known now; Python would warn of such a test.
            return self.constant((value.value is None) is not negated, span)
        test = ast.Compare(value, [ast.IsNot() if negated else ast.Is()], [self.constant(None, span)])
        made: ast.expr = self.at(test, span)
        return made

    # --- expressions -----------------------------------------------------------------------------------------

    def expr(self, node: b.Expr) -> ast.expr:
        return self.at(self.make(node), node.span)  # type: ignore[no-any-return]

    def make(self, node: b.Expr) -> ast.expr:
        span = node.span
        match node:
            case b.Const():
                return self.const(node)
            case b.Read():
                return ast.Name(node.name, ast.Load())
            case b.Invoke():
                return self.call(node.run, [self.expr(a) for a in node.args], span)
            case b.CallValue():
                return ast.Call(self.expr(node.target), [self.expr(a) for a in node.args], [])
            case b.Attribute():
                target = self.expr(node.target)
                return ast.Attribute(target, node.attr, ast.Load()) if node.attr else target
            case b.Operate():
                if node.operator in _COMPARISONS:
                    return ast.Compare(
                        self.expr(node.left), [_COMPARISONS[node.operator]], [self.expr(node.right)]
                    )
                return ast.BinOp(self.expr(node.left), _OPERATORS[node.operator], self.expr(node.right))
            case b.IsNull():
                return self.none_test(self.expr(node.value), node.negated, span)
            case b.NotNull():
                held = self.walrus(node.temp, self.expr(node.value), span)
                test = self.none_test(held, True, span)
                return ast.IfExp(test, self.name(node.temp, span), self.call(null_reference, [], span))
            case b.Logic():
                return ast.BoolOp(
                    ast.And() if node.operator == "and" else ast.Or(), [self.expr(p) for p in node.parts]
                )
            case b.Not():
                return ast.UnaryOp(ast.Not(), self.expr(node.value))
            case b.Choice():
                return ast.IfExp(self.expr(node.condition), self.expr(node.then), self.expr(node.otherwise))
            case b.Coalesce():
                held = self.walrus(node.temp, self.expr(node.left), span)
                return ast.IfExp(
                    self.none_test(held, True, span), self.expr(node.left_value), self.expr(node.right)
                )
            case b.Conditional():
                held = self.walrus(node.temp, self.expr(node.receiver), span)
                return ast.IfExp(
                    self.none_test(held, False, span), self.constant(None, span), self.expr(node.rest)
                )
            case b.Concat():
                return self.concat(node)
            case b.Write():
                return ast.NamedExpr(self.target(node.name, span), self.expr(node.value))
            case b.Sequence():
                items: ast.expr = self.at(ast.Tuple([self.expr(p) for p in node.parts], ast.Load()), span)
                return ast.Subscript(items, self.constant(node.result, span), ast.Load())
            case b.Items():
                return ast.List([self.expr(e) for e in node.elements], ast.Load())
            case b.Item():
                return ast.Subscript(self.expr(node.value), self.constant(node.at, span), ast.Load())
            case b.Function():
                return self.function(node)
            case b.Raise():
                return self.call(throw, [self.expr(node.value)], span)
            case _:
                assert_never(node)

    def const(self, node: b.Const) -> ast.expr:
        value = node.value
        plain = (
            value is None
            or type(value) in (bool, int, str)
            or (type(value) is float and value == value and abs(value) != float("inf"))
        )
        if node.secret:
            # A string of its own, so that its name is its own too.
            return self.name(self.names.of(_Unique(value).value, "secret"), node.span)
        if plain:
            return ast.Constant(value)
        hint = "decimal" if isinstance(value, Decimal) else ""
        return self.name(self.names.of(value, hint), node.span)

    def concat(self, node: b.Concat) -> ast.expr:
        """Neighbouring literals are one; a single value between literals cannot grow and needs no check."""
        parts: list[b.Expr] = []
        for part in node.parts:
            last = parts[-1] if parts else None
            if (
                isinstance(part, b.Const)
                and isinstance(last, b.Const)
                and not part.secret
                and not last.secret
            ):
                parts[-1] = b.Const(str(last.value or "") + str(part.value or ""), part.type, last.span)
            else:
                parts.append(part)
        live = [p for p in parts if not isinstance(p, b.Const)]
        if not live and not any(isinstance(p, b.Const) and p.secret for p in parts):
            return ast.Constant(
                "".join(str(p.value) for p in parts if isinstance(p, b.Const) and p.value is not None)
            )
        if len(live) <= 1 and not node.grows and not self.repeats:
            made: ast.expr | None = None
            for part in parts:
                if isinstance(part, b.Const) and not part.value:
                    continue
                piece = self.expr(part)
                if part.nullable:
                    piece = self.at(ast.BoolOp(ast.Or(), [piece, self.constant("", part.span)]), part.span)
                made = piece if made is None else self.at(ast.BinOp(made, ast.Add(), piece), node.span)
            return made if made is not None else ast.Constant("")
        return self.call(concat, [self.expr(p) for p in parts], node.span)

    def function(self, node: b.Function) -> ast.expr:
        """A lambda where its body is an expression that assigns nothing outside, else a function defined before."""
        if not isinstance(node.body, tuple) and not node.nonlocals and not writes(node.body):
            self.ticks = True
            tick: ast.expr = self.at(ast.Call(self.name("tick", node.span), [], []), node.span)
            pair: ast.expr = self.at(ast.Tuple([tick, self.expr(node.body)], ast.Load()), node.span)
            body: ast.expr = self.at(ast.Subscript(pair, self.constant(1, node.span), ast.Load()), node.span)
            return ast.Lambda(_arguments(node.parameters), body)
        self.hoisted.append(self.define(node))
        return ast.Name(node.name, ast.Load())

    def define(self, node: b.Function) -> ast.stmt:
        self.ticks = True
        nesting, self.nesting = self.nesting, 0
        outer, self.hoisted = self.hoisted, []
        switches, self.switches = self.switches, []
        steps, self.steps = self.steps, []
        body: list[ast.stmt] = []
        if node.nonlocals:
            body.append(self.at(ast.Nonlocal(list(node.nonlocals)), node.span))
        tick: ast.expr = self.at(ast.Call(self.name("tick", node.span), [], []), node.span)
        body.append(self.at(ast.Expr(tick), node.span))
        if isinstance(node.body, tuple):
            body += self.body(node.body)
        else:
            value = self.expr(node.body)
            body += self.hoisted
            returned = None if node.type.args[-1] == VOID else value
            body.append(self.at(ast.Expr(value) if returned is None else ast.Return(returned), node.span))
        self.hoisted, self.switches, self.steps, self.nesting = outer, switches, steps, nesting
        made: ast.stmt = self.at(ast.FunctionDef(node.name, _arguments(node.parameters), body, []), node.span)
        return made

    # --- statements -------------------------------------------------------------------------------------------

    def body(self, statements: Sequence[b.Stmt]) -> list[ast.stmt]:
        out: list[ast.stmt] = []
        for each in statements:
            made = self.stmt(each)
            out += self.hoisted
            self.hoisted = []
            out += made
        return out or [ast.Pass(lineno=1, col_offset=0, end_lineno=1, end_col_offset=0)]

    def stmt(self, node: b.Stmt) -> list[ast.stmt]:
        """A statement; loops, switches and tries are counted, CPython nests no more than twenty of them."""
        if not isinstance(node, (b.Loop, b.Each, b.Switch, b.Try)):
            return self.statement(node)
        self.nesting += 1
        if self.nesting > _BLOCKS:
            raise too_deep(node.span)
        made = self.statement(node)
        self.nesting -= 1
        return made

    def statement(self, node: b.Stmt) -> list[ast.stmt]:
        span = node.span
        at = self.at
        match node:
            case b.Assign():
                value = self.constant(None, span) if node.value is None else self.expr(node.value)
                return [at(ast.Assign([self.target(node.name, span)], value), span)]
            case b.Do():
                return [at(ast.Expr(self.expr(node.value)), span)]
            case b.If():
                return self.if_(node)
            case b.Loop():
                return self.loop(node)
            case b.Each():
                return self.each(node)
            case b.Switch():
                return self.switch(node)
            case b.Return():
                value_or_none = self.expr(node.value) if node.value is not None else None
                return [at(ast.Return(value_or_none), span)]
            case b.Break():
                return [at(ast.Break(), span)]
            case b.Jump():
                to = at(ast.Assign([self.target(node.jump, span)], self.constant(node.at, span)), span)
                return [to, at(ast.Continue(), span)]
            case b.Continue():
                return self.continue_(node)
            case b.Throw():
                if node.value is None:
                    return [at(ast.Raise(None, None), span)]
                return [at(ast.Expr(self.call(throw, [self.expr(node.value)], span)), span)]
            case b.Try():
                return [self.try_(node)]
            case b.Define():
                return [self.define(node.function)]
            case _:
                assert_never(node)

    def if_(self, node: b.If) -> list[ast.stmt]:
        test = self.expr(node.condition)
        before, self.hoisted = self.hoisted, []
        then = self.body(node.then)
        otherwise = self.body(node.otherwise) if node.otherwise else []
        return [*before, self.at(ast.If(test, then, otherwise), node.span)]

    def tick(self, span: Span) -> ast.stmt:
        self.ticks = True
        call: ast.expr = self.at(ast.Call(self.name("tick", span), [], []), span)
        made: ast.stmt = self.at(ast.Expr(call), span)
        return made

    def loop(self, node: b.Loop) -> list[ast.stmt]:
        """`while True` with the test inside, so that what the condition hoists is evaluated each time."""
        span = node.span
        test: list[ast.stmt] = []
        if node.condition is not None and not (
            isinstance(node.condition, b.Const) and node.condition.value is True
        ):
            value = self.expr(node.condition)
            test = [*self.hoisted]
            self.hoisted = []
            stop: ast.expr = self.at(ast.UnaryOp(ast.Not(), value), span)
            test.append(self.at(ast.If(stop, [self.at(ast.Break(), span)], []), span))
        self.switches.append(None)
        if node.first:
            # `continue` in do-while goes to the test: the test stands in front, skipped the first time.
            self.counter += 1
            flag = f"first{self.counter}"
            entry = self.at(ast.Assign([self.target(flag, span)], self.constant(True, span)), span)
            again: ast.expr = self.at(ast.UnaryOp(ast.Not(), self.name(flag, span)), span)
            guard = [self.at(ast.If(again, test, []), span)] if test else []
            after = self.at(ast.Assign([self.target(flag, span)], self.constant(False, span)), span)
            self.steps.append(())
            body = [self.tick(span), *guard, after, *self.body(node.body)]
            result = [entry, self.at(ast.While(self.constant(True, span), body, []), span)]
        else:
            self.steps.append(node.step)
            inner = self.body(node.body)
            body = [self.tick(span), *test, *inner, *self.step(node.step, span)]
            result = [self.at(ast.While(self.constant(True, span), body, []), span)]
        self.steps.pop()
        self.switches.pop()
        return result

    def step(self, step: tuple[b.Expr, ...], span: Span) -> list[ast.stmt]:
        out: list[ast.stmt] = []
        for each in step:
            value = self.expr(each)
            out += self.hoisted
            self.hoisted = []
            out.append(self.at(ast.Expr(value), span))
        return out

    def each(self, node: b.Each) -> list[ast.stmt]:
        span = node.span
        source = self.expr(node.source)
        before, self.hoisted = self.hoisted, []
        self.switches.append(None)
        self.steps.append(())
        inner = [self.tick(span)]
        if node.element is not None:
            inner.append(self.at(ast.Assign([self.target(node.name, span)], self.expr(node.element)), span))
        inner += self.body(node.body)
        self.steps.pop()
        self.switches.pop()
        return [*before, self.at(ast.For(self.target(node.name, span), source, inner, []), span)]

    def switch(self, node: b.Switch) -> list[ast.stmt]:
        """A loop that runs once, or again for each jump; `continue` of a loop around sets a flag and breaks."""
        span = node.span
        self.counter += 1
        flag = f"again{self.counter}"
        value = self.expr(node.value)
        out: list[ast.stmt] = [*self.hoisted]
        self.hoisted = []
        out.append(self.at(ast.Assign([self.target(node.temp, span)], value), span))
        self.switches.append(flag)
        default: list[ast.stmt] = []
        chain: list[tuple[ast.expr, list[ast.stmt]]] = []
        for at, case in enumerate(node.cases):
            tests = [self.expr(t) for t in case.tests if t is not None]
            out += self.hoisted
            self.hoisted = []
            body = self.body(case.body)
            if None in case.tests:
                default = body
            if tests:
                test = tests[0] if len(tests) == 1 else self.at(ast.BoolOp(ast.Or(), tests), span)
                chain.append((self.jumped(node.jump, at, test, span) if node.jump else test, body))
        rest = default
        for test, body in reversed(chain):
            rest = [self.at(ast.If(test, body, rest), span)]
        self.switches.pop()
        used = any(isinstance(n, ast.Name) and n.id == flag for r in rest for n in ast.walk(r))
        if used:
            out.append(self.at(ast.Assign([self.target(flag, span)], self.constant(False, span)), span))
        rest = rest or [self.at(ast.Pass(), span)]
        if node.jump:
            out.append(self.at(ast.Assign([self.target(node.jump, span)], self.constant(-1, span)), span))
            rest = [self.tick(span), *rest, self.at(ast.Break(), span)]
            out.append(self.at(ast.While(self.constant(True, span), rest, []), span))
        else:
            once: ast.expr = self.at(ast.Tuple([self.constant(0, span)], ast.Load()), span)
            out.append(self.at(ast.For(self.target("once", span), once, rest, []), span))
        if used:
            go_on = self.continue_(b.Continue(span))
            out.append(self.at(ast.If(self.name(flag, span), go_on, []), span))
        return out

    def jumped(self, jump: str, at: int, test: ast.expr, span: Span) -> ast.expr:
        """A case is entered by a jump to it, or by its test where nothing has jumped yet."""
        free, here = (
            self.at(ast.Compare(self.name(jump, span), [how], [self.constant(to, span)]), span)
            for how, to in ((ast.Lt(), 0), (ast.Eq(), at))
        )
        both = self.at(ast.BoolOp(ast.And(), [free, test]), span)
        made: ast.expr = self.at(ast.BoolOp(ast.Or(), [here, both]), span)
        return made

    def continue_(self, node: b.Continue) -> list[ast.stmt]:
        span = node.span
        if self.switches and self.switches[-1] is not None:
            flag = self.switches[-1]
            return [
                self.at(ast.Assign([self.target(flag, span)], self.constant(True, span)), span),
                self.at(ast.Break(), span),
            ]
        step = self.step(self.steps[-1], span) if self.steps else []
        return [*step, self.at(ast.Continue(), span)]

    def try_(self, node: b.Try) -> ast.stmt:
        span = node.span
        body = self.body(node.body)
        handlers: list[ast.ExceptHandler] = []
        if node.catches:
            self.counter += 1
            error = f"error{self.counter}"
            rest: list[ast.stmt] = [self.at(ast.Raise(None, None), span)]
            for each in reversed(node.catches):
                test = self.call(
                    isinstance, [self.name(error, span), self.name(self.names.of(each.exception), span)], span
                )
                inner: list[ast.stmt] = []
                if each.name:
                    held = self.at(ast.Assign([self.target(each.name, span)], self.name(error, span)), span)
                    inner.append(held)
                caught = self.body(each.body)
                if each.guard is not None:
                    guard = self.expr(each.guard)
                    rest = [
                        self.at(
                            ast.If(test, [*inner, self.at(ast.If(guard, caught, rest), span)], rest), span
                        )
                    ]
                else:
                    rest = [self.at(ast.If(test, [*inner, *caught], rest), span)]
            kind = self.name(self.names.of(CsException), span)
            handlers.append(self.at(ast.ExceptHandler(kind, error, rest), span))
        last = self.body(node.finally_) if node.finally_ else []
        if not handlers and not last:
            last = [self.at(ast.Pass(), span)]
        made: ast.stmt = self.at(ast.Try(body, handlers, [], last), span)
        return made

    def counted(self, value: ast.expr, span: Span) -> ast.expr:
        """An expression that needs no function of its own, counted from nothing where it calls the runtime."""
        if not self.calls:
            return value
        made: ast.expr = self.at(ast.BoolOp(ast.Or(), [self.call(begin, [], span), value]), span)
        return made

    def prologue(self, span: Span) -> list[ast.stmt]:
        """What the function of an evaluation begins with: nothing is used yet, and its counter of steps."""
        start: ast.stmt = self.at(ast.Expr(self.call(begin, [], span)), span)
        if not self.ticks:
            return [start]
        return [start, self.at(ast.Assign([self.target("tick", span)], self.call(ticker, [], span)), span)]


class _Unique:
    """A copy of a text with an identity of its own."""

    def __init__(self, value: Any) -> None:
        self.value = "".join(list(value)) if isinstance(value, str) and len(value) > 1 else value


def _arguments(names: Sequence[str]) -> ast.arguments:
    args = [ast.arg(n, lineno=1, col_offset=0, end_lineno=1, end_col_offset=0) for n in names]
    return ast.arguments([], args, None, [], [], None, [])
