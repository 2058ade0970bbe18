"""A policy document, from text to sections that can be bound: parse → check → emit → Python code.

    text -> XmlElement (document) -> Use (check) -> ast (emit, elements, csharp) -> code objects

One module of Python per document, and one per included fragment, each with the author's file name and lines.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from aforo.csharp.codegen import Names
from aforo.errors import Refusal
from aforo.policy import around, catalog, limits, resuming, running, structure
from aforo.policy import diagnostics as say
from aforo.policy.bound import CompiledDocument, SectionCode
from aforo.policy.check import Checker
from aforo.policy.context.types import world
from aforo.policy.document import XmlElement, parse
from aforo.policy.emit import Emitter, Facts, Unit, Use
from aforo.policy.exchange import PolicyFailure, Returned
from aforo.policy.explain import listing
from aforo.policy.masking import MASK
from aforo.policy.named_values import NamedValue
from aforo.policy.scopes import Scope, Section
from aforo.policy.tracing import trace
from aforo.source import Diagnostic, Source, Span, has_errors

_RESPONSE = (Section.OUTBOUND, Section.ON_ERROR)


@dataclass(frozen=True, slots=True)
class CompileContext:
    """What a document may refer to by name."""

    named_values: Mapping[str, NamedValue] = field(default_factory=dict)
    fragments: Mapping[str, str] = field(default_factory=dict)
    external_cache: bool = True  # whether the service has one, as far as is known
    backends: frozenset[str] | None = None  # None: nobody knows which there are


@dataclass(frozen=True, slots=True)
class CompileResult:
    """`document` is None when a diagnostic is an error; spans are offsets in `source`."""

    document: CompiledDocument | None
    diagnostics: tuple[Diagnostic, ...]
    source: Source


def compile_document(
    source: Source,
    scope: Scope,
    context: CompileContext,
    *,
    format: Literal["rawxml", "xml"] = "rawxml",  # noqa: A002
    fragment: Section | None = None,
) -> CompileResult:
    """Compile one document. Whatever the text is, the outcome is a result, never an exception.

    With `fragment` the text may also be a policy fragment, read as if it stood in that section.
    """
    compiler = _Compiler(source, scope, context, format)
    compiler.fragment_section = fragment
    try:
        document = compiler.run()
    except RecursionError:
        compiler.report(say.too_large(Span(0, 1), "nesting"))
        document = None
    except SyntaxError:
        # Python's own limits on what one function may hold; none is known that ours do not meet before.
        compiler.report(say.too_large(Span(0, 1), "statements of one kind inside of each other"))
        document = None
    found = tuple(sorted(compiler.found, key=lambda d: (d.span.start, d.span.end)))
    return CompileResult(None if has_errors(found) else document, found, source)


def _explained(
    source: Source,
    scope: Scope,
    context: CompileContext,
    format_: Literal["rawxml", "xml"],
    *,
    tracing: bool,
) -> str:
    compiler = _Compiler(source, scope, context, format_, tracing=tracing)
    compiler.run()
    return "\n\n".join(each.text() for each in compiler.listings)


def _traced(
    source: Source, scope: Scope, context: CompileContext, format_: Literal["rawxml", "xml"]
) -> CompiledDocument:
    """The variant that traces, of a document that is known to compile."""
    made = _Compiler(source, scope, context, format_, tracing=True).run()
    assert made is not None, "the traced variant of a document compiles as the plain one does"
    return made


def _rest(
    source: Source,
    scope: Scope,
    context: CompileContext,
    format_: Literal["rawxml", "xml"],
    family: str,
    *,
    tracing: bool,
) -> SectionCode:
    """Outbound from where it goes on when a cache of that family has answered; the document is known to compile."""
    compiler = _Compiler(source, scope, context, format_, tracing=tracing)
    compiler.after = family
    document = compiler.run()
    assert document is not None
    return document.section(Section.OUTBOUND)


class _Compiler:
    def __init__(
        self,
        source: Source,
        scope: Scope,
        context: CompileContext,
        format_: Literal["rawxml", "xml"],
        *,
        tracing: bool = False,
    ) -> None:
        self.source = source
        self.scope = scope
        self.context = context
        self.format: Literal["rawxml", "xml"] = format_
        self.found: list[Diagnostic] = []
        self.names = _names()
        self.sites: list[running.Site] = []
        self.definitions: list[ast.stmt] = []
        self.listings: list[_Listing] = []
        self.fragments: dict[tuple[str, Section, bool], Any] = {}
        self.including: list[str] = []
        self.fragment_section: Section | None = None
        self.budget = limits.EXPANDED_ELEMENTS
        self.counter = 0
        self.tracing = tracing
        self.after = ""  # a family of caches: of outbound only what follows the storing is wanted
        self.secrets = tuple(v.value for v in context.named_values.values() if v.secret and v.value)

    def report(self, diagnostic: Diagnostic) -> None:
        """Keeps a diagnostic; no secret named value is in its words, and its span lies in the text."""
        end = min(diagnostic.span.end, len(self.source.text))
        diagnostic = replace(
            diagnostic,
            message=_masked(diagnostic.message, self.secrets),
            hints=tuple(_masked(h, self.secrets) for h in diagnostic.hints),
            span=Span(min(diagnostic.span.start, end), end),
        )
        if len(self.found) < limits.DIAGNOSTICS and diagnostic not in self.found:
            self.found.append(diagnostic)

    def run(self) -> CompiledDocument | None:
        parsed = parse(self.source.text, self.format)
        for each in parsed.diagnostics:
            self.report(each)
        sections = structure.sections(parsed, len(self.source.text), self.report, self.fragment_section)
        codes: dict[Section, SectionCode] = {}
        functions: dict[Section, ast.stmt] = {}
        for section, element in sections.items():
            uses, facts, function = self.section(section, element)
            lone = len(uses) == 1 and uses[0].name == "forward-request" and not self.tracing
            plain = facts.forward if lone else None
            only_base = len(uses) == 1 and uses[0].name == "base"
            codes[section] = SectionCode(
                None,
                facts.uses_base,
                only_base,
                not uses,
                facts.effects.of_failure if section is Section.ON_ERROR else facts.effects,
                tuple(facts.cors),
                plain,
                facts.stores,
                self.sites[-1] if plain is not None else None,
            )
            if uses and not only_base:
                functions[section] = function
        if has_errors(self.found):
            return None
        self.names.values["sites"] = tuple(self.sites)
        module = ast.Module([*self.definitions, *functions.values()], [])
        made = _load(module, self.source.name, self.names.values)
        for section in functions:
            codes[section] = codes[section].with_code(made[f"make_{section.python}"])
        self.listings.insert(0, _Listing(self.source, module, tuple(self.sites)))
        # The trees go with this compiler: whoever wants to read the Python has it generated again.
        again = (self.source, self.scope, self.context, self.format)
        return CompiledDocument(
            self.scope,
            codes,
            lambda: _explained(*again, tracing=self.tracing),
            lambda family: _rest(*again, family, tracing=self.tracing),
            lambda: _traced(*again),
            self.secrets,
        )

    # --- sections --------------------------------------------------------------------------------------------

    def section(self, section: Section, element: XmlElement) -> tuple[tuple[Use, ...], Facts, ast.stmt]:
        unit = Unit(
            self.source,
            self.scope,
            section,
            world(),
            self.names,
            self.sites,
            self.definitions,
            self.report,
            _compile_use,
            self.include,
            counter=self.counter,
            secrets=self.secrets,
            tracing=self.tracing,
            external_cache=self.context.external_cache,
        )
        facts = Facts()
        top = element.name != "fragment"
        uses = self.checker(section, self.report).policies(element.elements, "", None, top=top)
        if section is Section.BACKEND and len(uses) > 1 and top:
            self.report(say.one_in_backend(uses[1].span))
        if self.after and section is Section.OUTBOUND:
            uses = resuming.rest(uses, self.after, self.context.fragments)
        function = self.function(unit, facts, uses, section.python, element.span)
        if section is Section.OUTBOUND and facts.readers and facts.writers:
            name, span = facts.writers[0]
            self.report(
                say.holds_streams(span, name, "the answer is read in `outbound` and may be rewritten")
            )
        elif section is Section.BACKEND and facts.readers:
            name, span = facts.readers[0]
            self.report(say.holds_streams(span, name, "what the answer says may lead to another attempt"))
        self.counter = unit.counter  # names are a module's, not a section's
        return uses, facts, function

    def checker(self, section: Section, report: Callable[[Diagnostic], None]) -> Checker:
        return Checker(
            section,
            self.scope,
            catalog.BY_NAME,
            catalog.NEVER,
            self.context.named_values,
            report,
            backends=self.context.backends,
            budget=self.budget,
        )

    def function(self, unit: Unit, facts: Facts, uses: tuple[Use, ...], name: str, span: Span) -> ast.stmt:
        """`make_<name>(base)`, which gives the section as a coroutine function over its base."""
        line, _ = unit.source.position(span.start)
        first = len(unit.sites)
        unit.sites.append(
            running.Site(
                unit.section.value, unit.section.value, unit.scope.value, "", "", line, "", secret=True
            )
        )
        emitter = Emitter(unit, facts, "answer(x)" if unit.section in _RESPONSE else "x.request")
        emitter.span = span
        for use in uses:
            _compile_use(use, emitter)
        outer = Emitter(unit, facts, "")
        outer.span = span
        outer.do((_TRACED_FRAME if self.tracing else _FRAME).format(name=name, first=first))
        made = outer.body[0]
        assert isinstance(made, ast.FunctionDef)
        inner = made.body[0]
        assert isinstance(inner, ast.AsyncFunctionDef)
        guarded = inner.body[-1]
        assert isinstance(guarded, ast.Try)
        guarded.body = emitter.finished()
        return made

    # --- fragments -------------------------------------------------------------------------------------------

    def include(self, emitter: Emitter, name: str, span: Span) -> ast.expr | None:
        """The function of a fragment in this section, by its global name in the including code."""
        wrong = structure.not_includable(name, self.context.fragments, self.including, span)
        if wrong is not None:
            emitter.report(wrong)
            return None
        key = (name, emitter.unit.section, emitter.unit.retries > 0)
        known = self.fragments.get(key)
        if known is None:
            self.including.append(name)
            try:
                made = self.fragment(emitter, name, span)
            finally:
                self.including.pop()
            if made is None:
                return None
            known = self.fragments[key] = made
        function, facts = known
        emitter.facts.effects |= facts.effects
        emitter.facts.readers += [("include-fragment", span)] * bool(facts.readers)
        emitter.facts.writers += [("include-fragment", span)] * bool(facts.writers)
        emitter.facts.cors += facts.cors
        emitter.facts.stores |= facts.stores
        return emitter.part(function)

    def fragment(self, emitter: Emitter, name: str, span: Span) -> tuple[Any, Facts] | None:
        source = Source(f"fragment:{name}", self.context.fragments[name])
        before = len(self.found)

        def report(diagnostic: Diagnostic) -> None:
            line, column = source.position(diagnostic.span.start)
            emitter.report(say.in_fragment(span, name, line, column, diagnostic))

        parsed = parse(source.text, self.format)
        for each in parsed.diagnostics:
            report(each)
        root = structure.fragment_root(parsed, report)
        if root is None:
            return None
        names, sites, definitions = _names(), list[running.Site](), list[ast.stmt]()
        unit = Unit(
            source,
            self.scope,
            emitter.unit.section,
            world(),
            names,
            sites,
            definitions,
            report,
            _compile_use,
            self.include,
            secrets=self.secrets,
            tracing=self.tracing,
            external_cache=self.context.external_cache,
            retries=emitter.unit.retries,
        )
        facts = Facts()
        checker = self.checker(emitter.unit.section, report)
        uses = checker.policies(root.elements, f"{name}:", None, top=False)
        self.budget = checker.budget
        function = self.function(unit, facts, uses, "fragment", root.span)
        if has_errors(self.found[before:]):
            return None
        names.values["sites"] = tuple(sites)
        module = ast.Module([*definitions, function], [])
        made = _load(module, source.name, names.values)
        self.listings.append(_Listing(source, module, tuple(sites)))
        return made["make_fragment"](None), facts


# `at` is the site that is running: one constant per policy, and every failure knows its place.
_FRAME = """
def make_{name}(base):
    async def {name}(x):
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
    return {name}
