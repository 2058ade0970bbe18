"""What the local account needs from a model: text piece by piece, vectors, and word of how it is. A port.

It knows nothing of HTTP. What goes wrong for a caller is a value (`Trouble`), since the account answers it in
Azure's form; anything raised is a bug.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from aforo.model.account_facts import DeploymentFacts


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat; content is plain text."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to choose tokens. None means the model's own default; `max_tokens` None means up to its context."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """One text to generate: the answer to a chat, or what follows a prompt (text, or token ids)."""

    deployment: DeploymentFacts
    prompt: tuple[Message, ...] | str | tuple[int, ...]
    sampling: Sampling = Sampling()


@dataclass(frozen=True, slots=True)
class EmbedJob:
    """Texts (or token ids) to turn into vectors. `dimensions` None means the model's own."""

    deployment: DeploymentFacts
    inputs: tuple[str | tuple[int, ...], ...]
    dimensions: int | None = None
    query: bool = False  # a search query rather than a passage to be found


@dataclass(frozen=True, slots=True)
class Piece:
    """Some more text; `tokens` is how many it stands for (a token can be half a character: 0 text, 1 token)."""

    text: str
    tokens: int = 1


@dataclass(frozen=True, slots=True)
class End:
    """The text is complete: `reason` is `stop`, `length` or `content_filter`."""

    reason: str
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a caller gets instead of (more) text. `hang_up` means that the connection just ends.

    `status` is HTTP's, `code` and `param` stand in the error's body.
    """

    status: int
    message: str
    code: str | None = None
    kind: str | None = None
    param: str | None = None
    retry_after_s: float | None = None
    hang_up: bool = False


Event = Piece | End | Trouble


@dataclass(frozen=True, slots=True)
class Vectors:
    """One float vector per input, and how many tokens were read."""

    vectors: tuple[tuple[float, ...], ...]
    tokens: int


@dataclass(frozen=True, slots=True)
class State:
    """How the engine is: `ready`, or not and why (`note`), with the seconds after which to ask again."""

    ready: bool
    note: str = ""
    retry_after_s: float = 1.0


READY = State(True)


class Engine(Protocol):
    """A model, or what plays one. Started and closed with the account."""

    @property
    def name(self) -> str:
        """What it really is, for the header `x-aforo-engine`."""

    @property
    def fingerprint(self) -> str:
        """`system_fingerprint` of answers."""

    @property
    def note(self) -> str:
        """One sentence for people: what it is and is not."""

    @property
    def parallel(self) -> int:
        """How many texts of one call it may be asked for at a time."""

    def state(self) -> State: ...

    async def start(self) -> None:
        """Begin to load; returns at once."""

    async def close(self) -> None: ...

    def generate(self, job: Job) -> AsyncGenerator[Event, None]:
        """Pieces, then one End; or one Trouble as the last event. Closing the generator stops the work."""

    async def embed(self, job: EmbedJob) -> Vectors | Trouble: ...
