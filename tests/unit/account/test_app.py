"""The account answers as Azure does: paths, keys, tokens, deployments, bodies, streams, and what it writes down."""

import base64
import json
import struct

import pytest

from tests.support.accounts import (
    ALLOWED,
    EMBED,
    HELLO,
    KEY,
    SECOND_KEY,
    STRANGER,
    TEXT,
    WORKSPACE,
    Account,
    V,
    ask,
    events,
    lab_facts,
    token,
)
from tests.support.asgi import run_call

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
