"""`llm-token-limit`: tokens per minute and per period, counted by a key, for any model."""

from __future__ import annotations

from aforo.policy.counting.token_limits import element

ELEMENT = element(
    "llm-token-limit",
    "Admits calls of a language model while their tokens stay within a minute's limit, a period's quota, or both.",
)
