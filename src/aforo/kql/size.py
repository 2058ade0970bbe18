"""How large a plan is when it is written out, and how much binding has been done: `let` and functions are put in
their place, so that forty lines can stand for a million million parts. It knows no text and no SQL.
"""

from __future__ import annotations

from aforo.kql.bound import Constant, Expression, InRelation, Reference, Relation, ScalarQuery, children
from aforo.kql.plan import expressions, inputs

# Parts that a query may have beside those that it spells out itself (at least one character each).
MOST_PARTS = 100_000


class TooLargeError(Exception):
    """Binding has met more parts than a query may have. It never leaves the compiler."""


class Budget:
    """Counts the parts of one query; `most` is how many it may have."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._bound = 0
        # By identity: the parts of what `let` has named are shared, and each is counted once. They are kept, so that
        # no other part can come to have the same identity.
        self._sizes: dict[int, tuple[Expression | Relation, int]] = {}

    def spend(self) -> None:
        """One part more was bound; raises TooLargeError."""
        self._bound += 1
        if self._bound > self.most:
            raise TooLargeError

    def check(self, part: Expression | Relation) -> None:
        """Raises TooLargeError for what is too large when it is written out, however little of it is distinct."""
        if self._size(part) > self.most:
            raise TooLargeError

    def _size(self, part: Expression | Relation) -> int:
        if type(part) is Reference or type(part) is Constant:
            return 1
        known = self._sizes.get(id(part))
        if known is not None:
            return known[1]
        size = 1 + sum(map(self._size, parts(part)))
        self._sizes[id(part)] = part, size
        return size


def parts(part: Expression | Relation) -> tuple[Expression | Relation, ...]:
    """What an expression or a relation is made of, relations inside of expressions too."""
    match part:
        case ScalarQuery(relation=relation):
            return (relation,)
        case InRelation(operand=operand, relation=relation):
            return operand, relation
        case Relation():
            return (*inputs(part), *expressions(part))
        case _:
            return children(part)
