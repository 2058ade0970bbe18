"""A compiled document, and what becomes of it over the pipeline of the next broader scope. It knows no compiler."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from aforo.policy.cors import CorsPolicy
from aforo.policy.exchange import Exchange, ResponseState, Returned
from aforo.policy.pipeline import NO_EFFECTS, Effects, Pipeline
from aforo.policy.pipeline import Section as Run
from aforo.policy.running import Site, answer
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
    stores: frozenset[str] = frozenset()
    place: Site | None = None  # of `plain`

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
    # Compiles what follows in outbound after the policy that stores in caches of a family, else after its `<base/>`.
    _rest: Callable[[str], SectionCode] = field(repr=False)
    _compile_traced: Callable[[], CompiledDocument] = field(repr=False)
    _secrets: tuple[str, ...] = field(default=(), repr=False)
    _rests: dict[str, SectionCode] = field(repr=False, default_factory=dict)
    _variants: list[CompiledDocument] = field(default_factory=list, repr=False, compare=False)

    def traced(self) -> CompiledDocument:
        """The variant whose policies tell `Exchange.trace` what they do; compiled when it is first wanted."""
        if not self._variants:
            self._variants.append(self._compile_traced())
        return self._variants[0]

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secret named values that it may refer to: a trace shows none of them."""
        return self._secrets

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
        place = base.plain_place if backend.only_base else backend.place
        cors: tuple[CorsPolicy, ...] = (*inbound.cors, *(base.cors if inbound.uses_base else ()))
        made = Pipeline(
            inbound.bind(base.inbound),
            backend.bind(base.backend),
            outbound.bind(base.outbound),
            on_error.bind(base.on_error),
            effects,
            plain,
            cors,
            self._resumed(base),
            base.secrets
            if base.secrets == self._secrets
            else tuple(dict.fromkeys((*base.secrets, *self._secrets))),
            place,
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
            resumed={family: _with_cors(rest, cors, last=True) for family, rest in made.resumed.items()},
        )

    def _resumed(self, base: Pipeline) -> dict[str, Run | None]:
        """See `Pipeline.resumed`. The narrowest document that stores in a family's caches is the one that counts."""
        outbound = self.section(Section.OUTBOUND)
        made: dict[str, Run | None] = {}
        for family in outbound.stores:
            made[family] = self._rest_after(family).bind(base.outbound)
        if outbound.uses_base:
            for family, rest in base.resumed.items():
                if family not in made:
                    code = outbound if outbound.only_base else self._rest_after(family)
                    made[family] = code.bind(rest)
        return made

    def _rest_after(self, family: str) -> SectionCode:
        """Compiled when a pipeline first needs it: hardly any document stores answers."""
        known = self._rests.get(family)
        if known is None:
            known = self._rests[family] = self._rest(family)
        return known

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
                decorate(x, policies, answer(x))
                raise
        if last:
            decorate(x, policies, answer(x))

    return run


def decorate(exchange: Exchange, policies: Sequence[CorsPolicy], response: ResponseState) -> None:
    """By the first policy that allows the caller's origin."""
    origin = exchange.request.headers.get(b"origin")
    if origin is None:
        return
    for policy in policies:
        if policy.allows(origin):
            policy.decorate(response.headers, origin)
            return
