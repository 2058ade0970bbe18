"""What the binding of a query comes to: an answer's plan, or a question that must be asked first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aforo.kql.bound import Relation


class UndiscoveredError(Exception):
    """Columns that only the data can tell: `relation` must be asked first, and its rows given back under `key`."""

    def __init__(self, key: str, relation: Relation) -> None:
        super().__init__(key)
        self.key = key
        self.relation = relation


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gives: its relation, and how it wants to be drawn."""

    relation: Relation
    render: Mapping[str, object] | None
