"""Plain calls over one connection after another: bytes in, bytes out, one record each."""

from __future__ import annotations

from tests.support.gateway import gate, story

GET = b"GET /echo/a?x=1 HTTP/1.1\r\nHost: gate\r\n\r\n"


@story
async def test_a_call_is_forwarded_answered_and_recorded_once() -> None:
    async with gate() as g:
        answer = await g.call(GET)
        assert answer.raw == b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
        assert g.backend.heard[0].head == f"GET /base/a?x=1 HTTP/1.1\r\nhost: 127.0.0.1:{g.backend.port}"
        (record,) = g.records
        assert (record.status, record.backend_status, record.aborted) == (200, 200, "")
        assert (record.response.body, record.response.size, record.same_response) == (b"ok", 2, True)
        assert record.url == "http://gate/echo/a?x=1"
