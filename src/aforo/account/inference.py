"""An admitted request becomes an answer: pieces from the engine, as one body or as a stream. Stops when the
client leaves. It knows nothing of keys and paths.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from aforo.account.answers import DONE, Wording, embeddings_body, event, usage_of
from aforo.account.call import CLIENT_LEFT, Call
from aforo.account.engines.engine import EmbedJob, End, Engine, Event, Job, Piece, Trouble
from aforo.account.faults import Fault, bug, from_trouble
from aforo.account.quota import Quota
from aforo.account.requests import Embedding, Generation

log = logging.getLogger("aforo.account")

Numbered = tuple[int, Event]


class InferenceReply(Response):
    """The answer to a generation or an embedding. The engine works only while this is being sent."""

    def __init__(self, call: Call, engine: Engine, asked: Generation | Embedding, quota: Quota) -> None:
        super().__init__()
        self._call = call
        self._engine = engine
        self._asked = asked
        self._quota = quota
        self._started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        asked = self._asked
        work = self._embed(asked, send) if isinstance(asked, Embedding) else self._generate(asked, send)
        try:
            if not await _unless_gone(work, receive):
                self._call.finish(CLIENT_LEFT)
        except Exception as error:
            bug_id = uuid.uuid4().hex
            log.error("bug %s in %s", bug_id, self._call.operation.name, exc_info=error)
            if self._started:
                self._call.finish(500)
                raise
            await self._send_fault(bug(bug_id), send)
        finally:
            spent = self._call.spent
            if self._call.deployment is not None:
                self._quota.spend(self._call.deployment, spent.prompt_tokens + spent.completion_tokens)

    async def _embed(self, asked: Embedding, send: Send) -> None:
        call, deployment = self._call, self._call.deployment
        assert deployment is not None
        found = await self._engine.embed(EmbedJob(deployment, asked.inputs, asked.dimensions, asked.query))
        if isinstance(found, Trouble):
            await self._send_trouble(found, send)
            return
        call.saw_tokens(0)
        call.saw_usage(found.tokens, 0)
        await self._send_json(200, embeddings_body(deployment, found, as_base64=asked.base64), {}, send)

    async def _generate(self, asked: Generation, send: Send) -> None:
        deployment = self._call.deployment
        assert deployment is not None
        wording = Wording(deployment, self._engine, chat=asked.chat, usage_in_stream=asked.include_usage)
        jobs = _jobs(asked, self._call)
        async with aclosing(_merged(self._engine, jobs)) as events:
            if asked.stream:
                await self._stream(asked, wording, events, len(jobs), send)
            else:
                await self._whole(asked, wording, events, len(jobs), send)

    async def _whole(
        self,
        asked: Generation,
        wording: Wording,
        events: AsyncGenerator[Numbered, None],
        choices: int,
        send: Send,
    ) -> None:
        texts = [[_echo(asked, i)] for i in range(choices)]
        ends: dict[int, End] = {}
        async for index, item in events:
            match item:
                case Piece():
                    self._call.saw_tokens(item.tokens)
                    texts[index].append(item.text)
                case End():
                    ends[index] = item
                case Trouble():
                    await self._send_trouble(item, send)
                    return
        in_order = [ends[i] for i in range(choices)]
        body = wording.body(["".join(parts) for parts in texts], in_order, len(asked.prompts))
        self._saw(body["usage"])
        await self._send_json(200, body, {}, send)

    async def _stream(
        self,
        asked: Generation,
        wording: Wording,
        events: AsyncGenerator[Numbered, None],
        choices: int,
        send: Send,
    ) -> None:
        ends: dict[int, End] = {}
        prompts = len(asked.prompts)
        async for index, item in events:
            # The head waits for the first event: what goes wrong before it still has a status of its own.
            if not self._started:
                if isinstance(item, Trouble):
                    await self._send_trouble(item, send)
                    return
                await self._start(200, {"content-type": "text/event-stream"}, send)
                opening = wording.opening(choices, prompts)
                opening += b"".join(
                    wording.piece(i, text) for i in range(choices) if (text := _echo(asked, i))
                )
                await self._send(opening, send)
            match item:
                case Piece():
                    self._call.saw_tokens(item.tokens)
                    if item.text:
                        await self._send(wording.piece(index, item.text), send)
                case End():
                    ends[index] = item
                    await self._send(wording.finish(index, item.reason), send)
                case Trouble():
                    await self._break_off(item, send)
                    return
        in_order = [ends[i] for i in range(choices)]
        self._saw(usage_of(in_order, prompts))
        last = wording.usage(in_order, prompts) + DONE
        self._call.response_bytes += len(last)
        self._call.finish(200)
        await send({"type": "http.response.body", "body": last, "more_body": False})

    async def _break_off(self, trouble: Trouble, send: Send) -> None:
        """A stream that fails in the middle: an error event and its end, or no end at all (`hang_up`)."""
        self._call.finish(trouble.status)
        if not trouble.hang_up:
            last = event(from_trouble(trouble).body)
            await send({"type": "http.response.body", "body": last, "more_body": False})

    async def _send_trouble(self, trouble: Trouble, send: Send) -> None:
        if not trouble.hang_up:
            await self._send_fault(from_trouble(trouble), send)
            return
        # A promised body that never comes: the server has to end the connection.
        self._call.finish(trouble.status)
        await self._start(200, {"content-type": "application/json", "content-length": "2"}, send)

    async def _send_fault(self, fault: Fault, send: Send) -> None:
        await self._send_json(fault.status, fault.body, fault.headers, send)

    async def _send_json(
        self, status: int, body: dict[str, Any], headers: dict[str, str], send: Send
    ) -> None:
        data = orjson.dumps(body) + b"\n"
        self._call.response_bytes = len(data)
        self._call.finish(status)
        head = {"content-type": "application/json", "content-length": str(len(data)), **headers}
        await self._start(status, head, send)
        await send({"type": "http.response.body", "body": data, "more_body": False})

    async def _start(self, status: int, headers: dict[str, str], send: Send) -> None:
        self._started = True
        fields = {**self._call.headers(self._engine), **headers}
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})

    async def _send(self, data: bytes, send: Send) -> None:
        self._call.response_bytes += len(data)
        await send({"type": "http.response.body", "body": data, "more_body": True})

    def _saw(self, usage: dict[str, int]) -> None:
        self._call.saw_usage(usage["prompt_tokens"], usage["completion_tokens"])


def _jobs(asked: Generation, call: Call) -> list[Job]:
    """One job per choice: all of the first prompt, then all of the second, as OpenAI numbers them."""
    assert call.deployment is not None
    jobs = []
    for prompt in asked.prompts:
        for i in range(asked.n):
            seed = asked.sampling.seed
            # One seed must not make n equal choices.
            sampling = asked.sampling if seed is None or i == 0 else replace(asked.sampling, seed=seed + i)
            jobs.append(Job(call.deployment, prompt, sampling))
    return jobs


def _echo(asked: Generation, index: int) -> str:
    prompt = asked.prompts[index // asked.n]
    return prompt if asked.echo and isinstance(prompt, str) else ""


async def _merged(engine: Engine, jobs: list[Job]) -> AsyncGenerator[Numbered, None]:
    """The events of all jobs as they come, numbered by choice. Ends with all of them, or with the first trouble."""
    if len(jobs) == 1:
        async with aclosing(engine.generate(jobs[0])) as alone:
            async for only in alone:
                yield 0, only
        return
    queue: asyncio.Queue[tuple[int, Event | Exception]] = asyncio.Queue(64)
    slots = asyncio.Semaphore(engine.parallel)

    async def pump(index: int, job: Job) -> None:
        try:
            async with slots, aclosing(engine.generate(job)) as one:
                async for made in one:
                    await queue.put((index, made))
        except Exception as error:  # noqa: BLE001 - a bug of an engine, raised below in the call's own task
            await queue.put((index, error))

    tasks = [asyncio.ensure_future(pump(i, job)) for i, job in enumerate(jobs)]
    try:
        running = len(jobs)
        while running:
            index, got = await queue.get()
            if isinstance(got, Exception):
                raise got
            item: Event = got
            running -= not isinstance(item, Piece)
            yield index, item
            if isinstance(item, Trouble):
                return
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _unless_gone(work: Coroutine[Any, Any, None], receive: Receive) -> bool:
    """Do the work; False when the client went away first (the work is cancelled then)."""
    doing = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait((doing, leaving), return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            doing.result()
            return True
        return False
    finally:
        leaving.cancel()
        doing.cancel()
        await asyncio.gather(doing, leaving, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
