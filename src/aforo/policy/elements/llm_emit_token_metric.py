"""`llm-emit-token-metric`: the tokens of a call as metrics, for any model."""

from __future__ import annotations

from aforo.policy.counting.token_metrics import element

ELEMENT = element(
    "llm-emit-token-metric",
    "Emits the tokens of a call (total, of the prompt, of the answer) as metrics into `AppMetrics`.",
)
