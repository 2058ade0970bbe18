"""ARM resource ids: text in, parts out, compared without regard to case. It knows no kind and no graph.

`/subscriptions/{s}/resourceGroups/{rg}/providers/{namespace}/{type}/{name}/{type}/{name}...`, and extension
resources, whose `providers/{namespace}` follows another resource's id. Names keep the case they were given.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

SUBSCRIPTION_TYPE = "Microsoft.Resources/subscriptions"
RESOURCE_GROUP_TYPE = "Microsoft.Resources/resourceGroups"


@dataclass(frozen=True, slots=True, eq=False)
class ResourceId:
    """An id. `type` is the full ARM type as written, `key` is what ids are compared by, `parent` the id text of
    the resource that contains this one (or that it extends), empty for a subscription."""

    text: str
    type: str
    name: str
    parent: str
    key: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ResourceId) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __str__(self) -> str:
        return self.text

    @property
    def parent_key(self) -> str:
        return self.parent.lower()

    @property
    def type_key(self) -> str:
        return self.type.lower()

    def child(self, segment: str, name: str) -> ResourceId:
        """The id of a contained resource: `apis`, `azure-openai`."""
        text = f"{self.text}/{segment}/{name}"
        return ResourceId(text, f"{self.type}/{segment}", name, self.text, text.lower())

    def extension(self, full_type: str, name: str) -> ResourceId:
        """The id of an extension resource on this one: `Microsoft.Insights/diagnosticSettings`, name."""
        text = f"{self.text}/providers/{full_type}/{name}"
        return ResourceId(text, full_type, name, self.text, text.lower())

    def ancestor(self, full_type: str) -> ResourceId | None:
        """This id or the nearest containing one of that type, None when there is none."""
        wanted = full_type.lower()
        current: ResourceId | None = self
        while current is not None:
            if current.type_key == wanted:
                return current
            current = _parse(current.parent) if current.parent else None
        return None


class BadId(ValueError):  # noqa: N818 - it says what the id is
    """The text is not an ARM id; the message says why."""


def parse_id(text: str) -> ResourceId:
    """The id of that text. BadId says what is wrong with it."""
    return _parse(text)


@lru_cache(maxsize=4096)
def _parse(text: str) -> ResourceId:
    if not text.startswith("/"):
        raise BadId(f"{text!r} is not a resource id: it has to start with /subscriptions/")
    segments = text.strip("/").split("/")
    if segments[0].lower() != "subscriptions":
        raise BadId(f"{text!r} is not a resource id: it has to start with /subscriptions/")
    if "" in segments:
        raise BadId(f"{text!r} has an empty segment")
    clean: list[str] = []
    types: list[str] = []
    namespace, parent, name = "", "", ""
    i = 0
    while i < len(segments):
        segment = segments[i]
        if i + 1 >= len(segments):
            raise BadId(f"{text!r} ends with {segment!r}, where a name has to follow")
        following = segments[i + 1]
        if segment.lower() == "providers":
            namespace, types = following, []
            if i + 3 >= len(segments):
                raise BadId(f"{text!r} names the provider {following!r} but no resource of it")
            parent = "/" + "/".join(clean) if clean else ""
            clean += ["providers", following]
            i += 2
            # The first pair after a provider belongs to what came before the word `providers`.
            types.append(segments[i])
            name = segments[i + 1]
            clean += [segments[i], name]
            i += 2
            continue
        parent = "/" + "/".join(clean) if clean else ""
        clean += [segment, following]
        if namespace:
            types.append(segment)
        name = following
        i += 2
    if namespace:
        full_type = "/".join([namespace, *types])
    elif len(clean) == 2:
        full_type = SUBSCRIPTION_TYPE
    elif len(clean) == 4 and clean[2].lower() == "resourcegroups":
        full_type = RESOURCE_GROUP_TYPE
    else:
        raise BadId(f"{text!r} names no provider after its subscription or resource group")
    canonical = "/" + "/".join(clean)
    return ResourceId(canonical, full_type, name, parent, canonical.lower())
