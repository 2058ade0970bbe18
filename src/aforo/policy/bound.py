"""A compiled document, and what becomes of it over the pipeline of the next broader scope. It knows no compiler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from aforo.policy.cors import CorsPolicy
from aforo.policy.exchange import Exchange, ResponseState, Returned
from aforo.policy.pipeline import NO_EFFECTS, Effects, Pipeline
from aforo.policy.pipeline import Section as Run
from aforo.policy.running import answer
from aforo.policy.scopes import Scope, Section
from aforo.policy.services import ForwardOptions

Factory = Callable[[Run | None], Run]


@dataclass(frozen=True, slots=True)
class SectionCode:
    """One section of a document: what it does, and the factory of its function. `only_base` and `empty` ones have
    no code of their own; `plain` are the options of a lone forward-request."""

    make: Factory | None
    uses_base: bool
    only_base: bool
    empty: bool
    effects: Effects
    cors: tuple[CorsPolicy, ...]
    plain: ForwardOptions | None

    def with_code(self, make: Factory) -> SectionCode:
        return replace(self, make=make)

    def bind(self, base: Run | None) -> Run | None:
        if self.only_base:
            return base
        return None if self.make is None else self.make(base)


# A section that a document does not have means `<base/>`.
ABSENT = SectionCode(None, True, True, False, NO_EFFECTS, (), None)


@dataclass(frozen=True, slots=True)
class CompiledDocument:
    """Satisfies `pipeline.Document`."""

    scope: Scope
    sections: Mapping[Section, SectionCode]
    _listing: Callable[[], str] = field(repr=False)

    def section(self, section: Section) -> SectionCode:
        return self.sections.get(section, ABSENT)

    @property
    def effects(self) -> Effects:
        """Of this document alone."""
        out = NO_EFFECTS
        for each in self.sections.values():
            out |= each.effects
        return out

    def bind(self, base: Pipeline) -> Pipeline:
        """This document over the pipeline of the next broader scope."""
        inbound, backend, outbound, on_error = (self.section(s) for s in Section)
        effects = self.effects
        if any(s.uses_base for s in (inbound, backend, outbound, on_error)):
            effects |= base.effects
        plain = base.plain_forward if backend.only_base else backend.plain
        cors: tuple[CorsPolicy, ...] = (*inbound.cors, *(base.cors if inbound.uses_base else ()))
        made = Pipeline(
            inbound.bind(base.inbound),
            backend.bind(base.backend),
            outbound.bind(base.outbound),
            on_error.bind(base.on_error),
            effects,
            plain,
            cors,
        )
        if not cors or (
            cors == base.cors and made.outbound is base.outbound and made.on_error is base.on_error
        ):
            return made
        return replace(
            made,
            inbound=_with_cors(made.inbound, cors, last=False),
            backend=_with_cors(made.backend, cors, last=False),
            outbound=_with_cors(made.outbound, cors, last=True),
            on_error=_with_cors(made.on_error, cors, last=True),
        )

    def python(self) -> str:
        """The generated Python beside the lines of the XML; secrets are names, never values."""
        return self._listing()


def _with_cors(section: Run | None, policies: tuple[CorsPolicy, ...], *, last: bool) -> Run | None:
    """A section whose answers carry CORS headers: the last one always, an earlier one where it ends the call."""
    if section is None and not last:
        return None

    async def run(x: Exchange) -> None:
        if section is not None:
            try:
                await section(x)
            except Returned:
                _decorate(x, policies, answer(x))
                raise
        if last:
            _decorate(x, policies, answer(x))

    return run


def _decorate(exchange: Exchange, policies: tuple[CorsPolicy, ...], response: ResponseState) -> None:
    """By the first policy that allows the caller's origin."""
    origin = exchange.request.headers.get(b"origin")
    if origin is None:
        return
    for policy in policies:
        if policy.allows(origin):
            policy.decorate(response.headers, origin)
            return
