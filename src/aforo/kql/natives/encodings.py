"""Texts as bytes, code points, base64, URLs and punycode, and back. What is no such text comes to "" or null."""

from __future__ import annotations

import base64
import binascii
import urllib.parse
import uuid
from typing import Any

from aforo.kql.natives.spec import Native, native, parsed, written
from aforo.kql.types import BOOL, DYNAMIC, GUID, STRING

_LONGEST = 1_048_576


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def base64_decode_toarray(text: str) -> str | None:
    data = _decoded(text)
    return None if data is None else written(list(data))


def base64_decode_tostring(text: str) -> str:
    data = _decoded(text)
    try:
        return "" if data is None else data.decode()
    except UnicodeDecodeError:
        return ""


def base64_encode_fromarray(json: str | None) -> str:
    array = parsed(json)
    if not isinstance(array, list) or not all(
        isinstance(v, int) and not isinstance(v, bool) and 0 <= v < 256 for v in array
    ):
        return ""
    return base64.b64encode(bytes(array)).decode()


def base64_decode_toguid(text: str) -> str | None:
    data = _decoded(text)
    if data is None:
        return None
    try:
        # Sixteen bytes, or a GUID's text.
        return str(uuid.UUID(bytes_le=data) if len(data) == 16 else uuid.UUID(data.decode()))
    except ValueError:
        return None


def base64_encode_fromguid(text: str | None) -> str:
    return "" if text is None else base64.b64encode(uuid.UUID(text).bytes_le).decode()


# -- code points -----------------------------------------------------------------------------------------


def unicode_codepoints_from_string(text: str) -> str | None:
    return written([ord(c) for c in text])


def unicode_codepoints_to_string(given: list[str]) -> str:
    points: list[Any] = []
    for json in given:
        value = parsed(json)
        points += value if isinstance(value, list) else [value]
    if len(points) > _LONGEST or not all(
        isinstance(p, int) and 0 < p < 0x110000 and not 0xD800 <= p < 0xE000 for p in points
    ):
        return ""
    return "".join(map(chr, points))


def isascii(text: str) -> bool:
    return text.isascii()


def isutf8(_text: str) -> bool:
    """Every text here is one."""
    return True


# -- URLs ------------------------------------------------------------------------------------------------

_SAFE = "-_.!*()"


def _lower_hex(text: str) -> str:
    out = []
    pieces = text.split("%")
    for piece in pieces[1:]:
        out.append("%" + piece[:2].lower() + piece[2:])
    return pieces[0] + "".join(out)


def url_encode(text: str) -> str:
    return _lower_hex(urllib.parse.quote(text, safe=_SAFE + " ")).replace(" ", "+").replace("~", "%7e")


def url_encode_component(text: str) -> str:
    return _lower_hex(urllib.parse.quote(text, safe=_SAFE)).replace("~", "%7e")


def url_decode(text: str) -> str:
    return urllib.parse.unquote_plus(text)


# -- punycode --------------------------------------------------------------------------------------------


def punycode_from_string(text: str) -> str:
    return text.encode("punycode").decode()


def punycode_to_string(text: str) -> str:
    try:
        out = text.encode("ascii").decode("punycode")
        out.encode()
        return out
    except (UnicodeError, ValueError, OverflowError):
        return ""


def punycode_domain_from_string(text: str) -> str:
    return ".".join(
        label if label.isascii() else "xn--" + punycode_from_string(label) for label in text.split(".")
    )


def punycode_domain_to_string(text: str) -> str:
    labels = []
    for label in text.split("."):
        if label[:4].lower() == "xn--":
            plain = punycode_to_string(label[4:])
            if not plain:
                return ""
            label = plain
        labels.append(label)
    return ".".join(labels)


NATIVES: tuple[Native, ...] = (
    native("base64_decode_toarray", base64_decode_toarray, DYNAMIC, STRING),
    native("base64_decode_tostring", base64_decode_tostring, STRING, STRING),
    native("base64_encode_fromarray", base64_encode_fromarray, STRING, DYNAMIC),
    native("base64_decode_toguid", base64_decode_toguid, GUID, STRING),
    native("base64_encode_fromguid", base64_encode_fromguid, STRING, GUID),
    native("unicode_codepoints_from_string", unicode_codepoints_from_string, DYNAMIC, STRING),
    native("unicode_codepoints_to_string", unicode_codepoints_to_string, STRING, spread=True),
    native("isascii", isascii, BOOL, STRING),
    native("isutf8", isutf8, BOOL, STRING),
    native("url_encode", url_encode, STRING, STRING),
    native("url_encode_component", url_encode_component, STRING, STRING),
    native("url_decode", url_decode, STRING, STRING),
    native("punycode_from_string", punycode_from_string, STRING, STRING),
    native("punycode_to_string", punycode_to_string, STRING, STRING),
    native("punycode_domain_from_string", punycode_domain_from_string, STRING, STRING),
    native("punycode_domain_to_string", punycode_domain_to_string, STRING, STRING),
)
