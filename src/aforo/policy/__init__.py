"""Policies, from text to what a call runs.

The compiler: document (XML) -> check (against spec, the declarations) -> emit, templates, elements/ (Python), around
(what is written around each) -> compile, resuming. structure is the shape of documents. authored and named_values (texts with their places), scopes,
diagnostics (all wording), limits, catalog; standalone (a text checked without its service), explain (the Python, for
people), effective (the documents of a call as one text).
What a call runs: bound and pipeline (documents over their scopes), running (what generated code calls), exchange (a call
in flight), subject (what it is about), services (ports), context/ (what expressions see).
What policies do: caching/, counting/ (limits and metrics), validating/, liquid/, tracing/; content_safety, cors,
outgoing (requests of their own), xml_json, streams (event streams that they read), owing (what they owe a call after
their element has run), answers (of those that refuse). What nobody may read: masking, flow (what an expression reads),
written_forms (how a text may stand in another), sealed_address. sections is the order in which a call runs.
rehearsing/ runs a call without a gateway.
"""
