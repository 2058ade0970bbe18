"""An engine that plays a script: latencies, lengths, streams, failures; for tests, benchmarks and demonstrations.

Everything it does follows from the script, the prompt and the count of calls, never from chance of its own: the
same story twice is the same story. It knows no model and makes no sense.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import random
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import msgspec

from aforo.account.engines.engine import (
    READY,
    EmbedJob,
    End,
    Event,
    Job,
    Message,
    Piece,
    State,
    Trouble,
    Vectors,
)
from aforo.errors import Invalid

_WORDS = (  # noqa: SIM905 - a word list reads better as text
    "gate call flow model token answer prompt measure limit route record query table stream column reason "
    "window budget caller backend policy header body span signal trace ledger batch shard region quota key "
    "value event field index group member scope rule draft store cache queue worker packet frame socket"
).split()
_BYTES_PER_TOKEN = 4


class Failure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A call that goes wrong: the numbered ones (`calls`, from 1), each n-th (`every`), or a share of them.

    `after_tokens` None fails before the answer begins; a number breaks it off after so many tokens, with an
    error event in a stream (`hang_up`: without a word, the connection just ends).
    """

    status: int = 500
    calls: tuple[int, ...] = ()
    every: int | None = None
    probability: float = 0.0
    code: str | None = None
    message: str = "The server had an error processing your request."
    retry_after_s: float | None = None
    after_tokens: int | None = None
    hang_up: bool = False

    def hits(self, call: int, chance: random.Random) -> bool:
        """Whether it strikes the call of that number."""
        # The number is drawn in any case, so that one rule's settings do not shift another's chances.
        drawn = chance.random()
        return (
            call in self.calls
            or (self.every is not None and call % self.every == 0)
            or drawn < self.probability
        )


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a deployment behaves. A pair of numbers is a range from which each call draws.

    `latency_ms` passes before the first token, then `tokens_per_second` (0: all at once) sets the pace.
    `tokens` is the length of an answer where the caller allows it; `text` is an answer given word for word.
    """

    seed: int = 0
    latency_ms: float | tuple[float, float] = 0.0
    tokens_per_second: float = 0.0
    tokens: int | tuple[int, int] = 16
    text: str | None = None
    finish: str = "stop"
    dimensions: int = 1536
    failures: tuple[Failure, ...] = ()


def read_script(data: dict[str, Any] | None) -> Script:
    """The script of that JSON object; `Invalid` names the field that is wrong."""
    try:
        return msgspec.convert(data or {}, Script)
    except msgspec.ValidationError as error:
        raise Invalid(f"the script of the scripted engine: {error}", code="InvalidScript") from error


class ScriptedEngine:
    """Plays `deployment.script`, or `default` where a deployment has none. `note` says why it is here."""

    name = "scripted"
    fingerprint = "fp_aforo_scripted"
    parallel = 128

    def __init__(
        self,
        default: Script | None = None,
        *,
        note: str = "A scripted engine: its texts are made up from a word list and mean nothing.",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.note = note
        self._default = default or Script()
        self._sleep = sleep
        self._calls: Counter[str] = Counter()
        self._scripts: dict[str, tuple[object, Script]] = {}

    def state(self) -> State:
        return READY

    async def start(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to let go."""

    async def generate(self, job: Job) -> AsyncGenerator[Event, None]:
        script, failure, chance = self._begin(job.deployment.id, job.deployment.script)
        await self._wait(_draw(script.latency_ms, chance) / 1000)
        if failure is not None and failure.after_tokens is None:
            yield _trouble(failure)
            return
        wanted = _tokens_of(script, job, chance)
        allowed = job.sampling.max_tokens
        limit = len(wanted) if allowed is None else min(len(wanted), allowed)
        stops = _Stops(job.sampling.stop)
        for sent, token in enumerate(wanted[:limit]):
            if failure is not None and sent == failure.after_tokens:
                yield _trouble(failure)
                return
            if script.tokens_per_second and sent:
                await self._wait(1 / script.tokens_per_second)
            yield Piece(stops.feed(token))
            if stops.met:
                yield End("stop", count_tokens(job.prompt), sent + 1)
                return
        if stops.held:
            yield Piece(stops.held, 0)
        reason = script.finish if limit == len(wanted) else "length"
        yield End(reason, count_tokens(job.prompt), limit)

    async def embed(self, job: EmbedJob) -> Vectors | Trouble:
        script, failure, chance = self._begin(job.deployment.id, job.deployment.script)
        await self._wait(_draw(script.latency_ms, chance) / 1000)
        if failure is not None:
            return _trouble(failure)
        size = job.dimensions or script.dimensions
        vectors = tuple(_vector(script.seed, item, size) for item in job.inputs)
        return Vectors(vectors, sum(count_tokens(item) for item in job.inputs))

    def _begin(
        self, deployment: str, data: dict[str, Any] | None
    ) -> tuple[Script, Failure | None, random.Random]:
        known = self._scripts.get(deployment)
        if known is None or known[0] is not data:
            script = self._default if data is None else read_script(data)
            self._scripts[deployment] = (data, script)
        else:
            script = known[1]
        self._calls[deployment] += 1
        call = self._calls[deployment]
        chance = random.Random(f"{script.seed}/{deployment}/{call}")  # noqa: S311 - a story, not a secret
        struck = [failure for failure in script.failures if failure.hits(call, chance)]
        return script, (struck[0] if struck else None), chance

    async def _wait(self, seconds: float) -> None:
        if seconds > 0:
            await self._sleep(seconds)


