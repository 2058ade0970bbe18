"""What the account refuses: paths and versions that are none, wrong bodies; engines that fail; clients that leave."""

import asyncio
import gzip
import json
from typing import Any

import pytest

from aforo.account.engines.engine import State
from aforo.account.engines.scripted import ScriptedEngine
from tests.support.accounts import CHAT, EMBED, HELLO, KEY, TEXT, Account, V, ask, lab_facts
from tests.support.asgi import call, run_call

# -- what is not there ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/openai/deployments/gpt-35-turbo/chat/completions"),
        ("POST", "/openai/deployments/gpt-35-turbo/chat/completions?api-version="),
        ("POST", "/openai/deployments/gpt-35-turbo/chat/completions?api-version=latest"),
        ("POST", "/openai/deployments/gpt-35-turbo/chat/completions?api-version=2024-13-01"),
        ("POST", "/openai/deployments/gpt-35-turbo/chat/completions?api-version=2021-01-01"),
        ("POST", f"/openai/deployments/gpt-35-turbo/images/generations?{V}"),
        ("POST", f"/openai/nothing?{V}"),
        ("GET", "/"),
        ("GET", "/openai/v1/responses"),
    ],
)
def test_paths_and_versions_that_are_none(method: str, target: str) -> None:
    answer = ask(Account(), target, method=method)
    assert (answer.status, answer.json()) == (
        404,
        {"error": {"code": "404", "message": "Resource not found"}},
    )


@pytest.mark.parametrize("version", ["2023-05-15", "2025-08-28", "2024-05-01-preview"])
def test_dated_versions(version: str) -> None:
    assert (
        ask(Account(), f"/openai/deployments/gpt-35-turbo/chat/completions?api-version={version}").status
        == 200
    )


def test_slashes_are_forgiven() -> None:
    assert (
        ask(Account(), f"//openai//deployments/gpt-35-turbo/completions?{V}", {"prompt": "x"}).status == 200
    )


def test_unknown_deployment() -> None:
    answer = ask(Account(), f"/openai/deployments/nope/chat/completions?{V}")
    assert answer.status == 404
    assert answer.json()["error"]["code"] == "DeploymentNotFound"
    assert answer.json()["error"]["message"].startswith(
        "The API deployment for this resource does not exist."
    )


def test_an_operation_that_the_model_has_not() -> None:
    error = ask(Account(), f"/openai/deployments/embed/chat/completions?{V}").json()["error"]
    assert error["code"] == "OperationNotSupported"
    assert (
        "The chatCompletion operation does not work with the specified model, text-embedding-ada-002."
        in error["message"]
    )
    assert ask(Account(), f"/openai/deployments/gpt-35-turbo/embeddings?{V}", {"input": "x"}).status == 400


def test_methods() -> None:
    answer = ask(Account(), CHAT, method="GET")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


