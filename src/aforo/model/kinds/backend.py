"""Backends and pools: where calls go, and with which credentials."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aforo.model.declare import (
    anything,
    credential,
    flag,
    listing,
    mapping,
    number,
    record,
    reference,
    refused,
    text,
    whole,
)
from aforo.model.ids import RESOURCE_GROUP_TYPE, BadId, ResourceId, parse_id
from aforo.model.kind import REFERENCE, Kind, Mention, Mint, Problem, Resource, View
from aforo.model.kinds.account import ACCOUNT_TYPE
from aforo.model.kinds.api import URL
from aforo.model.kinds.certificate import CERTIFICATE_TYPE
from aforo.model.kinds.named_value import mentions, names_exist
from aforo.model.kinds.service import SERVICE_TYPE

BACKEND_TYPE = f"{SERVICE_TYPE}/backends"
# Properties whose texts may name named values.
_NAMING = ("url", "credentials")
_NOT_RUN = "taking members out after failures is not run by this version"


def _fill(body: dict[str, Any], _old: Mapping[str, Any] | None, _id: ResourceId, _mint: Mint) -> None:
    properties = body["properties"]
    # Clients exist that cannot send the type of a pool: its members say what it is.
    properties["type"] = "Pool" if "pool" in properties else "Single"


def _single_or_pool(backend: Resource, view: View) -> Iterable[Problem]:
    properties = backend.properties
    if properties.get("type") == "Pool":
        for name, word in (("url", "Url"), ("protocol", "Protocol")):
            if name in properties:
                yield Problem(("properties", name), f"{word} is not supported for backend pool.")
        for name in ("credentials", "resourceId"):
            if name in properties:
                yield Problem(("properties", name), f"{name!r} belongs to the members of a pool")
        for index, member in enumerate(properties["pool"].get("services", ())):
            target = view.get(str(member.get("id")))
            if target is not None and target.properties.get("type") == "Pool":
                place = ("properties", "pool", "services", index, "id")
                yield Problem(place, "a pool cannot be a member of a pool")
    else:
        for name in ("url", "protocol"):
            if name not in properties:
                yield Problem(("properties",), f"{name!r} is required for a backend that is no pool")


def _certificate_exists(backend: Resource, view: View) -> Iterable[Problem]:
    credentials = backend.properties.get("credentials", {})
    wanted = [t for t in credentials.get("certificate", ()) if not REFERENCE.search(t)]
    known = {
        str(c.properties.get("thumbprint", "")).upper()
        for c in view.children(backend.id.parent_key, CERTIFICATE_TYPE)
    }
    if wanted and credentials.get("certificateIds"):
        yield Problem(("properties", "credentials"), "give 'certificateIds' or 'certificate', not both")
    for thumbprint in wanted:
        if "".join(thumbprint.split()).upper() not in known:
            place = ("properties", "credentials", "certificate", 0)
            yield Problem(place, f"the service has no certificate with the thumbprint {thumbprint}")


def _account_exists(backend: Resource, view: View) -> Iterable[Problem]:
    """What names an account of this system has to name one that is there."""
    named = backend.properties.get("resourceId")
    if named is None:
        return
    try:
        account = parse_id(named)
    except BadId:
        return  # an URL of another management plane
    here = backend.id.ancestor(RESOURCE_GROUP_TYPE)
    if (
        account.type_key != ACCOUNT_TYPE.lower()
        or here is None
        or not account.key.startswith(here.parent_key)
    ):
        return
    if view.get(account.key) is None:
        known = ", ".join(a.name for a in view.children(account.parent_key, ACCOUNT_TYPE))
        place = ("properties", "resourceId")
        hints = (f"there is: {known}",) if known else ()
        yield Problem(place, f"there is no account {account.name!r}", hints, code="ReferenceNotFound")


def _mentions(backend: Resource) -> Iterable[Mention]:
    return mentions(backend, *_NAMING)


def _names_exist(backend: Resource, view: View) -> Iterable[Problem]:
    return names_exist(backend, view, *_NAMING)


_VALUES = listing("values", credential("value"))

BACKEND = Kind(
    name="backend",
    type=BACKEND_TYPE,
    parent=SERVICE_TYPE,
    properties=(
        text("title", minimum=1, maximum=300),
        text("description", minimum=1, maximum=2000),
        reference(
            "resourceId",
            ACCOUNT_TYPE,
            foreign=True,
            doc="The account that it leads to; one whose `wire` is `openai` is asked for the models of its "
            "deployments. Any other id or URL is kept, not interpreted.",
        ),
        text("url", minimum=1, maximum=2000, pattern=URL, doc="An absolute http or https URL is expected."),
        text("protocol", values=("http",)),
        text("type", values=("Single", "Pool")),
        text("azureRegion"),
        record(
            "credentials",
            mapping("header", _VALUES),
            mapping("query", _VALUES),
            record(
                "authorization",
                text("scheme", required=True, minimum=1, maximum=100),
                credential("parameter", required=True, maximum=300),
            ),
            record("managedIdentity", text("resource", required=True), text("clientId")),
            listing(
                "certificateIds",
                reference("id", CERTIFICATE_TYPE),
                maximum=1,
                doc="The certificate of the service that the backend is shown.",
            ),
            listing(
                "certificate",
                text("thumbprint", minimum=1),
                maximum=1,
                doc="The same, by its thumbprint.",
            ),
        ),
        record("tls", flag("validateCertificateChain"), flag("validateCertificateName")),
        refused("circuitBreaker", _NOT_RUN),
        record(
            "pool",
            listing(
                "services",
                record(
                    "member",
                    reference("id", BACKEND_TYPE, required=True),
                    number("weight", 0, 100),
                    whole("priority", 0, 100),
                ),
                minimum=1,
                maximum=30,
                required=True,
            ),
            refused("failureResponse", _NOT_RUN),
            refused("sessionAffinity", "session affinity of pools is not supported yet"),
        ),
        anything("properties"),
        refused("proxy", "calls through a forward proxy are not supported yet"),
    ),
    rules=(_single_or_pool, _names_exist, _certificate_exists, _account_exists),
    mentions=_mentions,
    fill=_fill,
    nested_secrets=True,
)
