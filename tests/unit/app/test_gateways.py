"""Gateways that are replaced: what is told when that does not come about. Real processes are in tests/e2e/test_workers.py."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from aforo.app.child import Child
from aforo.app.gateways import Gateways
from aforo.errors import Unavailable


class Old:
    """A gateway that serves."""

    def __init__(self) -> None:
        self.spec: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self.spec.set_result(None)


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (Unavailable("there is no room"), "there is no room"),
        (OSError(24, "Too many open files"), "OSError: [Errno 24] Too many open files"),
    ],
)
def test_a_replacement_that_fails_is_not_taken_for_done(failure: Exception, told: str) -> None:
    changes: list[tuple[int, bool, str]] = []

    def again(_index: int) -> Child:
        raise failure

    async def tell() -> None:
        gateways = Gateways(
            [cast(Child, Old())],
            again,
            lambda *_: None,
            lambda: changes.append(
                (gateways.reload.number, gateways.reload.under_way, gateways.reload.error)
            ),
            lambda: 0,
        )
        await gateways.roll()
        await gateways.roll()

    asyncio.run(tell())
    assert changes == [(1, True, ""), (1, False, told), (2, True, ""), (2, False, told)]
