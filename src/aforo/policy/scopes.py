"""Scopes and sections: where a policy document hangs, and where in it a policy stands."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeVar

T = TypeVar("T")


class Scope(StrEnum):
    """Broad to narrow. The values are those of `context.LastError.Scope`."""

    GLOBAL = "global"
    WORKSPACE = "workspace"
    PRODUCT = "product"
    API = "api"
    OPERATION = "operation"


class Section(StrEnum):
    """The values are the element names, and those of `context.LastError.Section`."""

    INBOUND = "inbound"
    BACKEND = "backend"
    OUTBOUND = "outbound"
    ON_ERROR = "on-error"

    @property
    def python(self) -> str:
        return self.value.replace("-", "_")


ALL_SCOPES: Final = frozenset(Scope)
ALL_SECTIONS: Final = frozenset(Section)
INBOUND: Final = frozenset((Section.INBOUND,))


def broad_first(documents: Mapping[Scope, T | None]) -> list[tuple[Scope, T]]:
    """The documents of one call in the order in which they are bound: each is what `<base />` means in the next."""
    return [(scope, found) for scope in Scope if (found := documents.get(scope)) is not None]
