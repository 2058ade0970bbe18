"""`azure-openai-token-limit`: tokens per minute and per period, counted by a key, for Azure OpenAI."""

from __future__ import annotations

from aforo.policy.counting.token_limits import element

ELEMENT = element(
    "azure-openai-token-limit",
    "Admits calls of Azure OpenAI while their tokens stay within a minute's limit, a period's quota, or both.",
)
