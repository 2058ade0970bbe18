"""What a SQL engine must offer to the writer. Arguments and results are sqlglot nodes of canonical values:
bool, int, long, real as they are, decimal as the engine's decimal, string never NULL, datetime and timespan as ticks,
dynamic as JSON text or NULL.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from aforo.kql.bound import Expression
from aforo.kql.sql.tree import Node
from aforo.kql.types import KqlType


class Dialect(Protocol):
    @property
    def name(self) -> str:
        """sqlglot's name of the dialect."""

    def type_name(self, type_: KqlType) -> str:
        """The SQL type of a canonical value, as `tree.cast` reads it."""

    def constant(self, value: object, type_: KqlType) -> Node: ...

    def scalar(
        self, operation: str, arguments: Sequence[Node], bound: Sequence[Expression], result: KqlType
    ) -> Node:
        """A scalar operation; `bound` are the same arguments with their types and constants."""

    def aggregate(
        self, operation: str, arguments: Sequence[Node], bound: Sequence[Expression], result: KqlType,
        condition: Node | None, order: Node | None,
    ) -> Node: ...  # fmt: skip

    def together(self, items: list[Node], operations: Collection[str]) -> None:
        """The select list of one query with these aggregates: what the engine does better in one is made one, in place."""

    def window(
        self,
        operation: str,
        arguments: Sequence[Node],
        bound: Sequence[Expression],
        result: KqlType,
        order: Node,
        part: Node | None,
    ) -> Node:
        """`part` tells stretches of rows apart. `order` is the column that numbers the rows."""

    def part(self, restart: Node, order: Node) -> Node:
        """How many rows up to this one restart."""

    def path(self, base: Node, steps: tuple[str | int, ...], *, unparsed: bool) -> Node:
        """A path into JSON text; `unparsed` text may be no JSON at all."""

    def paths(self, text: Node, paths: Sequence[tuple[str | int, ...]]) -> Node:
        """An array with the JSON of all paths, parsed once; NULL when the text is no JSON."""

    def element(self, array: Node, index: int) -> Node:
        """One of `paths` (from 0), NULL for JSON's null."""

    def below_string(self, parent: Node, value: Node, steps: tuple[str | int, ...]) -> Node:
        """`value`, but where `parent` is a JSON string the path into the JSON that it holds."""

    def elements(self, value: Node, *, pairs: bool) -> Node:
        """The elements of a dynamic value as an array of JSON texts."""

    def length(self, array: Node) -> Node:
        """The number of elements of an array, NULL or 0 when it has none."""

    def count_up(self, to: Node) -> Node:
        """In a select list: one row per number from 1."""

    def nth(self, array: Node, index: Node) -> Node:
        """An element (from 1) of `elements`, NULL beyond its end and for JSON's null."""

    def stored_text(self, column: Node) -> Node:
        """The text of a stored column that may be NULL."""

    def from_timestamp(self, column: Node) -> Node:
        """Ticks of a stored timestamp."""

    def compare_timestamp(self, operation: str, column: Node, ticks: int) -> Node:
        """A comparison of a stored timestamp with a moment that the engine can prune by."""

    def steps(self, start: Node, stop: Node, step: Node, type_: KqlType, name: str) -> Node:
        """A query with one row per step, its one column called `name`."""

    def read_promoted(self, stored: Node, type_: KqlType, operation: str) -> Node:
        """An explicit conversion of a stored promoted value."""

    def as_json(self, sql: str, names: Sequence[str], types: Sequence[KqlType]) -> str:
        """A query with one text column: each row of `sql` as a JSON array of cells as Log Analytics sends them."""