"""

# The same for the traced variant: steps that an exception leaves open end here.
_TRACED_FRAME = """
def make_{name}(base):
    async def {name}(x):
        at = {first}
        outer = entered(x)
        try:
            pass
        except (Returned, Refusal) as error:
            left(x, outer, error)
            raise
        except PolicyFailure as error:
            placed(error, sites[at], x)
            left(x, outer, error)
            raise
        except Exception as error:
            failure = failed(error, sites[at], x)
            left(x, outer, failure)
            raise failure from error
    return {name}
"""


def _masked(text: str, secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text


def _compile_use(use: Use, emitter: Emitter) -> None:
    element = catalog.BY_NAME[use.name]
    if element.stores:
        emitter.facts.stores |= {element.stores}
    around.compile_use(use, emitter, element.compile)


def _names() -> Names:
    names = Names()
    for name, value in (
        ("answer", running.answer),
        ("placed", running.placed),
        ("failed", running.failed),
        ("entered", trace.entered),
        ("left", trace.left),
        ("PolicyFailure", PolicyFailure),
        ("Returned", Returned),
        ("Refusal", Refusal),
    ):
        names.of(value, name)
    return names


@dataclass(frozen=True, slots=True)
class _Listing:
    source: Source
    module: ast.Module
    sites: tuple[running.Site, ...]

    def text(self) -> str:
        return listing(self.source.name, self.module, self.sites)


def _load(module: ast.Module, filename: str, values: dict[str, Any]) -> dict[str, Any]:
    """Runs a module's definitions over the globals that it needs, and nothing else: no builtins are there."""
    scope: dict[str, Any] = {"__builtins__": _BUILTINS, **values}
    code = compile(module, filename, "exec", dont_inherit=True)
    exec(code, scope)  # noqa: S102 - our own code, generated from bound trees
    return scope


# What the frame itself names; expressions name their runtime functions.
_BUILTINS = {"Exception": Exception}
