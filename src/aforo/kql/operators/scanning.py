"""`scan`: sequences of rows that match steps, as a walk over the rows with a state for each step."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.bind_expressions import BROKEN
from aforo.kql.binder import Binder, is_ordered
from aforo.kql.bound import Apply, Column, Constant, Expression, Reference, Relation, Windowed
from aforo.kql.convert import apply, cast, coerce
from aforo.kql.operators.spec import Declared
from aforo.kql.parser import Parser
from aforo.kql.plan import Cursor, Filter, Project, Sort, SortKey, Unnest, Walk, Window
from aforo.kql.scope import Meaning, Row, Scope
from aforo.kql.types import BOOL, DYNAMIC, LONG, STRING, KqlType
from aforo.source import Span, has_errors

_OUTPUTS = ("all", "last", "none")
# `column = expression` of a step, and where the column is named.
_Assigned = tuple[str, s.Syntax, Span]


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    output: str
    condition: s.Syntax
    assigned: tuple[_Assigned, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Scan(s.Operator):
    match_id: str
    declared: tuple[s.Parameter, ...]
    steps: tuple[Step, ...]
    span: Span


def parse(p: Parser, start: Span) -> Scan:
    options = p.options("with_match_id")
    match_id = str(options["with_match_id"].value or options["with_match_id"].text) if options else ""
    declared: tuple[s.Parameter, ...] = ()
    if p.take_name("declare"):
        declared = p.parameters()
    if not match_id and (options := p.options("with_match_id")):
        match_id = str(options["with_match_id"].value or options["with_match_id"].text)
    p.expect_name("with")
    p.expect_mark("(")
    steps: list[Step] = []
    while p.peek_name("step"):
        steps.append(_step(p))
        if not p.take_mark(";"):
            break
    if not steps:
        p.report(say.expected("'step'", p.shown(p.peek()), p.peek().span))
    p.expect_mark(")")
    return Scan(match_id, declared, tuple(steps), start.to(p.last))


def _step(p: Parser) -> Step:
    start = p.next().span
    name = p.name("a step")
    options = p.options("output")
    p.take_name("optional")
    output = options["output"].text if options else "all"
    if output not in _OUTPUTS:
        p.report(
            say.expected(
                "what is output", f"'{output}'", options["output"].span, "one of " + ", ".join(_OUTPUTS)
            )
        )
    p.expect_mark(":")
    condition = p.expression()
    assigned: list[_Assigned] = []
    if p.take_mark("=>") or (
        p.peek_mark("=") and p.peek(1).text == ">" and p.take_mark("=") and p.take_mark(">")
    ):
        while True:
            place = p.peek().span
            column = p.name("a column")
            p.expect_mark("=")
            assigned.append((column, p.expression(), place))
            if not p.take_mark(","):
                break
    return Step(name, output, condition, tuple(assigned), start.to(p.last))


# -- binding ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Walker:
    """Builds the body of the walk, layer by layer."""

    b: Binder
    scope: Scope
    steps: tuple[Step, ...]
    row: tuple[Column, ...]  # the input's columns as the cursor shows them
    declared: dict[str, tuple[KqlType, Expression]]
    refs: dict[tuple[int, str], tuple[KqlType, Expression]] = field(default_factory=dict)
    # (the step whose state it is, the step that is remembered, its column)
    held: dict[tuple[int, int, str], Column] = field(default_factory=dict)
    active: dict[int, Column] = field(default_factory=dict)
    ids: dict[int, Column] = field(default_factory=dict)

    def collected(self, tree: s.Syntax) -> s.Syntax:
        """The tree with `step.column` as one name each; what is named is noted."""
        if isinstance(tree, s.Member) and isinstance(tree.target, s.Name):
            at = next((k for k, step in enumerate(self.steps) if step.name == tree.target.text), None)
            if at is not None:
                return self._noted(at, tree)
        fields = {
            name: self._field(getattr(tree, name)) for name in getattr(tree, "__dataclass_fields__", ())
        }
        return dataclasses.replace(tree, **fields)  # type: ignore[type-var]

    def _field(self, value: object) -> object:
        if isinstance(value, tuple):
            return tuple(self._field(part) for part in value)
        return self.collected(value) if isinstance(value, s.Syntax) else value

    def _noted(self, at: int, tree: s.Member) -> s.Syntax:
        known = next((c for c in self.row if c.name == tree.name), None)
        if tree.name in self.declared:
            self.refs[at, tree.name] = self.declared[tree.name]
        elif known is not None:
            null = Constant("" if known.type is STRING else None, known.type)
            self.refs[at, tree.name] = (known.type, null)
        else:
            self.b.report(
                say.unknown_column(tree.name, tree.span, [c.name for c in self.row] + list(self.declared))
            )
            return s.Missing(tree.span)
        return s.Name(_key(at, tree.name), tree.span)

    def scope_of(self, of: int, *, current: Expression | None) -> Scope:
        """What `step.column` means with the state of step `of`; `current` tells whether that
        state is there at all.
        """
        names: dict[str, Meaning] = {}
        for (step, name), (type_, default) in self.refs.items():
            value = default
            if step <= of and (column := self.held.get((of, step, name))) is not None:
                value = Reference(column)
                if current is not None:
                    value = Apply("case", (current, value, default), type_)
            names[_key(step, name)] = value
        return self.scope.inner(names)


def _key(step: int, column: str) -> str:
    return f"{step} {column}"


def bind(b: Binder, relation: Relation, tree: Scan, scope: Scope) -> Relation:
    if not is_ordered(relation):
        b.report(say.needs_order("scan", tree.span))
        return relation
    declared: dict[str, tuple[KqlType, Expression]] = {}
    for parameter in tree.declared:
        type_ = parameter.type or DYNAMIC
        default: Expression = Constant("" if type_ is STRING else None, type_)
        if parameter.default is not None:
            bound = b.scalar(parameter.default, Row(scope=scope))
            default = coerce(bound, type_) or BROKEN
            if default is BROKEN and bound is not BROKEN:
                b.report(say.wrong_type(f"'{parameter.name}'", type_.value, bound.type.value, parameter.span))
        if any(c.name == parameter.name for c in relation.columns):
            b.report(say.duplicate_column(parameter.name, parameter.span))
        declared[parameter.name] = type_, default
    names = [step.name for step in tree.steps]
    if (twice := next((n for n in names if names.count(n) > 1), None)) is not None:
        b.report(say.bad_argument(f"two steps are called '{twice}'", tree.span))
        return relation
    row = tuple(b.column(c.name, c.type) for c in relation.columns)
    walker = _Walker(b, scope, tree.steps, row, declared)
    conditions = [walker.collected(step.condition) for step in tree.steps]
    assigned = [[(n, walker.collected(e), place) for n, e, place in step.assigned] for step in tree.steps]
    if b.mistakes and any(isinstance(c, s.Missing) for c in conditions):
        return relation
    return _walk(b, relation, tree, walker, conditions, assigned)


def _walk(
    b: Binder,
    relation: Relation,
    tree: Scan,
    walker: _Walker,
    conditions: list[s.Syntax],
    assigned: list[list[_Assigned]],
) -> Relation:
    """The plan of a walk: for each step, from the last to the first, whether the row takes it and what it assigns."""
    row, steps = walker.row, tree.steps
    state: list[tuple[Column, Expression]] = []
    for k in range(len(steps)):
        walker.active[k] = b.column("active", BOOL)
        walker.ids[k] = b.column("id", LONG)
        state += [(walker.active[k], Constant(False, BOOL)), (walker.ids[k], Constant(None, LONG))]
        for (step, name), (type_, default) in walker.refs.items():
            if step <= k:
                walker.held[k, step, name] = column = b.column(name, type_)
                state.append((column, default))
    counter = b.column("sequences", LONG)
    state.append((counter, Constant(0, LONG)))
    number, part = b.column("number", LONG), b.column("part", LONG)
    cursor = Cursor((*row, number, part, *(c for c, _ in state)), counter.id)
    body: Relation = cursor
    moved: dict[int, Column] = {}  # the step's state was promoted to it from the one before
    again: dict[int, Column] = {}  # the step matched once more, or the first one began
    values: dict[tuple[int, str], Column] = {}
    for k in reversed(range(len(steps))):
        here: Expression = Reference(walker.active[k])
        if k + 1 in moved:
            here = _both(here, _not(Reference(moved[k + 1])))
        before = walker.scope_of(k - 1, current=None)
        after = walker.scope_of(k, current=here if k == 0 else None)
        moved[k], again[k] = b.column("moved", BOOL), b.column("again", BOOL)
        promoted: Expression = Constant(False, BOOL)
        if k > 0:
            promoted = _surely(
                _both(Reference(walker.active[k - 1]), _condition(b, conditions[k], row, before))
            )
        body = _extended(body, [(moved[k], promoted)])
        repeated = _condition(b, conditions[k], row, after)
        if k > 0:
            repeated = _both(here, repeated)
        body = _extended(body, [(again[k], _surely(_both(_not(Reference(moved[k])), repeated)))])
        made = _values(b, walker, assigned[k], None if k == 0 else moved[k], (before, after))
        values |= {(k, column.name): column for column, _ in made}
        body = _extended(body, made)
    if has_errors(b.mistakes):
        return relation
    body, nexts, ids = _passed_on(b, walker, body, moved, again, values, counter)
    walk = Walk(
        relation, cursor, tuple(zip(row, relation.columns, strict=True)),
        tuple((c, first, nexts[c.id]) for c, first in state), number, part, body,
    )  # fmt: skip
    return _emitted(b, walk, tree, walker, moved, again, values, ids)


def _values(
    b: Binder, walker: _Walker, assigned: list[_Assigned], moved: Column | None, scopes: tuple[Scope, Scope]
) -> list[tuple[Column, Expression]]:
    """What the declared columns are once a row has taken a step. Where the row was `moved` to it from the step before,
    what is assigned is read in the first scope, else in the second; the first step has no step before."""
    made: list[tuple[Column, Expression]] = []
    given = {name: (tree, place) for name, tree, place in assigned}
    for name, (_, place) in given.items():
        if name not in walker.declared:
            b.report(say.unknown_column(name, place, walker.declared))
    for name, (type_, default) in walker.declared.items():
        value = default
        if name in given:
            tree, place = given[name]
            bound = [b.scalar(tree, Row(walker.row, scope)) for scope in scopes]
            up, again = (coerce(x, type_) for x in bound)
            if up is None or again is None:
                b.report(say.wrong_type(f"'{name}'", type_.value, bound[0].type.value, place))
                continue
            value = again if moved is None else Apply("case", (Reference(moved), up, again), type_)
        made.append((b.column(name, type_), value))
    return made


def _passed_on(
    b: Binder,
    walker: _Walker,
    body: Relation,
    moved: dict[int, Column],
    again: dict[int, Column],
    values: dict[tuple[int, str], Column],
    counter: Column,
) -> tuple[Relation, dict[int, Column], dict[int, Column]]:
    """The state for the next row: (the body, the next column of each state column, the sequence of each step)."""
    nexts: dict[int, Column] = {}
    ids: dict[int, Column] = {}
    made: list[tuple[Column, Expression]] = []

    def passes(column: Column, value: Expression) -> Column:
        nexts[column.id] = b.column(column.name, column.type)
        made.append((nexts[column.id], value))
        return nexts[column.id]

    count = len(walker.steps)
    started: Expression = Constant(False, BOOL)
    for k in range(count):
        here: Expression = Reference(walker.active[k])
        if k + 1 < count:
            here = _both(here, _not(Reference(moved[k + 1])))
        up, on = Reference(moved[k]), Reference(again[k])
        passes(walker.active[k], _surely(Apply("or", (Apply("or", (up, on), BOOL), here), BOOL)))
        own: Expression = Reference(walker.ids[k])
        if k == 0:
            started = _both(on, _not(here))
            own = Apply("case", (started, Reference(counter), own), LONG)
        else:
            own = Apply("case", (up, Reference(walker.ids[k - 1]), own), LONG)
        ids[k] = passes(walker.ids[k], own)
        for (step, name), (type_, _) in walker.refs.items():
            if step > k:
                continue
            column = walker.held[k, step, name]
            if step == k:
                fresh = Reference(values[k, name]) if (k, name) in values else _of_row(walker, name)
                matched = Apply("or", (up, on), BOOL)
                passes(column, Apply("case", (matched, fresh, Reference(column)), type_))
            else:
                earlier = Reference(walker.held[k - 1, step, name])
                passes(column, Apply("case", (up, earlier, Reference(column)), type_))
    one = Apply("case", (started, Constant(1, LONG), Constant(0, LONG)), LONG)
    passes(counter, apply("add", (Reference(counter), one), LONG))
    return _extended(body, made), nexts, ids


def _of_row(walker: _Walker, name: str) -> Expression:
    return Reference(next(c for c in walker.row if c.name == name))


def _emitted(
    b: Binder,
    walk: Walk,
    tree: Scan,
    walker: _Walker,
    moved: dict[int, Column],
    again: dict[int, Column],
    values: dict[tuple[int, str], Column],
    ids: dict[int, Column],
) -> Relation:
    """A row for each step that a row has matched, from the last step to the first."""
    shown = [k for k in reversed(range(len(tree.steps))) if tree.steps[k].output != "none"]
    marks: list[Expression] = []
    for k in shown:
        matched = Apply("or", (Reference(moved[k]), Reference(again[k])), BOOL)
        marks.append(Apply("case", (matched, Constant(k, LONG), Constant(None, LONG)), LONG))
    element = b.column("step", DYNAMIC)
    step = b.column("step", LONG)
    id_ = b.column(tree.match_id or "match_id", LONG)
    rows = Unnest(walk, ((element, Apply("pack_array", tuple(marks), DYNAMIC)),), None, False, None)
    numbered = Project(
        rows, (*((c, Reference(c)) for c in walk.columns), (step, cast(Reference(element), LONG)))
    )
    kept: Relation = Filter(numbered, apply("isnotnull", (Reference(step),), BOOL))
    columns: list[tuple[Column, Expression]] = [(c, Reference(c)) for c in walker.row]
    for name, (type_, default) in walker.declared.items():
        columns.append(
            (b.column(name, type_), _by_step(step, shown, {k: values[k, name] for k in shown}, default))
        )
    columns.append((id_, _by_step(step, shown, ids, Constant(None, LONG))))
    if any(tree.steps[k].output == "last" for k in shown):
        kept = _last(b, kept, tree, shown, step, columns, walk)
    else:
        kept = Project(kept, tuple(columns))
    items = columns if tree.match_id else columns[:-1]
    return Project(kept, tuple((c, Reference(c)) for c, _ in items))


def _last(
    b: Binder,
    kept: Relation,
    tree: Scan,
    shown: list[int],
    step: Column,
    columns: list[tuple[Column, Expression]],
    walk: Walk,
) -> Relation:
    """Of the rows that a sequence has for such a step, the last one."""
    carried = [(c, Reference(c)) for c in (step, walk.number, walk.part)]
    rows = Project(kept, (*columns, *carried))
    id_ = columns[-1][0]
    greatest = b.column("greatest", LONG)
    told = Window(
        rows,
        ((greatest, Windowed("whole:max", (Reference(walk.number),), LONG)),),
        (Reference(step), Reference(id_), Reference(walk.part)),
    )
    whole = [Constant(k, LONG) for k in shown if tree.steps[k].output == "all"]
    every: Expression = apply("in", (Reference(step), *whole), BOOL) if whole else Constant(False, BOOL)
    final = Apply("equals", (Reference(greatest), Reference(walk.number)), BOOL)
    found = Filter(told, Apply("or", (every, final), BOOL))
    keys = (SortKey(Reference(walk.part), True, True), SortKey(Reference(walk.number), True, True))
    return Sort(found, keys)


def _by_step(step: Column, shown: list[int], columns: dict[int, Column], default: Expression) -> Expression:
    flat: list[Expression] = []
    for k in shown:
        flat += [Apply("equals", (Reference(step), Constant(k, LONG)), BOOL), Reference(columns[k])]
    return Apply("case", (*flat, default), default.type) if flat else default


def _extended(body: Relation, items: list[tuple[Column, Expression]]) -> Relation:
    return Project(body, (*((c, Reference(c)) for c in body.columns), *items)) if items else body


def _condition(b: Binder, tree: s.Syntax, row: tuple[Column, ...], scope: Scope) -> Expression:
    return b.condition(tree, Row(row, scope), "the condition of a step")


def _both(one: Expression, other: Expression) -> Expression:
    return Apply("and", (one, other), BOOL)


def _not(expression: Expression) -> Expression:
    return Apply("not", (expression,), BOOL)


def _surely(expression: Expression) -> Expression:
    """Null counts as false."""
    return Apply("case", (expression, Constant(True, BOOL), Constant(False, BOOL)), BOOL)


OPERATORS = (Declared(("scan",), Scan, parse, bind, "Finds sequences of rows, step by step."),)
