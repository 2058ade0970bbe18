"""Refusals as ARM writes them, bugs with an id and nothing else, bodies no larger than agreed."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from starlette.requests import Request

from aforo import rest
from aforo.errors import (
    Conflict,
    Denied,
    Detail,
    Invalid,
    Limited,
    NotFound,
    Refusal,
    Timeout,
    Unavailable,
    Upstream,
)


def request(*chunks: bytes) -> tuple[Request, list[bytes]]:
    """A request whose body comes in those pieces, and what of it nobody has taken."""
    left = list(chunks)

    async def receive() -> dict[str, Any]:
        chunk = left.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(left)}

    scope = {"type": "http", "method": "POST", "path": "/x", "query_string": b"", "headers": [], "scheme": "http",
             "server": ("h", 80)}  # fmt: skip
    return Request(scope, receive), left


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (Invalid("m"), 400),
        (NotFound("m"), 404),
        (Conflict("m"), 409),
        (Limited("m"), 429),
        (Unavailable("m"), 503),
        (Upstream("m"), 502),
        (Timeout("m"), 504),
        (Denied("m", authenticated=True), 403),
        (Denied("m", authenticated=False), 401),
        (Refusal("m"), 500),
    ],
)
def test_statuses(refusal: Refusal, status: int) -> None:
    assert rest.status_of(refusal) == status


def test_a_body_names_what_there_is_and_nothing_empty() -> None:
    assert rest.error_body(Invalid("m", code="C")) == {"error": {"code": "C", "message": "m"}}
    inner = Detail("D", "why", "t/a")
    assert rest.error_body(Invalid("m", code="C", target="t", details=(inner,)))["error"] == {
        "code": "C",
        "message": "m",
        "target": "t",
        "details": [{"code": "D", "target": "t/a", "message": "why"}],
    }


@pytest.mark.parametrize(("wait", "header"), [(0.2, "1"), (2.6, "3"), (None, None)])
def test_when_to_come_again_is_a_whole_second_at_least(wait: float | None, header: str | None) -> None:
    answer = asyncio.run(rest.on_refusal(request()[0], Limited("m", retry_after_s=wait)))
    assert answer.headers.get("retry-after") == header
    assert answer.status_code == 429


def test_who_is_unknown_is_asked_for_a_token_and_who_may_not_is_not() -> None:
    unknown = asyncio.run(rest.on_refusal(request()[0], Denied("m", authenticated=False)))
    known = asyncio.run(rest.on_refusal(request()[0], Denied("m", authenticated=True)))
    assert unknown.headers["www-authenticate"].startswith("Bearer")
    assert "www-authenticate" not in known.headers


def test_a_bug_is_told_by_its_id_alone(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "aforo.rest"):
        answer = asyncio.run(rest.on_bug(request()[0], RuntimeError("the password is hunter2")))
    error = json.loads(bytes(answer.body))["error"]
    assert (answer.status_code, error["code"]) == (500, "InternalServerError")
    assert "hunter2" not in error["message"]
    (record,) = caplog.records
    assert error["message"].rpartition(" ")[2].rstrip(".") in record.getMessage()


@pytest.mark.parametrize(
    ("chunks", "body"), [((b"",), b""), ((b"ab", b"cd"), b"abcd"), ((b"ab", b"cde", b"f"), None)]
)
def test_a_body_is_read_as_far_as_its_limit(chunks: tuple[bytes, ...], body: bytes | None) -> None:
    asked, left = request(*chunks)
    assert asyncio.run(rest.read_body(asked, 4)) == body
    assert left == ([b"f"] if body is None else [])
