"""All functions in Python, by operation."""

from __future__ import annotations

from aforo.kql.natives import compression
from aforo.kql.natives.spec import Native

NATIVES: dict[str, Native] = {n.operation: n for family in (compression,) for n in family.NATIVES}
