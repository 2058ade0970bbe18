"""`azure-openai-semantic-cache-store`: keeps a model's answer for prompts of the same meaning."""

from __future__ import annotations

from aforo.policy.caching.semantic_policies import store_element

ELEMENT = store_element("azure-openai-semantic-cache-store", "azure-openai-semantic-cache-lookup")
