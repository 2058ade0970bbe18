"""The account answers as Azure does: paths, keys, tokens, deployments, bodies, streams, and what it writes down."""

import asyncio
import base64
import json
import struct
from typing import Any

import pytest

from aforo.account.engines.engine import State
from aforo.account.engines.scripted import ScriptedEngine
from tests.support.accounts import ALLOWED, KEY, SECOND_KEY, STRANGER, WORKSPACE, Account, lab_facts, token
from tests.support.asgi import Answer, call, run_call

V = "api-version=2024-10-21"
CHAT = f"/openai/deployments/gpt-35-turbo/chat/completions?{V}"
TEXT = f"/openai/deployments/gpt-35-turbo/completions?{V}"
EMBED = f"/openai/deployments/embed/embeddings?{V}"
HELLO: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Hello! What does an API Management Service do?"}]
}


def ask(
    account: Account, target: str = CHAT, body: Any = None, method: str = "POST", **options: Any
) -> Answer:
    headers = {"api-key": KEY, **options.pop("headers", {})}
    headers = {name: value for name, value in headers.items() if value}
    return run_call(
        account.app, method, target, headers=headers, body=HELLO if body is None else body, **options
    )


def events(answer: Answer) -> list[dict[str, Any]]:
    lines = answer.body.decode().split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]


# -- a plain answer ------------------------------------------------------------------------------------


def test_chat_in_azures_form() -> None:
    answer = ask(Account(lab_facts(script={"text": "It is a gate.", "seed": 1})))
    assert answer.status == 200
    assert answer.body.endswith(b"}\n")
    body = answer.json()
    assert body["model"] == "gpt-35-turbo"
    assert body["object"] == "chat.completion"
    assert body["id"].startswith("chatcmpl-")
    assert body["system_fingerprint"] == "fp_aforo_scripted"
    (choice,) = body["choices"]
    assert choice["message"] == {"role": "assistant", "content": "It is a gate.", "refusal": None}
    assert (choice["finish_reason"], choice["index"], choice["logprobs"]) == ("stop", 0, None)
    assert choice["content_filter_results"]["hate"] == {"filtered": False, "severity": "safe"}
    assert body["prompt_filter_results"][0]["prompt_index"] == 0
    usage = body["usage"]
    assert usage == {"completion_tokens": 4, "prompt_tokens": 16, "total_tokens": 20}
    assert answer.headers["apim-request-id"] == answer.headers["x-ms-client-request-id"]
    assert answer.headers["x-ms-region"] == "East US"
    assert answer.headers["x-aforo-engine"] == "scripted"
    assert answer.headers["content-length"] == str(len(answer.body))


def test_the_clients_request_id_is_echoed_when_it_may_stand_in_a_header() -> None:
    account = Account()
    assert (
        ask(account, headers={"x-ms-client-request-id": "my-id.1"}).headers["x-ms-client-request-id"]
        == "my-id.1"
    )
    assert ask(account, headers={"x-ms-client-request-id": "a b"}).headers["x-ms-client-request-id"] != "a b"


def test_completions_with_lists_n_and_echo() -> None:
    account = Account(lab_facts(script={"tokens": 3}))
    body = ask(
        account, TEXT, {"prompt": ["One", "Two"], "n": 2, "echo": True, "max_tokens": 2, "seed": 7}
    ).json()
    assert body["object"] == "text_completion"
    assert [c["index"] for c in body["choices"]] == [0, 1, 2, 3]
    starts = [c["text"][:3] for c in body["choices"]]
    assert starts == ["One", "One", "Two", "Two"]
    assert body["choices"][0]["text"] != body["choices"][1]["text"]
    assert {c["finish_reason"] for c in body["choices"]} == {"length"}
    # Each prompt counts once, each choice for itself.
    assert body["usage"] == {"completion_tokens": 8, "prompt_tokens": 2, "total_tokens": 10}


def test_completions_take_token_ids_and_nothing() -> None:
    account = Account()
    for prompt in ([1, 2, 3], [[1, 2], [3]], "", None, ["a"]):
        assert ask(account, TEXT, {"prompt": prompt}).status == 200


