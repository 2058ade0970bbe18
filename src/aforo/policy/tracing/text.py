"""A trace document as a person reads it: sections, policies by line, what their expressions gave, what they changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_EXPRESSION_CHARACTERS: Final = 100


def tree(document: Mapping[str, Any], *, times: bool = True) -> list[str]:
    """Lines of the document that `trace.document` makes; `times` shows when each policy began and how long it took."""
    out: list[str] = []
    for section, entries in document["traceEntries"].items():
        if entries:
            out.append(section)
        for entry in entries:
            out += _entry(entry, times)
    if document.get("leftOut"):
        out.append(f"{document['leftOut']} more policies ran")
    return out


def _entry(entry: Mapping[str, Any], times: bool) -> list[str]:
    indent = "  " * (entry["depth"] + 1)
    place = entry["place"]
    head = f"{indent}{entry['source']}  {place['file']}:{place['line']}:{place['column']}"
    if entry["policyId"]:
        head += f"  id={entry['policyId']}"
    if times:
        head += f"  +{entry['startMicroseconds']} µs, took {entry['durationMicroseconds']} µs"
    out = [head]
    data = entry["data"]
    inner = f"{indent}    "
    for each in data.get("expressions", ()):
        out.append(f"{inner}{_short(each['text'])} = {_value(each['value'])}")
    for each in data.get("messages", ()):
        more = "".join(f", {k}={_value(v)}" for k, v in each.get("metadata", {}).items())
        out.append(f"{inner}{each['severity']} from {each['source']}: {_value(each['message'])}{more}")
    for each in data.get("changes", ()):
        name = f" {each['name']}" if "name" in each else ""
        shown = "" if each.get("removed") else f": {_value(each['value'])}"
        late = " (too late: the stream was on its way)" if each.get("tooLate") else ""
        out.append(f"{inner}{each['what']}{name}{' removed' if each.get('removed') else ''}{shown}{late}")
    error = data.get("error")
    if error is not None:
        out.append(f"{inner}error {error['reason']} of {error['source']}: {error['message']}")
    if "ended" in data:
        out.append(f"{inner}{data['ended']}")
    return out


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= _EXPRESSION_CHARACTERS else f"{plain[:_EXPRESSION_CHARACTERS]}…"


def _value(value: str | None) -> str:
    return "null" if value is None else value.replace("\r", "\\r").replace("\n", "\\n")
