"""What of a call an expression reads, by the labels of the members that it uses (context/types.py): the compile-time half
of following secrets. It knows no call; the names are those of `running.Site.reads`.
"""

from __future__ import annotations

import re

from aforo.policy.masking import CREDENTIAL_HEADERS, CREDENTIAL_PARAMETERS
from aforo.policy.pipeline import Effects

# Labels of context members that touch bodies; see context/types.py.
BODIES = {
    "request-body": Effects(reads_request_body=True),
    "response-body": Effects(reads_response_body=True),
}
# Labels of headers that are read by name; see context/types.py.
_BY_NAME = frozenset(("header", "header-name"))
_QUERY_BY_NAME = frozenset(("query", "query-name"))
_URL_PARTS = frozenset(("url-part", "url-path", "url-host", "queries", "query-text"))
# Names of headers and parameters under which an API may be given its key.
_LIKE_KEY = re.compile(r"^(?:header|query):.*(?:key|token|secret|auth|pass|cred|sig|sess|code)")
# Labels of what is followed as it is, and its name in `running.Site.reads`.
PLACE_LABELS = {
    **{label: f"@{label}" for label in BODIES},
    "url-path": "@path",
    "url-host": "@base-url",
    "url-text": "@base-url",
}


def may_be_key(names: frozenset[str | None]) -> bool:
    """Whether an API may have its key there, under a name of its own."""
    return any(r == "@query" or (r is not None and _LIKE_KEY.search(r) is not None) for r in names)


def reads(effects: frozenset[tuple[str, str | None]]) -> frozenset[str | None]:
    """What of the call an expression reads, in the names of `running.Site.reads`."""
    out: set[str | None] = set()
    for label, literal in effects:
        if label == "variable":
            out.add(literal)
        elif label == "header" and literal is not None:
            out.add(f"header:{literal.lower()}")
        elif label == "query" and literal is not None:
            out |= {f"query:{literal.lower()}", "query:*"}
        elif label in PLACE_LABELS:
            out.add(PLACE_LABELS[label])
    labels = {label for label, _ in effects}
    if "url" in labels and labels.isdisjoint(_URL_PARTS):
        out |= {"@path", "@base-url"}
    if (
        "query-text" in labels
        or ("query", None) in effects
        or ("url" in labels and labels.isdisjoint(_URL_PARTS))
        or ("queries" in labels and labels.isdisjoint(_QUERY_BY_NAME))
    ):
        out.add("@query")
    return frozenset(out)


def credential(effects: frozenset[tuple[str, str | None]]) -> bool:
    """Whether a credential is read: a header or parameter of that name, or all headers, whatever their names."""
    labels = {label for label, _ in effects}
    if "secret" in labels or ("headers" in labels and labels.isdisjoint(_BY_NAME)):
        return True
    return any(
        (label == "header" and (literal or "").lower() in CREDENTIAL_HEADERS)
        or (label == "query" and (literal or "").lower() in CREDENTIAL_PARAMETERS)
        for label, literal in effects
    )