def test_stop_and_length() -> None:
    account = Account(lab_facts(script={"text": "one two three four"}))
    first = ask(account, body={**HELLO, "stop": ["thr", "zzz"]}).json()["choices"][0]
    assert (first["message"]["content"], first["finish_reason"]) == ("one two ", "stop")
    second = ask(account, body={**HELLO, "max_tokens": 2}).json()["choices"][0]
    assert (second["message"]["content"], second["finish_reason"]) == ("one two", "length")
    third = ask(account, body={**HELLO, "max_completion_tokens": 3, "stop": "two x"}).json()["choices"][0]
    assert (third["message"]["content"], third["finish_reason"]) == ("one two three", "length")


def test_embeddings_float_and_base64() -> None:
    account = Account()
    plain = ask(account, EMBED, {"input": ["a", "b"]}).json()
    assert plain["model"] == "text-embedding-ada-002"
    assert [d["index"] for d in plain["data"]] == [0, 1]
    assert len(plain["data"][0]["embedding"]) == 8
    packed = ask(account, EMBED, {"input": "b", "encoding_format": "base64"}).json()["data"][0]["embedding"]
    assert list(struct.unpack("<8f", base64.b64decode(packed))) == pytest.approx(
        plain["data"][1]["embedding"]
    )
    assert ask(account, EMBED, {"input": [[5, 6, 7]]}).json()["usage"] == {
        "prompt_tokens": 3,
        "total_tokens": 3,
    }


# -- streams -------------------------------------------------------------------------------------------


def test_stream_in_azures_form() -> None:
    account = Account(lab_facts(script={"text": "It is a gate."}))
    answer = ask(account, body={**HELLO, "stream": True, "stream_options": {"include_usage": True}})
    assert answer.headers["content-type"] == "text/event-stream"
    first, role, *pieces, finish, usage = events(answer)
    assert (first["choices"], first["id"], first["object"]) == ([], "", "")
    assert first["prompt_filter_results"][0]["content_filter_results"]["sexual"]["severity"] == "safe"
    assert role["choices"][0]["delta"] == {"content": "", "refusal": None, "role": "assistant"}
    assert "".join(p["choices"][0]["delta"]["content"] for p in pieces) == "It is a gate."
    assert (finish["choices"][0]["delta"], finish["choices"][0]["finish_reason"]) == ({}, "stop")
    assert usage["choices"] == []
    assert usage["usage"] == {"completion_tokens": 4, "prompt_tokens": 16, "total_tokens": 20}
    assert all(chunk["usage"] is None for chunk in (first, role, *pieces, finish))
    assert len({chunk["id"] for chunk in (role, *pieces, finish, usage)}) == 1
    assert {chunk["model"] for chunk in (role, *pieces, finish, usage)} == {"gpt-35-turbo"}


def test_stream_without_usage_says_nothing_of_it() -> None:
    chunks = events(ask(Account(), body={**HELLO, "stream": True}))
    assert not any("usage" in chunk for chunk in chunks)
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


def test_stream_of_several_choices() -> None:
    account = Account(lab_facts(script={"tokens": 3}))
    chunks = events(ask(account, TEXT, {"prompt": ["a", "b"], "stream": True, "echo": True}))
    texts = {0: "", 1: ""}
    for chunk in chunks:
        for choice in chunk["choices"]:
            texts[choice["index"]] += choice["text"]
    assert texts[0].startswith("a")
    assert texts[1].startswith("b")
    assert [c["choices"][0]["finish_reason"] for c in chunks if c["choices"]].count("stop") == 2


def test_stop_is_never_shown_in_a_stream() -> None:
    account = Account(lab_facts(script={"text": "a b c d"}))
    chunks = events(ask(account, body={**HELLO, "stream": True, "stop": " c d"}))
    shown = "".join(c["choices"][0]["delta"].get("content", "") for c in chunks if c["choices"])
    assert shown == "a b"


# -- who calls -----------------------------------------------------------------------------------------


