"""Shapes of keys: providers' prefixes, Azure's keys, tokens, private keys. It knows no key of this installation.

Keys are long runs of few letters: those are looked for first, shapes only in them. What has no shape of its own is
found by the name that stands before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_RUN = re.compile(r"[A-Za-z0-9_+/=.-]{19,}+")
# A literal that begins a key, and what has to follow it.
_PREFIXED: Final = tuple(
    (literal, re.compile(rf"{re.escape(literal)}{rest}"))
    for literal, rest in (
        ("sk-", r"[A-Za-z0-9_-]{16,}+"),
        ("sk_live_", r"[A-Za-z0-9]{16,}+"),
        ("sk_test_", r"[A-Za-z0-9]{16,}+"),
        ("rk_live_", r"[A-Za-z0-9]{16,}+"),
        ("AKIA", r"[0-9A-Z]{16}(?![0-9A-Za-z])"),
        ("ASIA", r"[0-9A-Z]{16}(?![0-9A-Za-z])"),
        ("ghp_", r"[A-Za-z0-9]{30,}+"),
        ("gho_", r"[A-Za-z0-9]{30,}+"),
        ("ghs_", r"[A-Za-z0-9]{30,}+"),
        ("github_pat_", r"[A-Za-z0-9_]{30,}+"),
        ("glpat-", r"[A-Za-z0-9_-]{20,}+"),
        ("xoxb-", r"[A-Za-z0-9-]{16,}+"),
        ("xoxp-", r"[A-Za-z0-9-]{16,}+"),
        ("AIza", r"[A-Za-z0-9_-]{35}"),
        ("hf_", r"[A-Za-z0-9]{30,}+"),
        ("gsk_", r"[A-Za-z0-9]{30,}+"),
        ("npm_", r"[A-Za-z0-9]{30,}+"),
        ("pypi-", r"[A-Za-z0-9_-]{50,}+"),
    )
)
_WORD = re.compile(r"[A-Za-z0-9]++")
_HEX = re.compile(r"[0-9A-Fa-f]{32}")
# Signatures inside of Azure's keys: letters before and behind.
_SIGNED: Final = (("JQQJ9", 52, 32), ("AzSe", 42, 10))
# What is a key because a name before it says so: parts of the names, in lower case, and the names.
_HINTS: Final = ("key", "secret", "passw", "signature")
_NAMES: Final = (
    "accountkey",
    "sharedaccesskey",
    "sharedaccesssignature",
    "aws_secret_access_key",
    "client_secret",
    "clientsecret",
    "api_key",
    "api-key",
    "apikey",
    "subscription-key",
    "password",
    "passwd",
    "secretkey",
    "secret_key",
)
_VALUE = re.compile(r"[\"']?[ \t]{0,4}[:=][ \t]{0,4}[\"']?([^\s\"'&;,<>\\]{6,}+)")
_TOKEN = re.compile(r"[A-Za-z0-9_.=-]*+")
_PEM_BEGIN: Final = "-----BEGIN "
_PEM_END: Final = "-----END "


def find_keys(text: str) -> Iterator[tuple[int, int]]:
    """Begin and end of each; they may overlap."""
    for run in _RUN.finditer(text):
        at = run.start()
        for start, end in _in_run(run[0]):
            yield at + start, at + end
    if _PEM_BEGIN in text:
        yield from _private_keys(text)
    folded = text.lower()
    if any(hint in folded for hint in _HINTS):
        # A few letters are longer in lower case; then places are those of the other text.
        yield from _named(text, folded if len(folded) == len(text) else text)


def _in_run(run: str) -> Iterator[tuple[int, int]]:
    for literal, shape in _PREFIXED:
        if literal in run:
            for found in shape.finditer(run):
                if not run[found.start() - 1 : found.start()].isalnum() or not found.start():
                    yield found.span()
    if "eyJ" in run:
        yield from _tokens(run)
    size = len(run)
    if size >= 32:
        for word in _WORD.finditer(run):
            start, end = word.span()
            if end - start == 32 and _HEX.match(run, start):
                yield start, end
        yield from _signed(run)
    if run.endswith("=") and size >= 44:
        core = run.rstrip("=")
        core = core[core.rfind("=") + 1 :]
        # Storage, Cosmos DB and event hubs: 64 and 32 bytes in base64.
        if (len(core) == 86 and run.endswith("==")) or (len(core) == 43 and "+A" in core):
            start = run.rstrip("=").rfind("=") + 1
            yield start, size


def _signed(run: str) -> Iterator[tuple[int, int]]:
    for signature, before, behind in _SIGNED:
        at = run.find(signature)
        while at >= 0:
            key = run[max(at - before, 0) : at + behind]
            if at >= before and len(key) == before + behind and key.isalnum():
                yield at - before, at + behind
            at = run.find(signature, at + 1)


def _tokens(run: str) -> Iterator[tuple[int, int]]:
    """JSON web tokens, signed (three parts) and encrypted (five)."""
    at = run.find("eyJ")
    while at >= 0:
        found = _TOKEN.match(run, at)
        end = found.end() if found is not None else at + 3
        parts = run[at:end].split(".")
        if len(parts) >= 3 and any(p.startswith("eyJ") and len(p) >= 10 for p in parts[:-2]):
            yield at, end
        at = run.find("eyJ", end)


def _named(text: str, folded: str) -> Iterator[tuple[int, int]]:
    for name in _NAMES:
        at = folded.find(name)
        while at >= 0:
            at += len(name)
            value = _VALUE.match(text, at)
            if value is not None:
                yield value.span(1)
                at = value.end()
            at = folded.find(name, at)


def _private_keys(text: str) -> Iterator[tuple[int, int]]:
    """From the first line of a private key to its last one, or to the end of the text where that is missing."""
    at = text.find(_PEM_BEGIN)
    while at >= 0:
        if "PRIVATE KEY" in text[at : at + 48]:
            end = text.find(_PEM_END, at)
            closing = text.find("-----", end + len(_PEM_END)) if end >= 0 else -1
            if closing < 0:
                yield at, len(text)
                return
            yield at, closing + 5
            at = closing + 5
        else:
            at += len(_PEM_BEGIN)
        at = text.find(_PEM_BEGIN, at)
