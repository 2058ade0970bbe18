"""`azure-openai-emit-token-metric`: the tokens of a call as metrics, for Azure OpenAI."""

from __future__ import annotations

from aforo.policy.counting.token_metrics import element

ELEMENT = element(
    "azure-openai-emit-token-metric",
    "Emits the tokens of a call of Azure OpenAI (total, of the prompt, of the answer) as metrics into `AppMetrics`.",
)
