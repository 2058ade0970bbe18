"""What policy documents become: four bound sections and what they do to bodies. It knows no compiler.

A document's section is compiled once; `bind` ties its `<base/>` to the next broader scope, when a route first
needs that combination. Sections are coroutines that mostly never suspend, so the gateway steps them inline.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from aforo.policy.exchange import Exchange
from aforo.policy.running import Site
from aforo.policy.services import ForwardOptions

Section = Callable[[Exchange], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Effects:
    """What a section, with all that its `<base/>` brings in, does to bodies. The response is a backend's answer, before
    it is sent: what on-error does to it does not count."""

    reads_request_body: bool = False
    writes_request_body: bool = False
    reads_response_body: bool = False
    writes_response_body: bool = False
    meters: bool = False  # somebody wants to know the tokens of the answer (`Exchange.meters`)
    holds_response: bool = False  # may refuse the answer, or end it, for what is in its body

    def __or__(self, other: Effects) -> Effects:
        return Effects(
            self.reads_request_body or other.reads_request_body,
            self.writes_request_body or other.writes_request_body,
            self.reads_response_body or other.reads_response_body,
            self.writes_response_body or other.writes_response_body,
            self.meters or other.meters,
            self.holds_response or other.holds_response,
        )

    @property
    def of_failure(self) -> Effects:
        """The same section as on-error, whose response is no answer of a backend's."""
        return replace(self, reads_response_body=False, writes_response_body=False, holds_response=False)


NO_EFFECTS = Effects()


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The sections of a call. A section that does nothing is None and costs nothing.

    `plain_forward` says that the backend section is nothing but one `forward-request` with these options:
    the gateway may then send without a coroutine. It is None when the section must be run. `plain_place` is where that
    policy stands, for what fails in it.

    `resumed` is what of outbound follows the policy that stores an answer in a cache, by family of caches
    (`FromCache.family`): that runs when the answer came from there.
    """

    inbound: Section | None = None
    backend: Section | None = None
    outbound: Section | None = None
    on_error: Section | None = None
    effects: Effects = NO_EFFECTS
    plain_forward: ForwardOptions | None = None
    # The `cors` policies in force, outermost scope last: preflights are answered from these alone.
    cors: tuple[Any, ...] = ()
    resumed: Mapping[str, Section | None] = field(default_factory=dict)
    # The secret named values that may stand in what goes wrong.
    secrets: Sequence[str] = field(default=(), repr=False)
    plain_place: Site | None = None


EMPTY = Pipeline()


class Document(Protocol):
    """A compiled policy document."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secret named values that it may refer to."""

    def bind(self, base: Pipeline) -> Pipeline:
        """The pipeline of this document over that of the next broader scope."""

    def traced(self) -> Document:
        """The variant that tells `Exchange.trace` what its policies do; compiled when it is first wanted."""
