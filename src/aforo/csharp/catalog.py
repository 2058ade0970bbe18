"""The .NET that expressions can reach, in one readable tuple: one corner per file of runtime/."""

from __future__ import annotations

from typing import Final

from aforo.csharp.runtime import (
    builders,
    chars,
    collections,
    converting,
    dates,
    guids,
    json_types,
    linq,
    maths,
    numbers,
    objects,
    regexes,
    spans,
    strings,
    text,
)
from aforo.csharp.types import TypeDecl

TYPES: Final[tuple[TypeDecl, ...]] = (
    *objects.TYPES,
    *numbers.TYPES,
    *strings.TYPES,
    *chars.TYPES,
    *dates.TYPES,
    *spans.TYPES,
    *guids.TYPES,
    *collections.TYPES,
    *linq.TYPES,
    *json_types.TYPES,
    *converting.TYPES,
    *text.TYPES,
    *regexes.TYPES,
    *builders.TYPES,
    *maths.TYPES,
)