def count_tokens(prompt: tuple[Message, ...] | str | tuple[int, ...]) -> int:
    """Tokens by the scripted engine's measure: four bytes each, as a rule of thumb has it; ids count one each."""
    if isinstance(prompt, str):
        return max(1, math.ceil(len(prompt.encode("utf-8", "surrogatepass")) / _BYTES_PER_TOKEN))
    total = 0
    for item in prompt:
        total += count_tokens(item.content) + 4 if isinstance(item, Message) else 1
    return total


class _Stops:
    """Holds back text that may be the beginning of a stop sequence; `met` when one was complete."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = stops
        self.held = ""
        self.met = False

    def feed(self, text: str) -> str:
        if not self._stops:
            return text
        text = self.held + text
        found = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            self.held, self.met = "", True
            return text[: min(found)]
        keep = max(_overlap(text, stop) for stop in self._stops)
        self.held = text[len(text) - keep :]
        return text[: len(text) - keep]


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of the text are the beginning of the stop sequence."""
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if stop.startswith(text[-n:])), 0)


def _tokens_of(script: Script, job: Job, chance: random.Random) -> list[str]:
    if script.text is not None:
        words = script.text.split(" ")
        return [words[0], *(f" {word}" for word in words[1:])]
    # The seed that a caller gives is part of the story; without one, calls of the same prompt are told apart
    # only by what the script draws.
    story = random.Random(f"{script.seed}/{job.sampling.seed}/{_digest(job.prompt)}")  # noqa: S311
    length = round(_draw(script.tokens, chance))
    words = [story.choice(_WORDS) for _ in range(length)]
    return [word if i == 0 else f" {word}" for i, word in enumerate(words)]


def _digest(prompt: tuple[Message, ...] | str | tuple[int, ...]) -> str:
    if isinstance(prompt, str):
        text = prompt
    else:
        text = repr([(m.role, m.content) if isinstance(m, Message) else m for m in prompt])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _vector(seed: int, item: str | tuple[int, ...], size: int) -> tuple[float, ...]:
    chance = random.Random(f"{seed}/{_digest(item)}")  # noqa: S311
    raw = [chance.gauss(0.0, 1.0) for _ in range(size)]
    norm = math.sqrt(sum(x * x for x in raw)) or 1.0
    return tuple(x / norm for x in raw)


def _draw(value: float | tuple[float, float], chance: random.Random) -> float:
    return chance.uniform(*value) if isinstance(value, tuple) else value


def _trouble(failure: Failure) -> Trouble:
    return Trouble(
        failure.status,
        failure.message,
        failure.code or str(failure.status),
        retry_after_s=failure.retry_after_s,
        hang_up=failure.hang_up,
    )
