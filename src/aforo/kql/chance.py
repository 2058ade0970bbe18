"""What comes out otherwise each time that it is computed: `rand`, `new_guid`, `sample`. It knows no binder."""

from __future__ import annotations

from aforo.kql.bound import Apply, Expression, Relation
from aforo.kql.size import parts

_RANDOM = frozenset({"rand", "new_guid"})


def by_chance(whole: Expression | Relation) -> bool:
    """Whether two computations of it may differ."""
    seen: set[int] = set()
    open_: list[Expression | Relation] = [whole]
    while open_:
        part = open_.pop()
        if isinstance(part, Apply) and part.operation in _RANDOM:
            return True
        if id(part) not in seen:
            seen.add(id(part))
            open_ += parts(part)
    return False
