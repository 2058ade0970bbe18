"""Policies, from text to what a call runs.

document (XML) -> check (against spec, the declarations) -> emit, elements/ (Python) -> compile; authored and
named_values (texts with their places), diagnostics (all wording), limits, explain (the Python, for people), catalog.
scopes, subject (what a call is about), exchange (a call in flight), services (ports), context_types and its like
(what expressions see). bound and pipeline (documents over their scopes), running (what generated code calls), cors,
resuming (what of outbound follows a cache's answer), caching and its like (what the policies that cache do).
owing (what policies owe a call after their element has run), streams (event streams that policies read), admission and token_admission (limits at work), telling,
subscribed, token_limits, token_metrics, dimensions (what limits and metrics declare in common), content_safety.
around (what is written around each policy), masking (what nobody may read), trace, trace_records, trace_text (what a
call tells about itself). liquid_templates, liquid_filters, liquid_values (templates of set-body). scripted, trial, rehearsal (a call without a
gateway).
"""
