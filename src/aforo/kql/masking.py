"""A query's text without its secrets, for whoever keeps or shows it: stars in their place, one for each character, so
that every place in the text stays what it was. It reads tokens, not grammar: a text that does not parse is masked too.
"""

from __future__ import annotations

import re

from aforo.kql.lexer import lex
from aforo.kql.tokens import Token, TokenKind

_OUTSIDE = frozenset(("externaldata", "external_data", "inline_external_table", "external_table"))
_OBFUSCATED = re.compile(r"[hH]@?[\"']")
# A shared access signature, wherever it stands; the value is the secret.
_SIGNATURE = re.compile(r"(?i)(?<![\w])sig=([^&\"'\s]+)")
_CREDENTIALS = re.compile(r"://([^/?#\s\"']*)@")


def masked(text: str) -> str:
    """The text with stars for what `h'...'` hides, for signatures, and in a query that reads files outside for all that
    stands in its addresses behind `?` or `;`. It is as long as the text, and never raises."""
    if not _may_hold_secrets(text):
        return text
    tokens, _ = lex(text)
    outside = any(t.kind is TokenKind.NAME and t.text.lower() in _OUTSIDE for t in tokens)
    out = list(text)
    within = False
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.kind is TokenKind.STRING:
            joined = before is not None and before.kind is TokenKind.STRING
            within = _mask_string(out, text, token, outside=outside, within=within and joined)
    # Comments, literals of types and what the lexer could not read hold strings that are no tokens.
    for secret in _SIGNATURE.finditer(text):
        _star(out, *secret.span(1))
    return "".join(out)


def shown(url: str) -> str:
    """An address for a message: without credentials, query and what follows a semicolon."""
    plain = re.split(r"[?;#]", url, maxsplit=1)[0]
    return _CREDENTIALS.sub("://", plain)[:300]


def _may_hold_secrets(text: str) -> bool:
    low = text.lower()
    return "sig=" in low or "external" in low or any(sign in low for sign in ("h'", 'h"', "h@'", 'h@"'))


def _mask_string(out: list[str], text: str, token: Token, *, outside: bool, within: bool) -> bool:
    """Stars in one string. `within`: it goes on where an address in the string before it left off; whether this one
    ends within the secret part of an address."""
    start, end = token.span.start, token.span.end
    if _OBFUSCATED.match(text, start):
        opening = start + 2 + (text[start + 1] == "@")
        _star(out, opening, _closing(text, opening, end))
        return True
    if not outside and not within:
        return False
    opening = start + (3 if text.startswith(("```", "~~~"), start) else 1 + (text[start] == "@"))
    body = text[opening:end]
    if within or body.lstrip().startswith(("?", ";")):
        _star(out, opening, _closing(text, opening, end))
        return True
    if "://" not in body:
        return False
    for found in _CREDENTIALS.finditer(body):
        _star(out, opening + found.start(1), opening + found.end(1))
    if (secret := re.search(r"[?;]", body)) is not None:
        _star(out, opening + secret.end(), _closing(text, opening, end))
        return True
    return False


def _closing(text: str, opening: int, end: int) -> int:
    """Where the quote stands that ends a string; the end of a string that has none."""
    if text.startswith(("```", "~~~"), max(opening - 3, 0)):
        return max(opening, end - 3 if text.endswith(("```", "~~~"), opening, end) else end)
    closed = end > opening and text[end - 1] == text[opening - 1]
    return end - 1 if closed else end


def _star(out: list[str], start: int, end: int) -> None:
    for at in range(start, end):
        if out[at] not in "\r\n":
            out[at] = "*"
