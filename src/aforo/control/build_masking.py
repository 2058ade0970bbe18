"""`dataMasking` of a diagnostic as gateways read it: the rules of both directions, each name once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aforo.model.kinds.data_masking import MODES, maskings
from aforo.snapshot.snapshot import MaskPlan, MaskRules

# Where two rules name the same thing, the one that shows less counts; one that keeps is about that very thing.
_STRICTNESS = {mode: rank for rank, mode in enumerate(("Keep", "Hash", "Mask", "Hide"))}
assert set(_STRICTNESS) == set(MODES)
_LISTS = ("headers", "queryParams", "fields", "detectors")


def mask_plan(diagnostic: Mapping[str, Any], caller_header: str) -> MaskPlan | None:
    """The plan of a diagnostic's properties; None where nothing is masked."""
    found: dict[str, dict[str, dict[str, str]]] = {
        direction: {name: {} for name in _LISTS} for direction in ("requests", "responses")
    }
    for _, direction, masking in maskings(diagnostic):
        for each in ("requests", "responses") if direction == "both" else (direction,):
            for name in _LISTS:
                _add(found[each][name], masking.get(name, ()), folded=name in ("headers", "queryParams"))
    if not any(rules for lists in found.values() for rules in lists.values()):
        return None
    frontend, backend = diagnostic.get("frontend", {}), diagnostic.get("backend", {})
    messages = (
        frontend.get("request"), frontend.get("response"), backend.get("request"), backend.get("response"),
    )  # fmt: skip
    first, second, third, fourth = (int((m or {}).get("body", {}).get("bytes", 0)) for m in messages)
    return MaskPlan(
        _rules(found["requests"]), _rules(found["responses"]), (first, second, third, fourth), caller_header
    )


def _add(into: dict[str, str], rules: Any, *, folded: bool) -> None:
    for rule in rules:
        name, mode = str(rule["value"]), str(rule["mode"])
        name = name.lower() if folded else name
        if name not in into or _STRICTNESS[mode] > _STRICTNESS[into[name]]:
            into[name] = mode


def _rules(lists: Mapping[str, Mapping[str, str]]) -> MaskRules:
    headers, query, fields, detectors = (tuple(sorted(lists[name].items())) for name in _LISTS)
    return MaskRules(headers, query, fields, detectors)
