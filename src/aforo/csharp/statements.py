"""Statements to bound statements, lambdas and local functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, assert_never

from aforo.csharp import bound as b
from aforo.csharp import diagnostics as say
from aforo.csharp import syntax as s
from aforo.csharp.binder import Binder
from aforo.csharp.conversions import Conversions
from aforo.csharp.flow import ends, leaves
from aforo.csharp.jumps import bind_goto, labels_of
from aforo.csharp.local_functions import announce, define
from aforo.csharp.runtime import collections as rc
from aforo.csharp.runtime.exceptions import CsException
from aforo.csharp.scope import FunctionScope, LocalName, SwitchScope
from aforo.csharp.types import (
    BOOL,
    CHAR,
    EXCEPTION,
    NEVER,
    NULL,
    OBJECT,
    STRING,
    VOID,
    Type,
    can_be_null,
    func,
)
from aforo.source import Span


@contextmanager
def scope(binder: Binder) -> Iterator[None]:
    binder.scopes.append({})
    try:
        yield
    finally:
        binder.scopes.pop()


@contextmanager
def loop(binder: Binder) -> Iterator[None]:
    if not binder.loops:
        binder.rounds = len(binder.scopes)
    binder.loops += 1
    function = binder.functions[-1]
    function.breaks += 1
    function.continues += 1
    try:
        yield
    finally:
        binder.loops -= 1
        function.breaks -= 1
        function.continues -= 1


def bind_body(binder: Binder, block: s.Block, returns: Type) -> tuple[b.Stmt, ...]:
    """The statements of `@{...}`: every path returns something that converts to `returns`."""
    binder.functions.append(FunctionScope(returns))
    try:
        with scope(binder):
            statements = bind_all(binder, block.statements)
    finally:
        binder.functions.pop()
    if not ends(statements):
        raise say.no_return(Span(max(block.span.start, block.span.end - 1), block.span.end))
    return statements


def bind_lambda(
    binder: Binder, node: s.Lambda, takes: list[Type], gives: Type | None, outs: tuple[str, ...] = ()
) -> b.Function:
    """A lambda; `gives` None is found out from what it returns. `outs`: its `out` and `ref` parameters."""
    function = FunctionScope(gives)
    binder.functions.append(function)
    try:
        with scope(binder):
            names: list[str] = []
            for (name, written), type_ in zip(node.parameters, takes, strict=True):
                if written is not None and binder.resolve_type(written) != type_:
                    raise say.no_conversion(node.span, str(type_), str(binder.resolve_type(written)))
                binder.counter += 1
                # A lambda's parameter may hide nothing, but `_` may come again and again.
                local = LocalName(f"v{binder.counter}", type_, len(binder.functions))
                if name != "_" and binder.lookup(name) is not None:
                    raise say.declared_twice(node.span, name)
                binder.scopes[-1][name] = local
                names.append(local.python)
                if name in outs:
                    function.outs = (*function.outs, b.Read(local.python, type_, node.span))
            body: b.Expr | tuple[b.Stmt, ...]
            if isinstance(node.body, s.Block):
                body = bind_all(binder, node.body.statements)
                result = gives or _common(binder, function.found, node.span)
                if result != VOID and not ends(body):
                    raise say.no_return(node.span)
                if outs and result == VOID:
                    body = (*body, b.Return(_with_outs(function, None, node.span), node.span))
            elif outs:
                assert gives is not None
                body = _out_body(binder, node.body, gives, function)
                result = gives
            elif gives == VOID:
                body = binder.expr(node.body)
                result = VOID
            else:
                body = binder.value(node.body) if gives is None else binder.converted(node.body, gives)
                result = gives or body.type
                if result == NULL:
                    raise say.no_type(node.span, "what this lambda returns")
    finally:
        binder.functions.pop()
    binder.counter += 1
    outer = tuple(sorted(function.nonlocals))
    return b.Function(tuple(names), body, f"f{binder.counter}", outer, func(*takes, result), node.span)


def _out_body(binder: Binder, node: s.Expr, gives: Type, function: FunctionScope) -> tuple[b.Stmt, ...]:
    """`=> value` of a function with `out` parameters, as statements."""
    if gives == VOID:
        done = b.Do(binder.expr(node), node.span)
        return (done, b.Return(_with_outs(function, None, node.span), node.span))
    return (b.Return(_with_outs(function, binder.converted(node, gives), node.span), node.span),)


def _common(binder: Binder, types: list[Type], span: Span) -> Type:
    real = [t for t in types if t != NULL]
    if not real:
        if types:
            raise say.no_type(span, "what this lambda returns")
        return VOID
    for each in real:
        if all(binder.conversions.implicit(t, each) is not None for t in types):
            return each
    raise say.no_type(span, "what this lambda returns")


def bind_all(binder: Binder, statements: Sequence[s.Stmt]) -> tuple[b.Stmt, ...]:
    # Local functions can be called before the line they stand in.
    locals_ = {id(each): announce(binder, each) for each in statements if isinstance(each, s.Function)}
    out: list[b.Stmt] = []
    for each in statements:
        if not isinstance(each, s.Function):
            out.extend(bind(binder, each))
        elif not each.type_parameters:
            out.insert(0, define(binder, each, locals_[id(each)]))
    made = [each for local in locals_.values() if local.generic is not None for each in local.generic.made]
    return (*made, *out)


def block(binder: Binder, node: s.Stmt) -> tuple[b.Stmt, ...]:
    """A statement as a scope of its own."""
    with scope(binder):
        inner = node.statements if isinstance(node, s.Block) else (node,)
        return bind_all(binder, inner)


def bind(binder: Binder, node: s.Stmt) -> list[b.Stmt]:
    match node:
        case s.Block():
            return list(block(binder, node))
        case s.Local():
            made = [_local(binder, node, *each) for each in node.declared]
            for name, init, span in node.declared if node.constant else ():
                local = binder.lookup(name)
                if local is None or init is None:
                    raise say.misplaced(span, "a constant without a value")
                local.fixed = "the constant"
            return made
        case s.Do():
            return [_do(binder, node)]
        case s.If():
            return [_if(binder, node)]
        case s.While():
            with loop(binder):
                condition = binder.condition(node.condition)
                body = block(binder, node.body)
            return [b.Loop(condition, body, (), node.first, node.span)]
        case s.For():
            return _for(binder, node)
        case s.Foreach():
            return [_foreach(binder, node)]
        case s.Switch():
            return [_switch(binder, node)]
        case s.Return():
            return [_return(binder, node)]
        case s.Break():
            if not binder.functions[-1].breaks:
                raise say.misplaced(node.span, "`break`")
            return [b.Break(node.span)]
        case s.Continue():
            if not binder.functions[-1].continues:
                raise say.misplaced(node.span, "`continue`")
            return [b.Continue(node.span)]
        case s.Goto():
            return [bind_goto(binder, node)]
        case s.Throw():
            value = binder.converted(node.value, EXCEPTION) if node.value is not None else None
            return [b.Throw(value, node.span)]
        case s.Try():
            return [_try(binder, node)]
        case s.Using():
            return _using(binder, node)
        case s.CheckedBlock():
            with binder.checked(node.on):
                return list(block(binder, node.body))
        case s.Function():
            raise say.unsupported(node.span, "a local function here")
        case _:
            assert_never(node)


def _local(binder: Binder, node: s.Local, name: str, init: s.Expr | None, span: Span) -> b.Stmt:
    if node.type is None:
        if init is None:
            raise say.no_type(span, f"`{name}`")
        value = binder.value(init)
        if value.type in (NULL, NEVER):
            raise say.no_type(span, f"`{name}`")
        return b.Assign(binder.declare(name, value.type, span).python, value, span)
    type_ = binder.resolve_type(node.type)
    if init is None:
        local = binder.declare(name, type_, span)
        binder.unset = True
        if can_be_null(binder.universe, type_):
            return b.Assign(local.python, None, span, name)
        default = binder.conversions.info(type_).default
        return b.Assign(local.python, b.Const(default, type_, span), span, name)
    value = binder.converted(init, type_)
    return b.Assign(binder.declare(name, type_, span).python, value, span)


def _do(binder: Binder, node: s.Do) -> b.Stmt:
    inner = node.value
    while isinstance(inner, s.Paren):
        inner = inner.inner
    if not isinstance(inner, (s.Assign, s.Step, s.Call, s.New, s.Member, s.Index)):
        raise say.misplaced(node.span, "an expression whose value is not used")
    value = binder.expr(_unused(inner))
    if isinstance(value, b.Write):
        return b.Assign(value.name, value.value, node.span)
    if isinstance(inner, (s.Member, s.Index)):
        raise say.misplaced(node.span, "an expression whose value is not used")
    return b.Do(value, node.span)


def _unused(node: s.Expr) -> s.Expr:
    """`i++` whose value nobody wants is `++i`."""
    return replace(node, prefix=True) if isinstance(node, s.Step) else node


def _if(binder: Binder, node: s.If) -> b.Stmt:
    # `else if` chains are walked; each link would cost frames otherwise.
    links: list[tuple[s.If, b.Expr, tuple[b.Stmt, ...]]] = []
    now: s.Stmt | None = node
    while isinstance(now, s.If):
        condition = binder.condition(now.condition)
        links.append((now, condition, block(binder, now.then)))
        now = now.otherwise
    rest: tuple[b.Stmt, ...] = block(binder, now) if now is not None else ()
    for each, condition, then in reversed(links):
        rest = (b.If(condition, then, rest, each.span),)
    made = rest[0]
    assert isinstance(made, b.If)
    return made


def _for(binder: Binder, node: s.For) -> list[b.Stmt]:
    with scope(binder), loop(binder):
        start = [each for part in node.start for each in bind(binder, part)]
        condition = binder.condition(node.condition) if node.condition is not None else None
        step = tuple(binder.expr(_unused(e)) for e in node.step)
        body = block(binder, node.body)
    return [*start, b.Loop(condition, body, step, False, node.span)]


def element_type(conversions: Conversions, source: Type) -> Type | None:
    """What `foreach` over a type gives."""
    if source == STRING:
        return CHAR
    for base in conversions.universe.bases(source):
        if base.name == "JObject":
            return Type("KeyValuePair", (STRING, Type("JToken")))
        if base.name.startswith("[") or base.name == "IEnumerable":
            return base.args[0]
    return None


def _foreach(binder: Binder, node: s.Foreach) -> b.Stmt:
    source = binder.value(node.source)
    element = element_type(binder.conversions, source.type)
    if element is None:
        raise say.not_enumerable(node.source.span, str(source.type))
    run = rc.each_token if element == Type("JToken") and source.type.name != "JArray" else rc.each
    items = b.Invoke(run, (source,), OBJECT, node.source.span, False)
    with loop(binder), scope(binder):
        type_ = binder.resolve_type(node.type) if node.type is not None else element
        local = binder.declare(node.name, type_, node.span)
        local.fixed = "the variable of a `foreach`,"
        converted: b.Expr | None = None
        if type_ != element:
            found = binder.conversions.explicit(element, type_)
            if found is None:
                raise say.no_conversion(node.span, str(element), str(type_))
            converted = found.apply(b.Read(local.python, element, node.span))
        body = block(binder, node.body)
    return b.Each(local.python, items, converted, body, node.span)


def _switch(binder: Binder, node: s.Switch) -> b.Stmt:
    value = binder.value(node.value)
    temp = binder.temp()
    held = b.Read(temp, value.type, node.value.span, value.nullable)
    cases: list[b.Case] = []
    seen: set[tuple[str, object]] = set()
    function = binder.functions[-1]
    function.breaks += 1
    labels = labels_of(binder, node, value.type)
    here = SwitchScope(binder.temp(), value.type, labels, function.continues)
    function.switches.append(here)
    with scope(binder):
        for section in node.sections:
            with scope(binder):
                tests: list[b.Expr | None] = []
                for label in section.labels:
                    key = _label(label)
                    if key is not None and key in seen:
                        raise say.misplaced(label.span, "a label that stands there already")
                    if key is not None:
                        seen.add(key)
                    if label.pattern is None:
                        tests.append(None)
                        continue
                    test = binder.pattern(held, label.pattern, label.span)
                    if label.guard is not None:
                        guard = binder.condition(label.guard)
                        test = b.Logic("and", (test, guard), BOOL, label.span)
                    tests.append(test)
                body = bind_all(binder, section.body)
            if not leaves(body):
                raise say.misplaced(section.span, "a switch section that falls through to the next")
            cases.append(b.Case(tuple(tests), body))
    function.breaks -= 1
    function.switches.pop()
    return b.Switch(temp, value, tuple(cases), node.span, here.temp if here.jumped else "")


def _label(label: s.Label) -> tuple[str, object] | None:
    """What makes a label the same as another one; None where that cannot be told here."""
    if label.pattern is None:
        return ("default", None)
    if label.guard is None and isinstance(label.pattern, s.ConstantPattern):
        value = label.pattern.value
        if isinstance(value, s.Literal):
            return (value.kind, value.value)
    return None


def _return(binder: Binder, node: s.Return) -> b.Stmt:
    function = binder.functions[-1]
    wanted = function.returns
    if node.value is None:
        if wanted not in (None, VOID):
            raise say.misplaced(node.span, "a `return` without a value")
        return b.Return(_with_outs(function, None, node.span), node.span)
    if wanted == VOID:
        raise say.misplaced(node.span, "a value behind `return`")
    if wanted is None:
        value = binder.value(node.value)
        binder.functions[-1].found.append(value.type)
        return b.Return(value, node.span)
    return b.Return(_with_outs(function, binder.converted(node.value, wanted), node.span), node.span)


def _with_outs(function: FunctionScope, value: b.Expr | None, span: Span) -> b.Expr | None:
    """What a local function returns: its result, or that and what its `out` and `ref` parameters hold by then."""
    if not function.outs:
        return value
    return b.Items((value or b.Const(None, OBJECT, span), *function.outs), OBJECT, span)


def _try(binder: Binder, node: s.Try) -> b.Stmt:
    body = block(binder, node.body)
    catches: list[b.Catch] = []
    for each in node.catches:
        with scope(binder):
            type_ = binder.resolve_type(each.type) if each.type is not None else EXCEPTION
            python: Any = binder.conversions.python(type_)
            if not (isinstance(python, type) and issubclass(python, CsException)):
                assert each.type is not None
                raise say.no_conversion(each.type.span, str(type_), "Exception")
            name = ""
            if each.name:
                local = binder.declare(each.name, type_, each.span)
                local.constant_not_null = True
                name = local.python
            guard = binder.condition(each.guard) if each.guard is not None else None
            catches.append(b.Catch(python, name, guard, block(binder, each.body)))
    last = block(binder, node.finally_) if node.finally_ is not None else ()
    if node.finally_ is not None and any(isinstance(x, b.Return) for x in last):
        raise say.misplaced(node.finally_.span, "`return` in `finally`")
    return b.Try(body, tuple(catches), last, node.span)


def _using(binder: Binder, node: s.Using) -> list[b.Stmt]:
    """Nothing that expressions can make holds a resource: `using` is a scope."""
    with scope(binder):
        if isinstance(node.resource, s.Local):
            before = bind(binder, node.resource)
        else:
            value = binder.value(node.resource)
            before = [b.Do(value, node.span)]
        return [*before, *block(binder, node.body)]
