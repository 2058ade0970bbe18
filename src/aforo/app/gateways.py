"""The gateways of a system while it runs: replaced one after the other without a dropped call, and covered by the others
when one has died. It starts nothing else, and knows no socket but by its descriptor.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from aforo.app.child import Child
from aforo.app.spec import Spec, Told
from aforo.errors import Refusal, Unavailable

log = logging.getLogger("aforo.supervisor")

READY_TIMEOUT_S = 60.0
IN_FORCE_TIMEOUT_S = 2.0
_POLL_S = 0.01


@dataclass(slots=True)
class Reload:
    """How the last replacement of all gateways stands: how many there were, and why it stopped where it failed."""

    number: int = 0
    under_way: bool = False
    error: str = ""


class Gateways:
    """`children` by index. `again` makes another process for an index; `swapped` is told when it serves in the place of
    the one before, `changed` when `reload` has; `published_ns` is the stamp of what control published."""

    def __init__(
        self,
        children: list[Child],
        again: Callable[[int], Child],
        swapped: Callable[[Child, Child, asyncio.Task[None]], None],
        changed: Callable[[], None],
        published_ns: Callable[[], int],
    ) -> None:
        self.children = children
        self.reload = Reload()
        self._again = again
        self._swapped = swapped
        self._changed = changed
        self._published_ns = published_ns
        self._leaving: dict[int, tuple[Child, asyncio.Task[None]]] = {}
        self._told: dict[int, tuple[int, tuple[int, ...]]] = {}

    def cover(self) -> None:
        """Have those that live serve the sockets of those that do not."""
        dead = tuple(i for i, child in enumerate(self.children) if not child.pid)
        for index, child in enumerate(self.children):
            if child.pid and self._told.get(index, (child.pid, ())) != (child.pid, dead):
                child.tell(Told(cover=dead))
                self._told[index] = child.pid, dead

    async def roll(self) -> None:
        """Replace them: the next one is begun when the one before serves, and its predecessor accepts no more."""
        if self.reload.under_way:
            log.warning("gateways are being replaced already")
            return
        self.reload = Reload(self.reload.number + 1, under_way=True)
        self._changed()
        try:
            for index in range(len(self.children)):
                await self._replace(index)
        except Refusal as refusal:
            log.error("gateways are not replaced: %s", refusal.message)
            self.reload.error = refusal.message
        except Exception as error:
            # Whoever waits for it must not take it for done.
            log.exception("bug: gateways are not replaced")
            self.reload.error = f"{type(error).__name__}: {error}"
        finally:
            self.reload.under_way = False
            self._changed()
        if not self.reload.error:
            log.info("all gateways have been replaced")

    async def _replace(self, index: int) -> None:
        leaving = self._leaving.pop(index, None)
        if leaving is not None:
            # From the replacement before: this one is to have its place.
            await leaving[0].stop()
            await leaving[1]
        old = self.children[index]
        spec = old.spec.result()
        new = self._again(index)
        # What is published now is what it begins with.
        new.spec.set_result(_in_other_slot(spec))
        living = asyncio.create_task(new.keep_alive())
        ready = asyncio.create_task(new.ready.wait())
        try:
            await asyncio.wait((living, ready), timeout=READY_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
            if not new.ready.is_set():
                if living.done():
                    living.result()
                new.kill()
                raise Unavailable(f"{new.name}: the new process was not ready within {READY_TIMEOUT_S:g} s")
        except BaseException:
            new.kill()
            raise
        finally:
            ready.cancel()
        until = asyncio.get_running_loop().time() + IN_FORCE_TIMEOUT_S
        while new.snapshot_ns < self._published_ns():
            if asyncio.get_running_loop().time() > until:
                break
            await asyncio.sleep(_POLL_S)
        self.children[index] = new
        self._swapped(old, new, living)
        self.cover()
        log.info("%s: process %d serves; the one before ends its calls", new.name, new.pid)
        # Nobody waits for its end: calls may last.
        self._leaving[index] = old, asyncio.create_task(old.retire())


def _in_other_slot(spec: Spec) -> Spec:
    return msgspec.structs.replace(spec, slot=1 - spec.slot, old_snapshot=(0, 0))
