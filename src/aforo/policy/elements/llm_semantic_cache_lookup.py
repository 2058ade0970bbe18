"""`llm-semantic-cache-lookup`: answers a prompt from the cache by its meaning."""

from __future__ import annotations

from aforo.policy.caching.semantic_policies import lookup_element

ELEMENT = lookup_element("llm-semantic-cache-lookup", "llm-semantic-cache-store")
