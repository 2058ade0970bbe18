"""Which form of a method, constructor or indexer a call means, and its arguments converted. It binds no bodies.

The rule is C#'s in short: every argument must convert; the form whose conversions cost least wins; a form that
needs no `params` expansion, no defaults and no generics comes first among equals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from aforo.csharp import bound as b
from aforo.csharp import diagnostics as say
from aforo.csharp import syntax as s
from aforo.csharp.conversions import Conversions
from aforo.csharp.runtime.collections import bytes_of
from aforo.csharp.types import (
    BOOL,
    MISSING,
    NULL,
    OBJECT,
    VOID,
    Member,
    Parameter,
    Type,
    array,
    substitute,
)
from aforo.source import Span


class Binding(Protocol):
    """What overload resolution asks of the binder."""

    conversions: Conversions

    def function(self, node: s.Expr, takes: list[Type], gives: Type | None) -> b.Function: ...

    def kept(self, value: b.Expr) -> b.Expr: ...

    def note(self, member: Member, args: list[b.Expr]) -> None: ...

    def temp(self) -> str: ...

    def out_place(self, node: s.Expr, type_: Type) -> b.Place | None: ...

    def out_type(self, node: s.Expr) -> Type | None: ...


@dataclass(frozen=True, slots=True)
class Given:
    """An argument: bound already, or a lambda (or method group) that waits for its parameter types. `place` is what a
    `ref` argument names."""

    name: str
    mode: str
    value: b.Expr | None
    syntax: s.Expr
    span: Span
    place: b.Place | None = None

    @property
    def shown(self) -> str:
        return str(self.value.type) if self.value is not None else "a function"


@dataclass(frozen=True, slots=True)
class Fit:
    """A form that takes the arguments: ready to build."""

    key: tuple[int, int, int, int, int]
    build: Callable[[], b.Expr]


class Overloads:
    def __init__(self, binder: Binding) -> None:
        self.binder = binder
        self.conversions = binder.conversions

    def choose(
        self,
        candidates: list[tuple[Member, dict[str, Type]]],
        given: list[Given],
        type_args: tuple[Type, ...],
        receiver: b.Expr | None,
        what: str,
        span: Span,
    ) -> b.Expr:
        """The call as a tree. Raises Mistake when no form fits."""
        fits: list[Fit] = []
        inner: say.Mistake | None = None
        for at, (member, binding) in enumerate(candidates):
            for expanded in (False, True):
                if expanded and not (member.parameters and member.parameters[-1].params):
                    continue
                try:
                    fit = self.fit(member, dict(binding), given, type_args, receiver, expanded, at, span)
                except say.Mistake as mistake:
                    inner = inner or mistake
                    continue
                if fit is not None:
                    fits.append(fit)
            # None behind it can cost less than one that fits as it is.
            if fits and fits[-1].key[:3] == (0, 0, 0) and not _plainer(member, candidates[at + 1 :]):
                break
        if not fits:
            rest = [g for g in given if g.shown != "CultureInfo"]
            if len(rest) < len(given):
                # All text is the invariant culture's: one that is handed over says nothing new.
                return self.choose(candidates, rest, type_args, receiver, what, span)
            if inner is not None:
                raise inner
            shown = ", ".join(g.shown for g in given)
            raise say.no_overload(span, what, shown, dict.fromkeys(str(m) for m, _ in candidates))
        return min(fits, key=lambda f: f.key).build()

    def fit(
        self,
        member: Member,
        binding: dict[str, Type],
        given: list[Given],
        type_args: tuple[Type, ...],
        receiver: b.Expr | None,
        expanded: bool,
        at: int,
        span: Span,
    ) -> Fit | None:
        parameters = member.parameters
        if type_args:
            if len(type_args) != len(member.type_params):
                return None
            binding.update(zip(member.type_params, type_args, strict=True))
        open_names = set(member.type_params) - set(binding)
        if member.extension:
            assert receiver is not None
            if not self.infer(parameters[0].type, receiver.type, binding, open_names):
                return None
            parameters = parameters[1:]
        slots = self.slots(parameters, given, expanded)
        if slots is None:
            return None
        for parameter, each in slots:
            for one in each:
                if one.value is not None and not self.infer(
                    parameter.type, one.value.type, binding, open_names
                ):
                    return None
                if one.mode and open_names:
                    known = one.place.type if one.place is not None else self.binder.out_type(one.syntax)
                    if known is not None and not self.infer(parameter.type, known, binding, open_names):
                        return None
        cost = 0
        converted: list[list[b.Expr]] = []
        for parameter, each in slots:
            row: list[b.Expr] = []
            for one in each:
                if one.mode != ("ref" if parameter.ref else "out" if parameter.out else ""):
                    return None
                target = substitute(parameter.type, binding)
                if one.place is not None:
                    if one.place.type != target:
                        return None
                    row.append(one.place.get())
                if parameter.out:
                    continue
                if one.value is None:
                    row.append(self.function(one, parameter.type, binding, open_names))
                    continue
                conversion = self.conversions.implicit(one.value.type, target, one.value)
                if conversion is None:
                    return None
                cost += conversion.cost
                row.append(conversion.apply(one.value))
            converted.append(row)
        if open_names - set(binding):
            return None
        own: b.Expr | None = receiver
        if member.extension and receiver is not None:
            conversion = self.conversions.implicit(
                receiver.type, substitute(member.parameters[0].type, binding)
            )
            if conversion is None:
                return None
            cost += conversion.cost
            own = conversion.apply(receiver)
        defaults = sum(not each for _, each in slots)
        key = (cost, int(expanded), defaults, len(member.type_params), at)
        return Fit(key, lambda: self.build(member, binding, slots, converted, own, expanded, span))

    def slots(
        self, parameters: tuple[Parameter, ...], given: list[Given], expanded: bool
    ) -> list[tuple[Parameter, list[Given]]] | None:
        """Each parameter with what is given for it; None when they do not match."""
        out: list[tuple[Parameter, list[Given]]] = [(p, []) for p in parameters]
        if expanded:
            last = parameters[-1]
            out[-1] = (Parameter(last.name, last.type.args[0], MISSING, True), [])
        position = 0
        for each in given:
            if each.name:
                slot = next((i for i, p in enumerate(parameters) if p.name == each.name), None)
                if slot is None or out[slot][1]:
                    return None
                out[slot][1].append(each)
                continue
            if position >= len(out):
                if not expanded:
                    return None
                out[-1][1].append(each)
                continue
            out[position][1].append(each)
            position += 1
        for at, (parameter, each_given) in enumerate(out):
            rest = expanded and at == len(out) - 1
            if not each_given and not rest and parameter.default is MISSING:
                return None
        return out

    def infer(self, wanted: Type, actual: Type, binding: dict[str, Type], open_names: set[str]) -> bool:
        """Learns type parameters from an argument; false when the shapes cannot meet."""
        if not wanted.args:
            if wanted.name in open_names:
                known = binding.get(wanted.name)
                if known is None:
                    if actual in (NULL, VOID):
                        return actual != VOID
                    binding[wanted.name] = actual
                elif known != actual and self.conversions.implicit(actual, known) is None:
                    if self.conversions.implicit(known, actual) is None:
                        return False
                    binding[wanted.name] = actual
            return True
        if not _mentions(wanted, open_names) or actual == NULL:
            return True
        for base in self.conversions.universe.bases(actual):
            if base.name == wanted.name and len(base.args) == len(wanted.args):
                return all(
                    self.infer(w, a, binding, open_names) for w, a in zip(wanted.args, base.args, strict=True)
                )
        return False

    def function(self, given: Given, wanted: Type, binding: dict[str, Type], open_names: set[str]) -> b.Expr:
        """A lambda bound to the parameter types that are known by now; its result may settle the last one."""
        if wanted.name in binding:
            # What a collection of functions is given, it keeps.
            held = binding[wanted.name]
            if held.name == "Func":
                *takes, gives = held.args
                return self.binder.kept(self.binder.function(given.syntax, takes, gives))
        if wanted.name != "Func":
            raise say.misplaced(given.span, "a function")
        *takes, gives = wanted.args
        takes = [substitute(t, binding) for t in takes]
        if any(_mentions(t, open_names - set(binding)) for t in takes):
            raise say.no_type(given.span, "a parameter of this function")
        expected = substitute(gives, binding)
        if _mentions(gives, open_names - set(binding)):
            made = self.binder.function(given.syntax, takes, None)
            if not self.infer(gives, made.type.args[-1], binding, open_names):
                raise say.no_conversion(given.span, str(made.type.args[-1]), str(expected))
            return made
        return self.binder.function(given.syntax, takes, expected)

    def build(
        self,
        member: Member,
        binding: dict[str, Type],
        slots: list[tuple[Parameter, list[Given]]],
        converted: list[list[b.Expr]],
        receiver: b.Expr | None,
        expanded: bool,
        span: Span,
    ) -> b.Expr:
        args: list[b.Expr] = [] if receiver is None else [receiver]
        if member.typed:
            names = (member.typed,) if isinstance(member.typed, str) else member.type_params
            args += [
                b.Const(self.conversions.info(substitute(Type(n), binding)), OBJECT, span)
                for n in names
                if not member.extension or n in _result_names(member)
            ]
        outs: list[tuple[Parameter, Given]] = []
        last = len(slots) - 1
        for at, ((parameter, each), row) in enumerate(zip(slots, converted, strict=True)):
            if parameter.out:
                outs.append((parameter, each[0]))
                args += row
            elif expanded and at == last:
                element = substitute(parameter.type, binding)
                items: b.Expr = b.Items(tuple(row), array(element), span)
                if element.name == "byte":
                    items = b.Invoke(bytes_of, (items,), array(element), span, False)
                args.append(items)
            elif row:
                args.append(row[0])
            else:
                args.append(b.Const(parameter.default, substitute(parameter.type, binding), span))
        self.binder.note(member, args[1:] if receiver is not None else args)
        returns = substitute(member.returns, binding)
        assert member.run is not None, member
        may_be_null = member.may_be_null or member.returns.name in (
            *member.type_params,
            "T",
            "V",
            "K",
            "A",
            "R",
        )
        call = b.Invoke(member.run, tuple(args), returns, span, may_be_null)
        if returns == array(Type("byte")) and member.returns != returns:
            # `numbers.ToArray()`: what is made is a list, unless what it is made of was bytes.
            call = b.Invoke(bytes_of, (call,), returns, span, False)
        if not outs:
            return call
        return self.with_outs(call, outs, binding, span)

    def with_outs(
        self,
        call: b.Invoke | b.CallValue,
        outs: list[tuple[Parameter, Given]],
        binding: dict[str, Type],
        span: Span,
    ) -> b.Expr:
        """The runtime returns (result, out values...); they are put into their locals, the result is the value."""
        places: list[tuple[int, b.Place]] = []
        for at, (parameter, given) in enumerate(outs, 1):
            place = given.place or self.binder.out_place(given.syntax, substitute(parameter.type, binding))
            if place is not None:
                places.append((at, place))
        temp = self.binder.temp()
        parts: list[b.Expr] = [each for _, place in places for each in place.before]
        parts.append(b.Write(temp, call, OBJECT, span))
        held = b.Read(temp, OBJECT, span)
        parts += [place.put(b.Item(held, at, place.type, span)) for at, place in places]
        parts.append(b.Item(held, 0, call.type, span))
        return b.Sequence(tuple(parts), len(parts) - 1, call.type, span, call.type != BOOL)


def _plainer(member: Member, rest: list[tuple[Member, dict[str, Type]]]) -> bool:
    """Whether a later form has fewer type parameters."""
    return any(len(each.type_params) < len(member.type_params) for each, _ in rest)


def _result_names(member: Member) -> set[str]:
    """The type parameters that the runtime is told about: those of the result."""
    return {member.returns.name, *(a.name for a in member.returns.args)}


def _mentions(type_: Type, names: set[str]) -> bool:
    return type_.name in names or any(_mentions(a, names) for a in type_.args)
