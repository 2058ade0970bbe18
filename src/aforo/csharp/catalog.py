"""The .NET that expressions can reach, in one readable tuple: one corner per file of runtime/."""

from __future__ import annotations

from typing import Final

from aforo.csharp.runtime import (
    bit_converter,
    builders,
    certificates,
    chars,
    ciphers,
    collections,
    converting,
    dates,
    encodings,
    guids,
    hashing,
    json_types,
    linq,
    maths,
    numbers,
    objects,
    randoms,
    readers,
    regexes,
    rsa,
    spans,
    strings,
    text,
    uris,
    xml_dom,
    xml_types,
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
    *bit_converter.TYPES,
    *encodings.TYPES,
    *text.TYPES,
    *uris.TYPES,
    *regexes.TYPES,
    *builders.TYPES,
    *maths.TYPES,
    *randoms.TYPES,
    *hashing.TYPES,
    *ciphers.TYPES,
    *rsa.TYPES,
    *certificates.TYPES,
    *readers.TYPES,
    *xml_types.TYPES,
    *xml_dom.TYPES,
)
