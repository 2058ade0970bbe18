"""What a browser, system or device calls itself. The patterns are those of the ua-parser project, an optional extra."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from aforo.kql.natives.spec import Native, native, parsed, written
from aforo.kql.types import DYNAMIC, STRING

PARTS = ("browser", "os", "device")
# Longer texts are no user agents, and costly to search.
_LONGEST = 2048


def available() -> bool:
    """Whether the extra `useragents` is installed."""
    return find_spec("ua_parser") is not None


def parse_user_agent(text: str, look_for: str | None) -> str | None:
    from ua_parser import parse_device, parse_os, parse_user_agent

    wanted = list(PARTS) if look_for is None else parsed(look_for)
    parts = [str(p).lower() for p in wanted] if isinstance(wanted, list) else [str(wanted).lower()]
    if not all(part in PARTS for part in parts):
        return None
    text = text[:_LONGEST]
    out: dict[str, dict[str, str]] = {}
    for part in PARTS:
        if part not in parts:
            continue
        if part == "browser":
            out["Browser"] = _named(parse_user_agent(text), "major minor patch")
        elif part == "os":
            out["OperatingSystem"] = _named(parse_os(text), "major minor patch patch_minor")
        else:
            out["Device"] = _named(parse_device(text), "brand model")
    return written(out)


_NAMES = {
    "major": "MajorVersion", "minor": "MinorVersion", "patch": "Patch", "patch_minor": "PatchMinor", "brand": "Brand",
    "model": "Model",
}  # fmt: skip


def _named(found: Any, fields: str) -> dict[str, str]:
    out = {"Family": found.family if found is not None else "Other"}
    for field in fields.split():
        out[_NAMES[field]] = (getattr(found, field) or "") if found is not None else ""
    return out


NATIVES: tuple[Native, ...] = (native("parse_user_agent", parse_user_agent, DYNAMIC, STRING, DYNAMIC),)
