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
from aforo.policy import running
from aforo.policy.authored import Authored
from aforo.policy.document import XmlElement
from aforo.policy.pipeline import NO_EFFECTS, Effects
from aforo.policy.scopes import Scope, Section
from aforo.policy.spec import Attribute, Child, Element, Kind, Text
from aforo.source import Diagnostic, Source, Span

if TYPE_CHECKING:
    from aforo.policy.cors import CorsPolicy
    from aforo.policy.services import ForwardOptions

# Labels of context members that touch bodies; see context_types.
_BODY_EFFECTS = {
    "request-body": Effects(reads_request_body=True),
    "response-body": Effects(reads_response_body=True),
}
# Headers whose values are credentials: what is made of them is as secret as they are.
_CREDENTIALS = frozenset(
    (
        "authorization",
        "proxy-authorization",
        "api-key",
        "x-api-key",
        "ocp-apim-subscription-key",
        "cookie",
        "set-cookie",
    )
)


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


@dataclass(slots=True)
class Facts:
    """What compiling a section brings to light."""

    effects: Effects = NO_EFFECTS
    cors: list[CorsPolicy] = field(default_factory=list)
    forward: ForwardOptions | None = None
    uses_base: bool = False


class Emitter:
    """Writes the statements of one block of one section."""

    def __init__(self, unit: Unit, facts: Facts, message: str) -> None:
        self.unit = unit
        self.facts = facts
        self.message = message  # the Python text of the message that set-header and set-body change
        self.body: list[ast.stmt] = []
        self.span = Span(0, 0)

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
        filled: ast.expr = self.place(_fill(tree, {k: self.part(v) for k, v in parts.items()}))
        return filled

    def do(self, template: str, **parts: Any) -> None:
        filled = {k: self.part(v) for k, v in parts.items()}
        for each in ast.parse(template).body:
            self.body.append(self.place(_fill(each, filled)))

    def place(self, node: Any) -> Any:
        line, column = self.locate(self.span)
        for each in _fresh(node):
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
            policy_id.text if policy_id is not None else "",
            line,
            self.unit.source.line(line).strip()[:200],
            any(v.secret for v in real),
            reads,
        )
        self.unit.sites.append(site)
        self.do(f"at = {len(self.unit.sites) - 1}")
        self.await_bodies(*real)
        return site

    def await_bodies(self, *values: Value) -> None:
        effects = NO_EFFECTS
        for value in values:
            effects |= value.effects
        self.facts.effects |= effects
        if effects.reads_request_body:
            self.do("if x.request.body.data is None:\n    await x.request.body.read()")
        if effects.reads_response_body:
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
        return Value(text, code, False, secret, frozenset(), NO_EFFECTS, "string", span)

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
            effects |= _BODY_EFFECTS.get(label, NO_EFFECTS)
        reads = frozenset(literal for label, literal in made.effects if label == "variable")
        secret = made.secret or any(
            label == "header" and (literal or "").lower() in _CREDENTIALS for label, literal in made.effects
        )
        const = made.constant if isinstance(made.constant, str) and wanted == "text" else None
        if made.constant is not MISSING and isinstance(made.constant, bool) and wanted == "bool":
            const = "true" if made.constant else "false"
        return Value(const, made.value, made.nullable, secret, reads, effects, str(made.type), made.span)

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
        return Value(word, code, False, found.secret, found.reads, found.effects, "bool", found.span)

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


def _fill(node: Any, parts: dict[str, ast.expr]) -> Any:
    """The tree with its upper-case names replaced."""
    if isinstance(node, ast.Name) and node.id in parts:
        return parts[node.id]
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.AST):
            setattr(node, name, _fill(value, parts))
        elif isinstance(value, list):
            setattr(node, name, [_fill(v, parts) if isinstance(v, ast.AST) else v for v in value])
    if hasattr(node, "lineno"):
        del node.lineno  # it is the template's; what has none gets the element's place
    return node


def _fresh(node: Any) -> list[Any]:
    """Nodes below that have no place yet; what was filled in has its own."""
    out: list[Any] = []
    stack = [node]
    while stack:
        now = stack.pop()
        if "lineno" in getattr(now, "_attributes", ()):
            if getattr(now, "lineno", None) is not None:
                continue
            out.append(now)
        stack.extend(ast.iter_child_nodes(now))
    return out
