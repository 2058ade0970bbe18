"""Backends and pools: where calls go, and with which credentials."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aforo.model.declare import (
    anything,
    credential,
    duration,
    flag,
    listing,
    mapping,
    record,
    reference,
    refused,
    text,
    whole,
)
from aforo.model.ids import RESOURCE_GROUP_TYPE, BadId, ResourceId, parse_id
from aforo.model.kind import REFERENCE, Kind, Mention, Mint, Problem, Property, Resource, View
from aforo.model.kinds.account import ACCOUNT_TYPE
from aforo.model.kinds.api import URL
from aforo.model.kinds.certificate import CERTIFICATE_TYPE
from aforo.model.kinds.named_value import mentions, names_exist
from aforo.model.kinds.service import SERVICE_TYPE
from aforo.stamps import duration_s

BACKEND_TYPE = f"{SERVICE_TYPE}/backends"
# Properties whose texts may name named values.
_NAMING = ("url", "credentials", "proxy")
# What a pool's members have, each its own.
_OF_MEMBERS = ("credentials", "resourceId", "circuitBreaker", "proxy", "healthProbe")
_COOKIE_NAME = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"


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
        for name in _OF_MEMBERS:
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


def _breakers_can_trip(backend: Resource, _view: View) -> Iterable[Problem]:
    rules = backend.properties.get("circuitBreaker", {}).get("rules", ())
    names: set[str] = set()
    for index, rule in enumerate(rules):
        place = ("properties", "circuitBreaker", "rules", index)
        name = str(rule.get("name", "")).lower()
        if name and name in names:
            yield Problem((*place, "name"), f"there are two rules with the name {rule['name']!r}")
        names.add(name)
        condition = rule.get("failureCondition", {})
        where = (*place, "failureCondition")
        if ("count" in condition) == ("percentage" in condition):
            yield Problem(where, "one of 'count' and 'percentage' is expected here")
        yield from _ranges(condition, where)
        yield from _lasts(condition, where, "interval")
        yield from _lasts(rule, place, "tripDuration")


def _probes_fit(backend: Resource, _view: View) -> Iterable[Problem]:
    probe = backend.properties.get("healthProbe")
    if probe is None:
        return
    place = ("properties", "healthProbe")
    yield from _ranges(probe, place)
    for name in ("interval", "timeout"):
        yield from _lasts(probe, place, name)
    if duration_s(probe["interval"]) < 1:
        yield Problem((*place, "interval"), "probes come at most once a second")


def _ranges(of: Mapping[str, Any], place: tuple[str | int, ...]) -> Iterable[Problem]:
    for index, each in enumerate(of.get("statusCodeRanges", ())):
        if each["min"] > each["max"]:
            yield Problem(
                (*place, "statusCodeRanges", index), f"from {each['min']} to {each['max']} there is no status"
            )


def _lasts(of: Mapping[str, Any], place: tuple[str | int, ...], name: str) -> Iterable[Problem]:
    if name in of and duration_s(of[name]) <= 0:
        yield Problem((*place, name), f"{name!r} must be longer than nothing")


def _proxy_is_http(backend: Resource, _view: View) -> Iterable[Problem]:
    proxy = backend.properties.get("proxy", {})
    url = str(proxy.get("url", ""))
    if url.lower().startswith("https:"):
        place = ("properties", "proxy", "url")
        yield Problem(place, "only proxies that are spoken to with http:// are supported")
    if "password" in proxy and "username" not in proxy:
        yield Problem(("properties", "proxy"), "a password needs the 'username' that it belongs to")


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


def _status_ranges(doc: str) -> Property:
    both = record(
        "range", whole("min", 200, 599, required=True), whole("max", 200, 599, required=True), required=True
    )
    return listing("statusCodeRanges", both, maximum=10, doc=doc)


def _failure_response(doc: str) -> Property:
    return record("failureResponse", whole("statusCode", 200, 599, required=True), doc=doc)


_RULE = record(
    "rule",
    text("name", minimum=1, maximum=80),
    record(
        "failureCondition",
        whole("count", 1, 10_000, doc="So many failures within the interval."),
        whole(
            "percentage",
            1,
            100,
            doc="So many of a hundred calls within the interval: of at least two calls, and of as many as it takes for "
            "one failure to be less than that share.",
        ),
        duration("interval", required=True),
        _status_ranges("Statuses of the backend that are failures; 500 to 599 where nothing else is named."),
        listing(
            "errorReasons",
            text("reason", minimum=1, maximum=200),
            maximum=10,
            doc="Reasons of `LastError` that are failures: `BackendConnectionFailure`, `Timeout`. No answer counts as "
            "the status 500 too. `Server errors` stands for 500 to 599.",
        ),
        required=True,
    ),
    duration("tripDuration", required=True, doc="How long the backend is not called then."),
    flag(
        "acceptRetryAfter",
        doc="What the failure's `Retry-After` (or `retry-after-ms`) says comes in the place of `tripDuration`.",
    ),
    _failure_response("What clients get meanwhile in the place of 503."),
)

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
        record(
            "circuitBreaker",
            listing("rules", _RULE, maximum=15),
            doc="When the backend is taken out after failures. Each gateway process counts for itself.",
        ),
        record(
            "pool",
            listing(
                "services",
                record(
                    "member",
                    reference("id", BACKEND_TYPE, required=True),
                    whole(
                        "weight",
                        0,
                        100,
                        doc="Its share among members of its priority; 1 without. 0: none while any "
                        "other member can be called.",
                    ),
                    whole("priority", 0, 100, doc="The lowest number is called first; 1 without."),
                    refused("preferredCarbonEmission", "emissions are not known here"),
                ),
                minimum=1,
                maximum=30,
                required=True,
            ),
            _failure_response("What clients get when no member can be called, in the place of 503."),
            record(
                "sessionAffinity",
                record(
                    "sessionId",
                    text("source", values=("cookie",), required=True),
                    text(
                        "name",
                        minimum=1,
                        maximum=100,
                        pattern=_COOKIE_NAME,
                        required=True,
                        doc="A name of a cookie is expected: letters, digits and marks such as - and _.",
                    ),
                    required=True,
                ),
                doc="Later calls with the cookie that an answer has set go to the same member while it can be called.",
            ),
        ),
        anything("properties"),
        record(
            "proxy",
            text("url", minimum=1, maximum=2000, pattern=URL, required=True, doc="An http URL is expected."),
            text("username", minimum=1),
            credential("password"),
            doc="The proxy on the way to the backend: with CONNECT for https, with the whole URL for http.",
        ),
        record(
            "healthProbe",
            text(
                "path",
                minimum=1,
                maximum=400,
                pattern=r"^/[^#\s]*$",
                default="/",
                doc="A path below the backend's URL, with its query: /health",
            ),
            duration("interval", default="PT10S"),
            duration("timeout", default="PT2S"),
            whole("unhealthyThreshold", 1, 100, default=3, doc="Failed probes in a row that take it out."),
            whole("healthyThreshold", 1, 100, default=1, doc="Good probes in a row that let it in again."),
            _status_ranges("Statuses that are good; 200 to 399 without."),
            doc="Aforo's own: each gateway process asks the backend by itself, with the backend's credentials, whether "
            "it lives. Azure has no such property.",
        ),
    ),
    rules=(
        _single_or_pool,
        _names_exist,
        _certificate_exists,
        _account_exists,
        _breakers_can_trip,
        _probes_fit,
        _proxy_is_http,
    ),
    mentions=_mentions,
    fill=_fill,
    nested_secrets=True,
)
