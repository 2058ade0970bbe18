"""The way of a call through the backends, as the columns BackendAttempts and BackendRoute show it."""

from __future__ import annotations

from typing import Any

from aforo.spool.records import BackendRoute


def attempts_of(route: BackendRoute) -> list[dict[str, Any]]:
    """Each try in its order; a status where the backend answered, the reason where it did not. Times in ms."""
    return [
        {
            "backend": each.backend,
            **({"status": each.status} if each.status else {"reason": each.reason}),
            "time": round(each.took_us / 1000, 3),
        }
        for each in route.attempts
    ]


def route_of(route: BackendRoute) -> dict[str, Any]:
    """Who was asked for, and who was passed over and why; what is empty is left out."""
    passed = [
        {
            "backend": each.backend,
            "why": each.why,
            **({"rule": each.rule} if each.rule else {}),
            "left": each.left_ms,
        }
        for each in route.passed_over
    ]
    told = {"asked": route.asked, "affinity": route.affinity, "passedOver": passed}
    return {name: value for name, value in told.items() if value}
