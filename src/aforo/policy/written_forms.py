"""How a text may stand in another one: in any case, escaped as URLs, JSON, XML or host names have it, in base64 or hex.

It knows no secret and no output: masking asks whether a text stands somewhere, and where.
"""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote

# Of a longer text no form is looked for but itself and as URLs and JSON have it.
_LONG: Final = 4096
_ROUNDS: Final = 3  # of escapes inside of escapes
_ESCAPED: Final = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|([nrtbf\"\\/']))")
_LETTERS: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_LABEL: Final = re.compile(r"xn--[a-z0-9-]+", re.IGNORECASE)


@lru_cache(maxsize=1024)
def forms(plain: str) -> tuple[str, ...]:
    """What to look for in `views` of a text where `plain` may stand, folded; the first is the longest but one."""
    found = [plain, quote(plain, safe=""), json.dumps(plain, ensure_ascii=False)[1:-1]]
    if len(plain) <= _LONG:
        data = plain.encode("utf-8", "surrogatepass")
        found += [*_base64(data), data.hex(), unicodedata.normalize("NFKC", plain)]
    return tuple(dict.fromkeys(each.casefold() for each in found))


def views(text: str) -> tuple[str, ...]:
    """The text and what it reads as without its escapes, folded."""
    found = [text.casefold()]
    at = text
    for _ in range(_ROUNDS):
        plain = _unescaped(at)
        if plain == at:
            break
        found.append(plain.casefold())
        if "+" in plain:
            found.append(plain.replace("+", " ").casefold())
        at = plain
    else:
        return tuple(found)
    if len(found) == 1 and "+" in text:
        found.append(text.replace("+", " ").casefold())
    return tuple(found)


@lru_cache(maxsize=256)
def pattern(plain: str) -> re.Pattern[str]:
    """Where the text stands, with each of its characters escaped or not."""
    if len(plain) > _LONG:
        ways = [re.escape(form) for form in (plain, quote(plain, safe=""), json.dumps(plain)[1:-1])]
    else:
        data = plain.encode("utf-8", "surrogatepass")
        ways = ["".join(map(_character, plain)), data.hex()]
        # The characters around it have some of its bits.
        ways += [rf"[\w+/\-]?{re.escape(core)}[\w+/\-]?={{0,2}}" for core in _base64(data)]
    return re.compile("|".join(ways), re.IGNORECASE)


def _base64(data: bytes) -> list[str]:
    """What is the same in all that base64 makes of texts with `data` in them, by where it begins in a group of three."""
    found: list[str] = []
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + data).decode()
        core = encoded[(before * 8 + 5) // 6 : (before + len(data)) * 8 // 6]
        found.append(core)
        if "+" in core or "/" in core:
            found.append(core.replace("+", "-").replace("/", "_"))
    return found


_MARKUP = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"}


@lru_cache(maxsize=512)
def _character(c: str) -> str:
    if c.isascii() and c.isalnum():
        return c
    data = c.encode("utf-8", "surrogatepass")
    ways = {
        c,
        "".join(f"%{byte:02X}" for byte in data),
        json.dumps(c)[1:-1],
        json.dumps(c, ensure_ascii=False)[1:-1],
        f"\\u{ord(c):04x}",
        # As `html.escape` writes it; that module's table of 2,000 names is loaded where there is a name to read.
        _MARKUP.get(c, c),
        f"&#{ord(c)};",
        f"&#x{ord(c):x};",
    }
    if c == " ":
        ways.add("+")
    elif c in "'/":
        ways |= {f"\\{c}", "&apos;" if c == "'" else c}
    return "(?:" + "|".join(sorted(map(re.escape, ways), key=len, reverse=True)) + ")"


def _unescaped(text: str) -> str:
    if "%" in text:
        text = unquote(text)
    if "\\" in text:
        text = _ESCAPED.sub(lambda m: chr(int(m[1], 16)) if m[1] else _LETTERS.get(m[2], m[2]), text)
    if "&" in text:
        from html import unescape

        text = unescape(text)
    if "xn--" in text or "XN--" in text:
        text = _LABEL.sub(_label, text)
    return text


def _label(found: re.Match[str]) -> str:
    """A label of an international host name as it reads; what is none stays."""
    try:
        return found[0][4:].encode("ascii").decode("punycode")
    except (UnicodeError, ValueError):
        return found[0]
