"""Who may call: the subscription key of a request and what it opens. It knows no policy.

Source: Azure's "Subscriptions in Azure API Management".
"""

from __future__ import annotations

from hashlib import sha256
from urllib.parse import unquote_plus

import msgspec

from aforo.messages import Headers
from aforo.policy import answers
from aforo.snapshot.runtime import ApiRuntime, KeyHolder, Runtime


class Admitted(msgspec.Struct, frozen=True):
    """The call may go on: in the context of a product ("" for none), with a subscription or without."""

    holder: KeyHolder | None
    product_id: str


class Refused(msgspec.Struct, frozen=True):
    """The call ends with 401."""

    reason: str  # LastError.Reason
    message: str


_MISSING = Refused("SubscriptionKeyNotFound", answers.MISSING_KEY)
_INVALID = Refused("SubscriptionKeyInvalid", answers.INVALID_KEY)


def admit(runtime: Runtime, api: ApiRuntime, headers: Headers, query: str) -> Admitted | Refused:
    """Whether this request may use this API, by its key or without one."""
    shown = headers.fields.get(api.key_header)
    key = shown if type(shown) is bytes else presented(api, headers, query)
    if not key:
        if api.open_product is not None:
            return Admitted(None, api.open_product)
        return _MISSING if api.entry.subscription_required else Admitted(None, "")
    holder = runtime.keys.get(sha256(key).digest())
    if holder is None or not holder.active:
        return _INVALID
    product_id = holder.product_id
    if product_id:
        return Admitted(holder, product_id) if product_id in api.products else _INVALID
    scope = holder.entry.scope
    if scope in ("service", "apis") or scope == f"api:{api.entry.subject.id}":
        return Admitted(holder, "")
    return _INVALID


def presented(api: ApiRuntime, headers: Headers, query: str) -> bytes:
    """The key that a request shows: header first, then the query, then (where the API says so) Bearer."""
    value = headers.get(api.key_header)
    if value is not None:
        return value
    if query and api.key_query:
        for pair in query.split("&"):
            name, _, text = pair.partition("=")
            if name == api.key_query or (
                len(name) != len(api.key_query) and unquote_plus(name) == api.key_query
            ):
                return unquote_plus(text).encode()
    if api.entry.key_bearer:
        authorization = headers.get(b"authorization")
        if authorization is not None and authorization[:7].lower() == b"bearer ":
            return authorization[7:].strip()
    return b""
