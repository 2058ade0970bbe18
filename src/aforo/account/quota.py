"""Rate limits of a deployment, as its capacity says: tokens and requests per minute. In-process, fixed windows.

A call passes while tokens are left, and its true cost is taken afterwards, as Azure does: the debt is carried
into the next window.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aforo.model.account_facts import DeploymentFacts

_WINDOW_S = 60.0
_REQUESTS_PER_1000_TOKENS = 6


@dataclass(slots=True)
class _Window:
    ends_at: float
    tokens: int = 0
    requests: int = 0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left. `refused` names the limit that was met (`token` or `request`), "" when none was."""

    requests: int
    tokens: int
    refused: str = ""
    retry_after_s: int = 0

    def headers(self) -> dict[str, str]:
        return {
            "x-ratelimit-remaining-requests": str(max(0, self.requests)),
            "x-ratelimit-remaining-tokens": str(max(0, self.tokens)),
        }


class Quota:
    """Windows by deployment; `clock` is in seconds and never goes back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._windows: dict[str, _Window] = {}

    def enter(self, deployment: DeploymentFacts) -> Allowance | None:
        """Count a call; None for a deployment without a limit."""
        limit = deployment.tokens_per_minute
        if limit is None:
            return None
        window = self._window(deployment.id, limit)
        most = max(1, limit * _REQUESTS_PER_1000_TOKENS // 1000)
        wait = max(1, round(window.ends_at - self._clock()))
        if window.tokens >= limit:
            return Allowance(most - window.requests, 0, "token", wait)
        if window.requests >= most:
            return Allowance(0, limit - window.tokens, "request", wait)
        window.requests += 1
        return Allowance(most - window.requests, limit - window.tokens)

    def spend(self, deployment: DeploymentFacts, tokens: int) -> None:
        """What the call really cost."""
        limit = deployment.tokens_per_minute
        if limit is not None:
            self._window(deployment.id, limit).tokens += tokens

    def _window(self, name: str, limit: int) -> _Window:
        now = self._clock()
        window = self._windows.get(name)
        if window is None:
            window = self._windows[name] = _Window(now + _WINDOW_S)
        elif now >= window.ends_at:
            passed = int((now - window.ends_at) // _WINDOW_S) + 1
            debt = max(0, window.tokens - limit * passed)
            window = self._windows[name] = _Window(window.ends_at + passed * _WINDOW_S, tokens=debt)
        return window
