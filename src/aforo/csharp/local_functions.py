"""Local functions: their signatures, and one function for each set of type arguments of a generic one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aforo.csharp import bound as b
from aforo.csharp import diagnostics as say
from aforo.csharp import syntax as s
from aforo.csharp.overloads import Given
from aforo.csharp.scope import Generic, LocalName, ScopeBinder, Signature
from aforo.csharp.types import MISSING, OBJECT, VOID, Parameter, Type
from aforo.source import Span

# A generic function that calls itself with ever larger types has no end.
_INSTANCES = 32


def announce(binder: ScopeBinder, node: s.Function) -> LocalName:
    """Declares its name, before anything that may call it is bound."""
    if not node.type_parameters:
        local = binder.declare(node.name, OBJECT, node.span)
        local.function = _signature(binder, node)
        return local
    local = binder.declare(node.name, OBJECT, node.span)
    if len(set(node.type_parameters)) < len(node.type_parameters):
        raise say.declared_twice(node.span, node.type_parameters[0])
    outer = binder.type_names
    binder.type_names = {**outer, **{name: Type(name) for name in node.type_parameters}}
    try:
        local.function = _signature(binder, node, defaults=False)
    finally:
        binder.type_names = outer
    local.generic = Generic(
        node,
        len(binder.scopes),
        len(binder.functions),
        (binder.loops, binder.rounds),
        binder.conversions.checked,
        outer,
    )
    return local


def _signature(binder: ScopeBinder, node: s.Function, *, defaults: bool = True) -> Signature:
    parameters: list[Parameter] = []
    for each in node.parameters:
        type_ = binder.resolve_type(each.type)
        default: object = MISSING
        if each.default is not None and defaults:
            value = binder.converted(each.default, type_)
            if not isinstance(value, b.Const):
                raise say.misplaced(each.span, "a default that is not a constant")
            default = value.value
        elif each.default is not None:
            default = None
        out = each.mode in ("out", "ref")
        parameters.append(
            Parameter(each.name, type_, default, each.mode == "params", out, each.mode == "ref")
        )
    gives = binder.resolve_type(node.returns) if node.returns is not None else VOID
    return Signature(tuple(parameters), gives)


def define(binder: ScopeBinder, node: s.Function, local: LocalName) -> b.Stmt:
    """The function with its body; `local` is what it was announced as."""
    assert local.function is not None
    made = binder.bind_lambda(
        binder,
        s.Lambda(tuple((p.name, None) for p in node.parameters), node.body, node.span),
        [p.type for p in local.function.parameters],
        local.function.returns,
        tuple(p.name for p in local.function.parameters if p.out),
    )
    return b.Define(
        b.Function(made.parameters, made.body, local.python, made.nonlocals, made.type, made.span), node.span
    )


def instance(
    binder: ScopeBinder, local: LocalName, given: list[Given], start: s.Name, span: Span
) -> LocalName:
    """The function that a call of a generic one means; made when it is asked for first.

    Its body is bound with the types in the place of the type parameters, among the names that its declaration sees.
    """
    generic, function = local.generic, local.function
    if generic is None or function is None:
        raise say.misplaced(start.span, f"a type argument of `{start.name}`")
    types = _type_arguments(binder, function, generic, given, start, span)
    known = generic.instances.get(types)
    if known is not None:
        return known
    if len(generic.instances) >= _INSTANCES:
        raise say.too_deep(span)
    with _at_declaration(binder, generic, types):
        binder.counter += 1
        made = LocalName(f"{local.python}_{binder.counter}", OBJECT, local.depth)
        made.function = _signature(binder, generic.node)
        generic.instances[types] = made  # its body may call it
        try:
            generic.made.append(define(binder, generic.node, made))
        except say.Mistake:
            del generic.instances[types]
            raise
    return made


@contextmanager
def _at_declaration(binder: ScopeBinder, generic: Generic, types: tuple[Type, ...]) -> Iterator[None]:
    scopes, functions, loops = binder.scopes, binder.functions, (binder.loops, binder.rounds)
    outer = binder.type_names
    binder.scopes, binder.functions = scopes[: generic.scopes], functions[: generic.functions]
    binder.loops, binder.rounds = generic.loops
    binder.type_names = {
        **generic.type_names,
        **dict(zip(generic.node.type_parameters, types, strict=True)),
    }
    checked, binder.conversions.checked = binder.conversions.checked, generic.checked
    try:
        yield
    finally:
        binder.scopes, binder.functions, (binder.loops, binder.rounds) = scopes, functions, loops
        binder.type_names = outer
        binder.conversions.checked = checked


def _type_arguments(
    binder: ScopeBinder, function: Signature, generic: Generic, given: list[Given], start: s.Name, span: Span
) -> tuple[Type, ...]:
    """As they are written, or as the arguments tell them."""
    names = generic.node.type_parameters
    if start.args:
        if len(start.args) != len(names):
            raise say.no_overload(span, start.name, f"{len(start.args)} type arguments", ())
        return tuple(binder.resolve_type(each) for each in start.args)
    for expanded in (False, True):
        if expanded and not (function.parameters and function.parameters[-1].params):
            continue
        slots = binder.overloads.slots(function.parameters, given, expanded)
        if slots is None:
            continue
        binding: dict[str, Type] = {}
        pairs = [(parameter, one) for parameter, each in slots for one in each]
        if not all(_told(binder, parameter, one, binding, set(names)) for parameter, one in pairs):
            continue
        for parameter, one in pairs:
            if one.value is None and not one.mode:
                binder.overloads.function(one, parameter.type, binding, set(names))
        missing = next((name for name in names if name not in binding), None)
        if missing is not None:
            raise say.no_type(span, f"`{missing}`")
        return tuple(binding[name] for name in names)
    shown = ", ".join(one.shown for one in given)
    raise say.no_overload(span, start.name, shown, ())


def _told(
    binder: ScopeBinder, parameter: Parameter, one: Given, binding: dict[str, Type], names: set[str]
) -> bool:
    """Learns from one argument; functions wait until the others are known."""
    if one.mode:
        actual = one.place.type if one.place is not None else binder.overloads.binder.out_type(one.syntax)
    else:
        actual = one.value.type if one.value is not None else None
    return actual is None or binder.overloads.infer(parameter.type, actual, binding, names)
