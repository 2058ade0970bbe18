"""Policies, from text to what a call runs.

document (XML) -> check (against spec, the declarations) -> emit, elements/ (Python) -> compile; authored and
named_values (texts with their places), diagnostics (all wording), limits, explain (the Python, for people), catalog.
scopes, subject (what a call is about), exchange (a call in flight), services (ports), context_types and its like
(what expressions see). bound and pipeline (documents over their scopes), running (what generated code calls), cors,
resuming (what of outbound follows a cache's answer), caching and its like (what the policies that cache do).
"""
