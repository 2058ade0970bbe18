"""`logClientIp: false`: no address of a client is written down, whether the call was served or refused."""

from __future__ import annotations

import msgspec
import pytest

from tests.support.gateway import LOG_ALL, gate, story

SERVED = b"GET /echo/a HTTP/1.1\r\nHost: gate\r\n\r\n"
REFUSED = b"GET /elsewhere HTTP/1.1\r\nHost: gate\r\n\r\n"


@pytest.mark.parametrize("kept", [True, False])
def test_addresses_are_kept_where_they_may_be(kept: bool) -> None:
    @story
    async def told() -> None:
        log = msgspec.structs.replace(LOG_ALL, log_client_ip=kept)
        async with gate(log=log) as g:
            assert (await g.call(SERVED)).status == 200
            assert (await g.call(REFUSED)).status == 404
            shown = "127.0.0.1" if kept else ""
            served = g.records[0]
            assert (served.peer_ip, served.client_ip) == (shown, shown)

    told()
