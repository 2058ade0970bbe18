"""Choices and logic."""

from __future__ import annotations

from aforo.kql.functions.spec import Scalar, scalar
from aforo.kql.types import BOOL

# `iff`, `case`, `coalesce`, `max_of`, `min_of` find their common type in the binder (`bind_calls`).
FUNCTIONS: tuple[Scalar, ...] = (
    scalar("not", "value:bool", BOOL, "True for false, false for true, null for null."),
)
