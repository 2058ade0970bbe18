"""A control plane without processes: a door over a real store in a folder, with what it published."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from aforo.control.apply import Resolve, read_files
from aforo.control.commit import Door, Found
from aforo.control.desired import Change, DesiredState
from aforo.control.live import Live
from aforo.control.openapi import Fetch
from aforo.control.store import Store, sqlite_url
from aforo.identity.seal import Sealer, subkey
from aforo.model.graph import Graph
from aforo.snapshot.snapshot import Bundle

MASTER_KEY = bytes(range(32))


class FixedKeys:
    """Sealers from one known key: reading again needs the same one."""

    def sealer(self, purpose: str) -> Sealer:
        return Sealer(subkey(MASTER_KEY, purpose))


def accept_all(_bundle: Bundle) -> Iterable[Found]:
    """A build that finds nothing wrong."""
    return ()


@dataclass
class Bench:
    """A door with its store, and every bundle that it published."""

    folder: Path
    build: Callable[[Bundle], Iterable[Found]] = accept_all
    published: list[tuple[Bundle, Graph]] = field(default_factory=list)
    live: Live = field(default_factory=Live)
    url: str = ""  # of another store than a file in the folder

    def __post_init__(self) -> None:
        self.store = Store(self.url or sqlite_url(self.folder / "store.sqlite"))
        self.door = Door(
            self.store, FixedKeys(), self.build, lambda b, g: self.published.append((b, g)), live=self.live
        )

    def close(self) -> None:
        self.store.close()

    def resolve(self, fetch: Fetch | None = None) -> Resolve:
        return Resolve(self.door.tenancy.subscription_id, self.door.mint.guid, fetch)

    def read(self, text: str, fetch: Fetch | None = None, **files: str) -> DesiredState:
        """The desired state in `aforo.yaml` with that text; further files by name, `__` for a full stop."""
        named = {name.replace("__", "."): content for name, content in files.items()}
        return asyncio.run(read_files("aforo.yaml", {"aforo.yaml": text, **named}, self.resolve(fetch)))

    def apply(self, text: str, dry_run: bool = False, **files: str) -> Change:
        return self.door.apply(self.read(text, **files), dry_run)

    def id(self, kind: str, name: str = "") -> str:
        """The id of a service's child in the lab's service."""
        base = (
            f"/subscriptions/{self.door.tenancy.subscription_id}/resourceGroups/rg-activategenai"
            "/providers/Microsoft.ApiManagement/service/apim-activategenai"
        )
        return f"{base}/{kind}/{name}" if kind else base