def test_both_keys_and_no_other() -> None:
    account = Account()
    assert ask(account, headers={"api-key": SECOND_KEY}).status == 200
    wrong = ask(account, headers={"api-key": "wrong"})
    assert wrong.status == 401
    assert wrong.json() == {
        "error": {
            "code": "401",
            "message": "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide "
            "a valid key for an active subscription and use a correct regional API endpoint for your resource.",
        }
    }
    assert ask(Account(lab_facts(key_hashes=()))).status == 401


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer x",
        "Basic abc",
        f"Bearer {token(audience='https://management.azure.com')}",
        f"Bearer {token(lifetime_s=-1000)}",
        f"Bearer {token()}x",
        f"Bearer {KEY}",
    ],
)
def test_a_bad_token_gets_azures_older_form(header: str) -> None:
    answer = ask(Account(), headers={"api-key": "", "authorization": header})
    assert answer.status == 401
    assert answer.json() == {
        "statusCode": 401,
        "message": "Unauthorized. Access token is missing, invalid, audience is incorrect "
        "(https://cognitiveservices.azure.com), or have expired.",
    }


def test_tokens_need_the_role() -> None:
    account = Account()
    for audience in ("https://cognitiveservices.azure.com", "https://cognitiveservices.azure.com/"):
        good = {"api-key": "", "authorization": f"Bearer {token(audience=audience)}"}
        assert ask(account, headers=good).status == 200
    stranger = ask(account, headers={"api-key": "", "authorization": f"Bearer {token(STRANGER)}"})
    assert stranger.status == 401
    error = stranger.json()["error"]
    assert error["code"] == "PermissionDenied"
    action = "Microsoft.CognitiveServices/accounts/OpenAI/deployments/chat/completions/action"
    assert error["message"] == (
        f"The principal `{STRANGER.object_id}` lacks the required data action `{action}` to perform "
        "`POST /openai/deployments/{deployment-id}/chat/completions` operation."
    )
    # A role that is taken away is gone with the next call.
    account.facts.facts = lab_facts(roles=())
    assert ask(account, headers={"api-key": "", "authorization": f"Bearer {token()}"}).status == 401


def test_v1_takes_the_key_as_bearer_and_the_model_from_the_body() -> None:
    account = Account()
    headers = {"api-key": "", "authorization": f"Bearer {KEY}"}
    body = {**HELLO, "model": "GPT-35-turbo"}
    assert ask(account, "/openai/v1/chat/completions", body, headers=headers).status == 200
    assert ask(account, "/openai/v1/chat/completions?api-version=preview", body).status == 200
    bad = ask(
        account, "/openai/v1/chat/completions", body, headers={**headers, "authorization": "Bearer nope"}
    )
    assert (bad.status, bad.json()["error"]["code"]) == (401, "401")
    missing = ask(account, "/openai/v1/chat/completions", HELLO).json()["error"]
    assert missing["param"] == "model"
    assert ask(account, "/openai/v1/chat/completions", {**HELLO, "model": "nope"}).status == 404
    assert ask(account, "/openai/v1/embeddings", {"input": "x", "model": "embed"}).status == 200


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
    # Absent and null are the same: LangChain sends a null model, the seeds a null stop.
    assert ask(Account(), body={**HELLO, "model": None, "stop": None, "frobnicate": None}).status == 200


# -- listings ------------------------------------------------------------------------------------------


def test_listings_tell_the_truth_about_the_engine() -> None:
    account = Account()
    models = ask(account, f"/openai/models?{V}", method="GET").json()
    assert [m["id"] for m in models["data"]] == ["gpt-35-turbo", "text-embedding-ada-002"]
    assert models["data"][0]["aforo"]["engine"] == "scripted"
    assert ask(account, f"/openai/models/gpt-35-turbo?{V}", method="GET").json()["capabilities"][
        "chat_completion"
    ]
    assert ask(account, f"/openai/models/nope?{V}", method="GET").status == 404
    deployments = ask(account, f"/openai/deployments?{V}", method="GET").json()
    assert [d["id"] for d in deployments["data"]] == ["gpt-35-turbo", "embed"]
    assert (
        ask(account, f"/openai/deployments/embed?{V}", method="GET").json()["model"]
        == "text-embedding-ada-002"
    )
    assert ask(account, "/openai/v1/models", method="GET").status == 200
    assert ask(account, f"/openai/models?{V}", method="GET", headers={"api-key": "x"}).status == 401


