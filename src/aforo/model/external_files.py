"""Which files outside a workspace lets queries read: the entries of its `externalData`, and addresses judged by them.

An entry is the address of one file, or of all below it when it ends in `/`. It reaches nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote

from aforo.messages import Url, parse_url

# What somebody wrote in place of `.` in an address, written out as often as servers may do it.
_MOST_UNQUOTED = 4


def entry_problem(entry: str) -> str:
    """Why an entry is none; "" when it is one."""
    if any(mark in entry for mark in "?#;*"):
        return "an address has no query, credentials or wildcards here: the path of a file, or of a folder with / at its end"
    url, problem = address(entry)
    if url is not None and not url.path:
        return "an address has a path: / at the end stands for all that is there"
    return problem


def refusal(url: str, entries: Sequence[str]) -> str:
    """Why none of the entries allows the address; "" when one does."""
    wanted, problem = address(url)
    if wanted is None:
        return problem
    for entry in entries:
        allowed, _ = address(entry)
        if allowed is None or _origin(allowed) != _origin(wanted):
            continue
        path = wanted.path or "/"
        if path == allowed.path or (allowed.path.endswith("/") and path.startswith(allowed.path)):
            return ""
    return "it is not listed"


def address(text: str) -> tuple[Url | None, str]:
    """The address of a file, or what is wrong with it; it names no part of the text, which may hold secrets."""
    if not text.lower().startswith(("https://", "http://")):
        return None, "only https addresses are read"
    if ";" in text:
        return None, (
            "what follows a semicolon (an account key, impersonation, a token) is not taken; "
            "a shared access signature behind ? is"
        )
    if not text.isascii() or "\\" in text:
        return None, "an address has ASCII characters, percent-encoded where they mean something else"
    try:
        url = parse_url(text)
    except ValueError:
        return None, "it is no address: https://host/path is expected, without a user name"
    if any(step in (".", "..") for step in _plain(url.path).replace("\\", "/").split("/")):
        return None, "its path goes up and down (. or ..)"
    return url, ""


def _plain(path: str) -> str:
    for _ in range(_MOST_UNQUOTED):
        if (plain := unquote(path)) == path:
            break
        path = plain
    return path


def _origin(url: Url) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port
