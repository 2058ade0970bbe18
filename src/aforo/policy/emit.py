"""What elements write their code with: values of attributes, Python templates, sites, children. It knows no element.

A template is a line of Python whose UPPER-CASE names stand for parts; everything generated carries the line and
column of the author's XML.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aforo.csharp.codegen import Names
from aforo.csharp.compile import Origin, World, compile_expression
from aforo.csharp.types import MISSING
from aforo.policy import diagnostics as say
from aforo.policy import flow, running
from aforo.policy.authored import Authored
from aforo.policy.document import XmlElement
from aforo.policy.pipeline import NO_EFFECTS, Effects
from aforo.policy.scopes import Scope, Section
from aforo.policy.spec import Attribute, Child, Element, Kind, Text
from aforo.policy.templates import fill, fresh
from aforo.policy.tracing import trace
from aforo.source import Diagnostic, Source, Span

if TYPE_CHECKING:
    from aforo.policy.cors import CorsPolicy
    from aforo.policy.services import ForwardOptions


@dataclass(frozen=True, slots=True)
class Value:
    """A value of an attribute or text. `const` is the text where it is known now, else None; `code` gives it.

    `nullable`: the code may give None. Secret constants have `const` too, so keep it out of messages; `code`
    never shows it.
    """

    const: str | None
    code: ast.expr
    nullable: bool
    secret: bool
    reads: frozenset[str | None]
    effects: Effects
    type_name: str
    span: Span
    sealed: bool = False  # secret, and not only because claims of a caller's token are read


@dataclass(frozen=True, slots=True)
class Use:
    """A checked use of a policy (or of a child of one): its declaration and what stands in the document."""

    element: XmlElement
    spec: Element | Child
    attributes: dict[str, Authored]
    text: Authored | None
    children: dict[str, tuple[Use, ...]]
    policies: tuple[Use, ...]
    path: str
    parent: Use | None = None

    @property
    def name(self) -> str:
        return self.element.name

    @property
    def span(self) -> Span:
        return self.element.span

    def child(self, name: str) -> Use | None:
        found = self.children.get(name, ())
        return found[0] if found else None


@dataclass(slots=True)
class Unit:
    """One Python module in the making: a document, or a fragment as included in one section."""

    source: Source
    scope: Scope
    section: Section
    world: World
    names: Names
    sites: list[running.Site]
    definitions: list[ast.stmt]
    report: Callable[[Diagnostic], None]
    compile_use: Callable[[Use, Emitter], None]
    include: Callable[[Emitter, str, Span], ast.expr | None]
    counter: int = 0
    secrets: tuple[str, ...] = ()
    # Of the traced variant: the local name of the running policy's step, and the places that its sites belong to.
    tracing: bool = False
    step: str = "outer"
    places: tuple[trace.Place, ...] = ()
    external_cache: bool = True
    retries: int = 0  # of `retry`, those that the policy stands in


@dataclass(slots=True)
class Facts:
    """What compiling a section brings to light."""

    effects: Effects = NO_EFFECTS
    cors: list[CorsPolicy] = field(default_factory=list)
    forward: ForwardOptions | None = None
    uses_base: bool = False
    stores: frozenset[str] = frozenset()  # families of caches that something in it stores answers in
    # Where a backend's answer is read and written; see `Emitter.await_effects`, `writes_response`.
    readers: list[tuple[str, Span]] = field(default_factory=list)
    writers: list[tuple[str, Span]] = field(default_factory=list)


class Emitter:
    """Writes the statements of one block of one section."""

    def __init__(self, unit: Unit, facts: Facts, message: str) -> None:
        self.unit = unit
        self.facts = facts
        self.message = message  # the Python text of the message that set-header and set-body change
        self.body: list[ast.stmt] = []
        self.span = Span(0, 0)
        self.element = ""  # whose statements are written

    # --- Python ----------------------------------------------------------------------------------------------

    def part(self, value: Any) -> ast.expr:
        """A part of a template: code as it is, plain values as constants, everything else by a global name."""
        if isinstance(value, ast.expr):
            return value
        if isinstance(value, Value):
            return value.code
        if value is None or type(value) in (bool, int, str, bytes, float):
            return ast.Constant(value)
        return ast.Name(self.unit.names.of(value), ast.Load())

    def expr(self, template: str, **parts: Any) -> ast.expr:
        tree = ast.parse(template, mode="eval").body
        filled: ast.expr = self.place(fill(tree, {k: self.part(v) for k, v in parts.items()}))
        return filled

    def do(self, template: str, **parts: Any) -> None:
        filled = {k: self.part(v) for k, v in parts.items()}
        for each in ast.parse(template).body:
            self.body.append(self.place(fill(each, filled)))

    def place(self, node: Any) -> Any:
        line, column = self.locate(self.span)
        for each in fresh(node):
            each.lineno = each.end_lineno = line
            each.col_offset = each.end_col_offset = column
        return node

    def locate(self, span: Span) -> tuple[int, int]:
        line, column = self.unit.source.position(span.start)
        return line, column - 1

    def block(self, message: str | None = None) -> Emitter:
        """A writer for statements inside of this one's."""
        made = Emitter(self.unit, self.facts, message or self.message)
        made.span = self.span
        return made

    def nested(self, policies: tuple[Use, ...], hint: str) -> tuple[str, Emitter]:
        """Policies as a local coroutine function without arguments: its name, and the writer of its statements, to which
        more may be added before `define`. Python refuses more than 20 blocks inside of each other, not functions."""
        inner = self.block()
        for each in policies:
            self.unit.compile_use(each, inner)
        return self.local(hint), inner

    def define(self, name: str, inner: Emitter, *, place: int | None = None) -> None:
        """Writes the function. With `place`, a site, it keeps its own mark of what is running: for those side by side."""
        if place is None:
            self.do(f"async def {name}():\n    nonlocal at\n    pass")
            made = self.body[-1]
            assert isinstance(made, ast.AsyncFunctionDef)
            made.body[1:] = inner.finished()
            return
        self.do(_BRANCH.format(name=name, first=place))
        made = self.body[-1]
        assert isinstance(made, ast.AsyncFunctionDef)
        guarded = made.body[1]
        assert isinstance(guarded, ast.Try)
        guarded.body = inner.finished()

    def message_body(self, when: Callable[[ast.expr], ast.expr] | None = None) -> ast.expr:
        """The message that this block works on, its body being at hand and about to be replaced. With `when`, a
        condition on the message, the body is waited for only where that is true."""
        if self.message == "x.request":
            self.facts.effects |= Effects(reads_request_body=True, writes_request_body=True)
        elif self.message == "answer(x)":
            if when is None:
                self.reads_response()
            self.facts.effects |= Effects(reads_response_body=True)
            self.writes_response()
        name = self.local("message")
        self.do(f"{name} = {self.message}")
        wanted = self.expr("True") if when is None else when(self.expr(name))
        test = "" if when is None else "WANTED and "
        self.do(f"if {test}{name}.body.data is None:\n    await {name}.body.read()", WANTED=wanted)
        return self.expr(name)

    def reads_response(self) -> None:
        """The body of the answer is read here."""
        self.facts.effects |= Effects(reads_response_body=True)
        self.facts.readers.append((self.element, self.span))

    def writes_response(self) -> None:
        """The body of the answer may become another one here."""
        self.facts.effects |= Effects(writes_response_body=True)
        self.facts.writers.append((self.element, self.span))

    def finished(self) -> list[ast.stmt]:
        """The statements, never none."""
        if not self.body:
            self.do("pass")
        return self.body

    def local(self, hint: str) -> str:
        self.unit.counter += 1
        return f"{hint}{self.unit.counter}"

    def report(self, diagnostic: Diagnostic) -> None:
        self.unit.report(diagnostic)

    # --- sites -----------------------------------------------------------------------------------------------

    def site(self, use: Use, *values: Value | None) -> running.Site:
        """Marks that `use` runs from here on, reads the bodies that its values need; returns the site."""
        self.span = use.span
        self.element = use.name
        real = [v for v in values if v is not None]
        reads: frozenset[str | None] = frozenset().union(*(v.reads for v in real))
        policy_id = use.attributes.get("id")
        line, _ = self.locate(use.span)
        source = use if isinstance(use.spec, Element) or use.parent is None else use.parent
        site = running.Site(
            source.name,
            self.unit.section.value,
            self.unit.scope.value,
            use.path,
            policy_id.shown if policy_id is not None else "",
            line,
            self.unit.source.line(line).strip()[:200],
            any(v.secret for v in real),
            reads,
            self.unit.secrets,
            any(v.sealed for v in real),
        )
        self.unit.sites.append(site)
        for place in self.unit.places:
            place.sites.append(site)
        self.do(f"at = {len(self.unit.sites) - 1}")
        self.await_bodies(*real)
        return site

    def follow(self, site: running.Site, name: str | ast.expr) -> None:
        """What has that name (as in `Site.reads`) was made at that site: it is as secret as what went into it."""
        if site.sealed:
            self.do("F(x, NAME)", F=running.taint, NAME=name)
        elif site.secret:
            self.do("F(x, NAME, SITE)", F=running.pass_taint, NAME=name, SITE=site)
        elif site.reads:
            self.where_tainted("F(x, NAME, SITE)", site, F=running.pass_taint, NAME=name, SITE=site)

    def where_tainted(self, template: str, site: running.Site, **parts: Any) -> None:
        """A statement that is needed only where something that the site reads may be secret."""
        if site.secret or flow.may_be_key(site.reads):
            self.do(template, **parts)
        else:
            self.do(f"if x.tainted is not None:\n    {template}", **parts)

    def await_bodies(self, *values: Value) -> None:
        effects = NO_EFFECTS
        for value in values:
            effects |= value.effects
        self.await_effects(effects)

    def await_effects(self, effects: Effects) -> None:
        """Bodies that what follows reads are waited for here."""
        self.facts.effects |= effects
        if effects.reads_request_body:
            self.do("if x.request.body.data is None:\n    await x.request.body.read()")
        if effects.reads_response_body:
            self.reads_response()
            self.do(
                "if x.response is not None and x.response.body.data is None:\n    await x.response.body.read()"
            )

    # --- values ----------------------------------------------------------------------------------------------

    def value(self, use: Use, name: str) -> Value | None:
        """An attribute as text; its default where it is not given; None without either."""
        declared = next(a for a in use.spec.attributes if a.name == name)
        given = use.attributes.get(name)
        if given is None:
            return self.constant(declared.default, use.span) if declared.default is not None else None
        return self.compile(given, declared, name)

    def text(self, use: Use) -> Value | None:
        """The value between the tags; nothing between them is an empty text. None: a mistake, reported."""
        if use.spec.text is None:
            return None
        if use.text is None:
            return None if use.spec.text.required else self.constant("", use.span)
        return self.compile(use.text, use.spec.text, use.name)

    def constant(self, text: str, span: Span, *, secret: bool = False) -> Value:
        line, column = self.locate(span)
        code: ast.expr
        if secret:
            code = ast.Name(self.unit.names.of("".join(list(text)), "secret"), ast.Load())
        else:
            code = ast.Constant(text)
        code.lineno = code.end_lineno = line
        code.col_offset = code.end_col_offset = column
        return Value(text, code, False, secret, frozenset(), NO_EFFECTS, "string", span, secret)

    def compile(
        self, given: Authored, declared: Attribute | Text, name: str, wanted: str = "text"
    ) -> Value | None:
        """A literal or an expression; a mistake is reported and gives None."""
        stripped = given.stripped()
        if not stripped.text.startswith(("@(", "@{")):
            if "@(" in given.text and not given.secret:
                at = given.text.index("@(")
                self.report(say.expression_inside_text(given.span(at, at + 2)))
            span = given.whole
            if not self.fits(given.text, declared.kind, getattr(declared, "values", ()), name, span):
                return None
            return self.constant(given.text, span, secret=given.secret)
        if not declared.expressions:
            self.report(say.no_expression(stripped.whole, name))
            return None
        found = self.expression(stripped, wanted)
        if found is None or found.const is None:
            return found
        fits = self.fits(found.const, declared.kind, getattr(declared, "values", ()), name, found.span)
        return found if fits else None

    def fits(self, text: str, kind: Kind, words: tuple[str, ...], name: str, span: Span) -> bool:
        wanted = ""
        body = text.strip()
        if words and body.lower() not in words:
            wanted = "one of " + ", ".join(words)
        elif kind in ("int", "seconds", "milliseconds"):
            if not (body.removeprefix("-").isascii() and body.removeprefix("-").isdigit() and len(body) < 12):
                wanted = "a whole number"
            elif kind != "int" and body.startswith("-"):
                wanted = f"a number of {kind}"
        elif kind == "bool" and body.lower() not in ("true", "false"):
            wanted = "true or false"
        elif kind == "name" and not body:
            wanted = "a name"
        if wanted:
            self.report(say.bad_value(span, name, wanted))
        return not wanted

    def expression(self, text: Authored, wanted: str) -> Value | None:
        """Compiles `@(...)` or `@{...}`, the whole of `text`."""
        inner = text.part(2, len(text.text) - 1)
        closing = ")" if text.text.startswith("@(") else "}"
        if not text.text.endswith(closing):
            self.report(say.after_expression(text.whole))
            return None
        origin = Origin(inner.span, inner.is_secret, self.locate)
        self.unit.counter += 1
        compiled = compile_expression(
            inner.text,
            block=closing == "}",
            wanted="bool" if wanted == "bool" else "object" if wanted == "object" else "text",
            world=self.unit.world,
            origin=origin,
            names=self.unit.names,
            name=f"e{self.unit.counter}",
        )
        for diagnostic in compiled.diagnostics:
            self.report(say.with_secret(diagnostic) if text.secret else diagnostic)
        made = compiled.expression
        if made is None:
            return None
        self.unit.definitions += made.definitions
        effects = NO_EFFECTS
        for label, _ in made.effects:
            effects |= flow.BODIES.get(label, NO_EFFECTS)
        reads = flow.reads(made.effects)
        credential = flow.credential(made.effects)
        secret = made.secret or credential
        sealed = made.secret or (credential and all(label != "claims" for label, _ in made.effects))
        const = made.constant if isinstance(made.constant, str) and wanted == "text" else None
        if made.constant is not MISSING and isinstance(made.constant, bool) and wanted == "bool":
            const = "true" if made.constant else "false"
        code = made.value
        if self.unit.tracing and made.constant is MISSING:
            code = self.noted(code, text.whole, secret, reads)
        return Value(const, code, made.nullable, secret, reads, effects, str(made.type), made.span, sealed)

    def noted(self, code: ast.expr, span: Span, secret: bool, reads: frozenset[str | None]) -> ast.expr:
        """The expression, which tells the trace what it gave. Named values stand in its text by their names."""
        line, column = self.unit.source.position(span.start)
        about = trace.Noted(self.unit.source.text[span.start : span.end], line, column, secret, reads)
        before, self.span = self.span, span
        made = self.expr(
            "NOTE(x, STEP, ABOUT, CODE)",
            NOTE=trace.note,
            STEP=ast.Name(self.unit.step, ast.Load()),
            ABOUT=ast.Name(self.unit.names.of(about, self.local("about_")), ast.Load()),
            CODE=code,
        )
        self.span = before
        return made

    def condition(self, use: Use, name: str) -> Value | None:
        """An attribute as a truth value; `const` is "true" or "false" where it is known."""
        declared = next(a for a in use.spec.attributes if a.name == name)
        given = use.attributes.get(name)
        if given is None:
            return None
        stripped = given.stripped()
        if stripped.text.startswith(("@(", "@{")):
            return self.expression(stripped, "bool")
        found = self.compile(given, declared, name)
        if found is None or found.const is None:
            return None
        word = found.const.strip().lower()
        code = self.expr("W", W=word == "true")
        return Value(
            word, code, False, found.secret, found.reads, found.effects, "bool", found.span, found.sealed
        )

    def number(self, value: Value, name: str, low: int, high: int) -> ast.expr:
        """A whole number: known now and in range, or checked when it is computed."""
        if value.const is not None:
            number = int(value.const)
            if not low <= number <= high:
                self.report(say.bad_value(value.span, name, f"between {low} and {high}"))
            return self.expr("N", N=number)
        return self.expr("F(V, N, L, H)", F=running.whole_number, V=value, N=name, L=low, H=high)

    def flag(self, use: Use, name: str) -> bool | ast.expr:
        """A boolean attribute: a Python bool when it is known."""
        value = self.value(use, name)
        if value is None:
            return False
        if value.const is not None:
            return value.const.strip().lower() == "true"
        return self.expr("F(V, N)", F=running.truth, V=value, N=name)


# One of several functions that run side by side; see compile._FRAME.
_BRANCH = """
async def {name}():
    at = {first}
    try:
        pass
    except (Returned, Refusal):
        raise
    except PolicyFailure as error:
        placed(error, sites[at], x)
        raise
    except Exception as error:
        raise failed(error, sites[at], x) from error
"""