# -- bodies --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "body", "param", "text"),
    [
        (CHAT, {}, "messages", "Missing required parameter"),
        (CHAT, {"messages": []}, "messages", "empty array"),
        (CHAT, {"messages": "x"}, "messages", "array of objects"),
        (CHAT, {"messages": ["x"]}, "messages[0]", "object"),
        (CHAT, {"messages": [{"role": "user"}]}, "messages[0].content", "got null"),
        (CHAT, {"messages": [{"role": "me", "content": "x"}]}, "messages[0].role", "Supported values"),
        (CHAT, {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0]", "text alone"),
        (CHAT, {**HELLO, "temperature": "hot"}, "temperature", "expected a decimal, but got a string"),
        (CHAT, {**HELLO, "temperature": 3}, "temperature", "<= 2"),
        (CHAT, {**HELLO, "n": 0}, "n", ">= 1"),
        (CHAT, {**HELLO, "n": 129}, "n", "<= 128"),
        (CHAT, {**HELLO, "n": True}, "n", "expected an integer, but got a boolean"),
        (CHAT, {**HELLO, "max_tokens": 1.5}, "max_tokens", "expected an integer"),
        (CHAT, {**HELLO, "stream": "yes"}, "stream", "expected a boolean"),
        (CHAT, {**HELLO, "stop": ["a"] * 5}, "stop", "at most 4"),
        (CHAT, {**HELLO, "stop": [1]}, "stop[0]", "expected a string"),
        (CHAT, {**HELLO, "stop": ""}, "stop", "empty"),
        (CHAT, {**HELLO, "stream_options": {"include_usage": True}}, "stream_options", "only allowed when"),
        (CHAT, {**HELLO, "tools": [{"type": "function"}]}, "tools", "does not call functions"),
        (CHAT, {**HELLO, "logprobs": True}, "logprobs", "log probabilities"),
        (CHAT, {**HELLO, "response_format": {"type": "json_object"}}, "response_format", "plain text"),
        (CHAT, {**HELLO, "logit_bias": {"1": 2}}, "logit_bias", "vocabulary"),
        (CHAT, {**HELLO, "data_sources": [1]}, "data_sources", "data_sources"),
        (TEXT, {"prompt": "x", "suffix": "y"}, "suffix", "insertion"),
        (TEXT, {"prompt": "x", "best_of": 3}, "best_of", "rank"),
        (TEXT, {"prompt": {"a": 1}}, "prompt", "expected a string"),
        (TEXT, {"prompt": ["x"] * 2, "n": 100}, "n", "128 choices"),
        (TEXT, {"prompt": [1, -2]}, "prompt", "token ids"),
        (TEXT, {"prompt": [1], "echo": True}, "echo", "token ids"),
        (EMBED, {}, "input", "Missing required parameter"),
        (EMBED, {"input": ""}, "input", "empty"),
        (EMBED, {"input": []}, "input", "expected a string"),
        (EMBED, {"input": ["x"] * 2049}, "input", "2048"),
        (EMBED, {"input": "x", "encoding_format": "hex"}, "encoding_format", "base64"),
    ],
)  # fmt: skip
def test_wrong_bodies_name_the_field(target: str, body: Any, param: str, text: str) -> None:
    answer = ask(Account(), target, body)
    error = answer.json()["error"]
    assert (answer.status, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert text in error["message"]


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff", b'"x"', b'{"a":"\\ud800"}'])
def test_bodies_that_are_no_object(body: bytes) -> None:
    answer = run_call(Account().app, "POST", CHAT, headers={"api-key": KEY}, body=body)
    assert (answer.status, answer.json()["error"]["type"]) == (400, "invalid_request_error")


def test_a_body_that_is_too_large() -> None:
    body = b'{"messages":"' + b"x" * (16 * 1024 * 1024) + b'"}'
    assert run_call(Account().app, "POST", CHAT, headers={"api-key": KEY}, body=body).status == 413


def test_unknown_arguments_are_refused_as_openai_does() -> None:
    error = ask(Account(), body={**HELLO, "frobnicate": 1}).json()["error"]
    assert error["message"] == "Unrecognized request argument supplied: frobnicate"
    old = "/openai/deployments/gpt-35-turbo/chat/completions?api-version=2023-05-15"
    body = {**HELLO, "stream": True, "stream_options": {"include_usage": True}}
    assert "stream_options" in ask(Account(), old, body).json()["error"]["message"]
    # Absent and null are the same: LangChain sends a null model, Azure's sample a null stop.
    assert ask(Account(), body={**HELLO, "model": None, "stop": None, "frobnicate": None}).status == 200


# -- trouble -------------------------------------------------------------------------------------------


def test_failures_of_the_script() -> None:
    failure = {"status": 429, "calls": [2], "retry_after_s": 0.4, "message": "slow down"}
    account = Account(lab_facts(script={"failures": [failure]}))
    assert [ask(account).status for _ in range(3)] == [200, 429, 200]
    account = Account(lab_facts(script={"failures": [failure]}))
    ask(account)
    answer = ask(account, body={**HELLO, "stream": True})
    assert (answer.status, answer.headers["retry-after"], answer.headers["retry-after-ms"]) == (
        429,
        "1",
        "400",
    )
    assert answer.json()["error"] == {"code": "429", "message": "slow down"}


def test_a_stream_that_breaks() -> None:
    script = {
        "text": "a b c d",
        "failures": [{"status": 500, "every": 1, "after_tokens": 2, "message": "boom"}],
    }
    account = Account(lab_facts(script=script))
    answer = ask(account, body={**HELLO, "stream": True})
    assert answer.status == 200
    *_, last = answer.body.decode().strip().split("\n\n")
    assert json.loads(last.removeprefix("data: "))["error"]["message"] == "boom"
    assert account.rows.rows()[-1]["ResultSignature"] == "500"
    assert ask(account).status == 500
    script["failures"][0]["hang_up"] = True  # type: ignore[index]
    broken = ask(Account(lab_facts(script=script)), body={**HELLO, "stream": True})
    assert b"[DONE]" not in broken.body
    assert b"error" not in broken.body


def test_an_engine_that_loads() -> None:
    class Loading(ScriptedEngine):
        def state(self) -> State:
            return State(False, "The sample model is loading.", 2)

    answer = run_call(Account(engine=Loading()).app, "GET", "/readyz")
    assert answer.json()["engine"] == {
        "name": "scripted",
        "ready": False,
        "note": "The sample model is loading.",
    }


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("n", [1, 3])
def test_bugs_get_an_id(stream: bool, n: int, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(ScriptedEngine):
        async def generate(self, job: Any) -> Any:
            raise RuntimeError("secret prompt text")
            yield

    answer = ask(Account(engine=Broken()), body={**HELLO, "stream": stream, "n": n})
    assert answer.status == 500
    message = answer.json()["error"]["message"]
    assert "secret" not in message
    assert message.rsplit(" ", 1)[1].rstrip(".") in caplog.text


def test_a_client_that_leaves_stops_the_engine() -> None:
    async def story(stream: bool, n: int) -> None:
        stopped = asyncio.Event()
        asleep = asyncio.Event()

        async def sleep(seconds: float) -> None:
            asleep.set()
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                stopped.set()
                raise

        account = Account(
            lab_facts(script={"latency_ms": 0, "tokens_per_second": 1}), engine=ScriptedEngine(sleep=sleep)
        )
        gone = {"left": False}
        task = asyncio.ensure_future(
            call(account.app, "POST", CHAT, headers={"api-key": KEY}, body={**HELLO, "stream": stream, "n": n}, leave=lambda a: gone["left"] or bool(a.chunks))
        )  # fmt: skip
        await asyncio.wait_for(asleep.wait(), 5)
        if not stream:
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.wait_for(stopped.wait(), 5)
        if stream:
            (row,) = account.rows.rows()
            assert row["ResultSignature"] == "499"

    for stream in (True, False):
        for n in (1, 2):
            asyncio.run(story(stream, n))


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP", "identity"])
def test_a_body_with_gzip_is_read(coding: str) -> None:
    data = json.dumps(HELLO).encode()
    body = data if coding == "identity" else gzip.compress(data)
    headers = {"api-key": KEY, "content-encoding": coding}
    assert run_call(Account().app, "POST", CHAT, headers=headers, body=body).status == 200


@pytest.mark.parametrize(
    ("coding", "body", "status", "says"),
    [
        ("br", b"x", 415, "Content-Encoding 'br' is not supported"),
        ("gzip, gzip", b"x", 415, "Content-Encoding 'gzip, gzip' is not supported"),
        ("gzip", b"{}", 400, "is not gzip"),
        ("gzip", gzip.compress(json.dumps(HELLO).encode(), mtime=0)[:-9], 400, "is not gzip"),
        ("gzip", gzip.compress(bytes(17 * 1024 * 1024), mtime=0), 413, "larger than"),
    ],
)
def test_a_coding_that_cannot_be_undone_is_named(coding: str, body: bytes, status: int, says: str) -> None:
    headers = {"api-key": KEY, "content-encoding": coding}
    answer = run_call(Account().app, "POST", CHAT, headers=headers, body=body)
    assert answer.status == status
    assert says in answer.json()["error"]["message"]
    assert answer.headers.get("accept-encoding") == ("gzip, identity" if status == 415 else None)


# -- no account of ours --------------------------------------------------------------------------------


class _Telling(ScriptedEngine):
    """Tells when it was started."""

    def __init__(self) -> None:
        super().__init__()
        self.started = asyncio.Event()

    async def start(self) -> None:
        assert not self.started.is_set()
        self.started.set()


def test_where_no_account_is_served_nothing_is_there_and_no_model_is_loaded() -> None:
    """Accounts of the configuration that stand elsewhere are not answered for."""
    none = lab_facts(resource_id="", deployments=(), key_hashes=(), roles=(), workspaces={})
    account = Account(none, engine=_Telling())
    for target in (CHAT, "/openai/v1/chat/completions", f"/openai/models?{V}", "/"):
        answer = ask(account, target)
        assert answer.status == 404
        assert "No account is served here" in answer.json()["error"]["message"]
    assert ask(account, "/readyz", method="GET").json() == {"ready": True, "account": None}
    assert account.rows.records == []

    async def lives() -> None:
        told: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        said: asyncio.Queue[Any] = asyncio.Queue()
        running = asyncio.ensure_future(account.app({"type": "lifespan", "asgi": {}}, told.get, said.put))
        await told.put({"type": "lifespan.startup"})
        assert (await said.get())["type"] == "lifespan.startup.complete"
        assert not account.engine.started.is_set()
        account.facts.facts = lab_facts()
        async with asyncio.timeout(5):
            await account.engine.started.wait()
        await told.put({"type": "lifespan.shutdown"})
        await running

    asyncio.run(lives())
    assert ask(account).status == 200
