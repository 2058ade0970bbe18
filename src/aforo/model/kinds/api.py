"""APIs and their revisions: a path on the gateway and what stands behind it. They know no routing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from aforo.model.declare import anything, flag, instant, listing, record, reference, refused, text, whole
from aforo.model.ids import ResourceId
from aforo.model.kind import Kind, Mention, Mint, NameRule, Problem, Resource, View
from aforo.model.kinds.named_value import mentions, names_exist
from aforo.model.kinds.service import SERVICE_TYPE

API_TYPE = f"{SERVICE_TYPE}/apis"
URL = r"^(https?://[^\s/]+|.*(\{\{|\$\{)).*$"


def split_revision(name: str) -> tuple[str, str]:
    """(`azure-openai`, `2`) of `azure-openai;rev=2`; the revision is empty where the name has none."""
    base, _, revision = name.partition(";rev=")
    return base, revision


def _fill(body: dict[str, Any], old: Mapping[str, Any] | None, rid: ResourceId, _mint: Mint) -> None:
    properties = body["properties"]
    base, revision = split_revision(rid.name)
    properties.setdefault("displayName", base)
    properties["path"] = properties.get("path", "").strip("/")
    before = (old or {}).get("properties", {})
    properties["apiRevision"] = revision or before.get("apiRevision") or properties.get("apiRevision") or "1"
    properties["isCurrent"] = not revision


def _aliases(api: Resource) -> Iterable[str]:
    properties = api.properties
    if properties.get("isCurrent"):
        yield f"path {properties.get('path', '').lower()}{_version(properties)} of {api.id.parent_key}"


def _version(properties: Mapping[str, Any]) -> str:
    return f" version {properties['apiVersion'].lower()}" if properties.get("apiVersion") else ""


def _revision_has_base(api: Resource, view: View) -> Iterable[Problem]:
    base, revision = split_revision(api.name)
    if ";" in api.name and not re.fullmatch(r"[1-9]\d?|100", revision):
        yield Problem((), f"{api.name!r}: a revision is written ;rev=1 to ;rev=100")
    elif revision:
        current = view.get(f"{api.id.parent}/apis/{base}")
        if current is None:
            yield Problem((), f"there is no API {base!r} that this could be revision {revision} of")
        elif current.properties.get("apiRevision") == revision:
            yield Problem(
                (), f"revision {revision} is the current one: write it as {base!r}", code="Conflict"
            )
        elif current.properties.get("path") != api.properties.get("path"):
            wanted = current.properties.get("path")
            yield Problem(("properties", "path"), f"all revisions of {base!r} have its path, {wanted!r}")


def _version_needs_set(api: Resource, _view: View) -> Iterable[Problem]:
    properties = api.properties
    if properties.get("apiVersion") and not properties.get("apiVersionSetId"):
        yield Problem(
            ("properties", "apiVersion"), "an apiVersion needs an apiVersionSetId that says where it is read"
        )


def _mentions(api: Resource) -> Iterable[Mention]:
    return mentions(api, "serviceUrl")


def _names_exist(api: Resource, view: View) -> Iterable[Problem]:
    return names_exist(api, view, "serviceUrl")


API = Kind(
    name="api",
    type=API_TYPE,
    parent=SERVICE_TYPE,
    properties=(
        text("displayName", minimum=1, maximum=300),
        text(
            "path", required=True, maximum=400, pattern=r"^[^?#\s]*$", doc="No ?, # or white space in a path."
        ),
        listing(
            "protocols",
            text("protocol", values=("http", "https")),
            default=("https",),
            minimum=1,
            doc="A call over a scheme that is not listed is answered 404; a trusted proxy's `X-Forwarded-Proto` counts.",
        ),
        text("serviceUrl", maximum=2000, pattern=URL, doc="An absolute http or https URL is expected."),
        flag("subscriptionRequired", default=True),
        record(
            "subscriptionKeyParameterNames",
            text("header", minimum=1, pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"),
            text("query", minimum=1),
            text("bearer", values=("enabled", "disabled")),
        ),
        text("type", values=("http",), default="http"),
        text("apiType", values=("http",)),
        text("apiRevision", pattern=r"^([1-9]\d?|100)$", doc="A revision is a number from 1 to 100."),
        text("apiRevisionDescription", maximum=256),
        text("apiVersion", maximum=100),
        text("apiVersionDescription", maximum=256),
        reference("apiVersionSetId", f"{SERVICE_TYPE}/apiVersionSets"),
        flag("isCurrent"),
        flag("isOnline", readonly=True),
        text("description"),
        text("termsOfServiceUrl"),
        anything("contact"),
        anything("license"),
        instant("createdDateTime", readonly=True),
        text("provisioningState", readonly=True),
        text(
            "spoolFull",
            values=("refuse", "count"),
            doc="When a record cannot be kept: refuse the call, or let it pass and count what was lost.",
        ),
        whole(
            "maxBodyBytes",
            minimum=1,
            doc="The largest request body of this API; a larger one is answered 413. Without it a body that streams "
            "through has no limit, and one that a policy or the meter reads may have 64 MiB.",
        ),
        text(
            "statefulCalls",
            values=("owned", "passed"),
            default="owned",
            doc="`owned`: stored responses, files, batches, fine-tuning jobs and the like belong to the subscription that "
            "made them and stay on the backend that has them; for others, and where nobody made them here, they do not "
            "exist (404). `passed`: the gateway does not look at them.",
        ),
        flag(
            "auditMode",
            doc="Write down that a call begins, with its request, before it is forwarded: a gateway that dies in the middle "
            "of a call leaves a row for it, with `Aborted`. Every call is logged then, whatever the diagnostic samples.",
        ),
        refused(
            "authenticationSettings", "use a policy; tokens of a portal's console are not configured here"
        ),
        refused(
            "sourceApiId", "copying an API is not supported yet; export it and apply it under its new name"
        ),
        refused("apiVersionSet", "name an existing set with apiVersionSetId"),
        refused("wsdlSelector", "SOAP is not supported"),
    ),
    names=NameRule(maximum=256),
    rules=(_revision_has_base, _version_needs_set, _names_exist),
    aliases=_aliases,
    mentions=_mentions,
    fill=_fill,
)