def test_files_and_jobs_are_not_here() -> None:
    account = Account()
    assert ask(account, f"/openai/files?{V}", method="GET").json() == {
        "data": [],
        "object": "list",
        "has_more": False,
    }
    assert ask(account, f"/openai/fine_tuning/jobs?{V}", method="GET").json()["data"] == []
    upload = ask(account, f"/openai/files?{V}", b"x" * 100_000)
    assert (upload.status, upload.json()["error"]["code"]) == (400, "OperationNotSupported")
    assert "has no files" in upload.json()["error"]["message"]
    assert ask(account, f"/openai/files/file-1?{V}", method="DELETE").status == 404
    row = account.rows.rows()[-2]
    assert json.loads(row["properties_s"])["requestLength"] == 100_000


def test_health() -> None:
    account = Account()
    assert run_call(account.app, "GET", "/livez").status == 200
    assert run_call(account.app, "GET", "/readyz").json()["ready"] is True
    account.facts.facts = None
    assert run_call(account.app, "GET", "/readyz").status == 503
    unpublished = ask(account)
    assert (unpublished.status, unpublished.headers["retry-after"]) == (503, "1")


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


# -- what is written down ------------------------------------------------------------------------------


def test_a_call_leaves_a_row_without_its_words() -> None:
    account = Account()
    headers = {"api-key": "", "authorization": f"Bearer {token()}"}
    answer = ask(account, headers=headers, client=("81.2.69.144", 1))
    (record,) = account.rows.records
    assert record.workspaces == [WORKSPACE]
    (row,) = record.rows
    assert row["Category"] == "RequestResponse"
    assert row["OperationName"] == "ChatCompletions_Create"
    assert row["CallerIPAddress"] == "81.2.69.***"
    assert row["CorrelationId"] == answer.headers["apim-request-id"]
    assert (row["Resource"], row["ResultSignature"]) == ("AOAI-LAB", "200")
    properties = json.loads(row["properties_s"])
    assert properties["apiName"] == "Azure OpenAI API version 2024-10-21"
    assert properties["objectId"] == ALLOWED.object_id
    assert properties["streamType"] == "Non-Streaming"
    assert properties["responseLength"] == len(answer.body)
    assert properties["requestLength"] == len(json.dumps(HELLO))
    assert (properties["modelDeploymentName"], properties["modelVersion"]) == ("gpt-35-turbo", "0301")
    text = json.dumps(row)
    assert "Hello" not in text
    assert token() not in text


def test_refused_calls_leave_rows_too() -> None:
    account = Account()
    ask(account, headers={"api-key": "wrong-secret"})
    ask(account, f"/openai/deployments/nope/chat/completions?{V}")
    ask(account, body={**HELLO, "stream": True})
    rows = account.rows.rows()
    assert [row["ResultSignature"] for row in rows] == ["401", "404", "200"]
    assert "modelDeploymentName" not in json.loads(rows[1]["properties_s"])
    assert json.loads(rows[2]["properties_s"])["streamType"] == "Streaming"
    assert "wrong-secret" not in json.dumps(rows)


def test_no_setting_no_row() -> None:
    account = Account(lab_facts(workspaces={}))
    ask(account)
    assert account.rows.records == []


def test_capacity_limits_and_says_so() -> None:
    now = [0.0]
    account = Account(
        lab_facts(chat={"tokens_per_minute": 1000}, script={"tokens": 300}), clock=lambda: now[0]
    )
    first = ask(account)
    assert first.headers["x-ratelimit-remaining-requests"] == "5"
    assert first.headers["x-ratelimit-remaining-tokens"] == "1000"
    statuses = [ask(account).status for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    limited = ask(account)
    assert limited.headers["retry-after"] == "60"
    assert "token rate limit" in limited.json()["error"]["message"]
    now[0] = 61.0
    # 1,264 tokens were spent: the debt of 264 is carried over.
    assert ask(account).headers["x-ratelimit-remaining-tokens"] == str(1000 - 264)
    assert "x-ratelimit-remaining-tokens" not in ask(Account()).headers
