"""External caches of a service: a Valkey or Redis server that all gateways of a region share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aforo.model.declare import credential, text
from aforo.model.kind import REFERENCE, Kind, Mention, Problem, Resource, View
from aforo.model.kinds.named_value import NAMED_VALUE_TYPE, mentions, names_exist
from aforo.model.kinds.service import SERVICE_TYPE
from aforo.model.secret import Secret
from aforo.model.valkey_address import read_address

CACHE_TYPE = f"{SERVICE_TYPE}/caches"
DEFAULT = "default"


def cache_in_use(caches: Iterable[Resource], location: str) -> Resource | None:
    """The cache of a gateway's region, else the one that is there for all regions."""
    by_place = {_plain(str(c.properties.get("useFromLocation", ""))): c for c in caches}
    return by_place.get(_plain(location)) or by_place.get(DEFAULT)


def _plain(location: str) -> str:
    """`West Europe` and `westeurope` are one place."""
    return "".join(location.split()).lower()


def _can_be_read(cache: Resource, view: View) -> Iterable[Problem]:
    given = cache.properties.get("connectionString")
    if given is None:
        return
    values = _named(cache, view)
    clear = REFERENCE.sub(lambda m: values.get(m[1], m[0]), _clear(given))
    if REFERENCE.search(clear):
        return  # its value is not known here
    try:
        read_address(clear)
    except ValueError as error:
        yield Problem(("properties", "connectionString"), str(error))


def _named(cache: Resource, view: View) -> Mapping[str, str]:
    values = view.children(cache.id.parent_key, NAMED_VALUE_TYPE)
    return {
        str(v.properties.get("displayName", "")): _clear(v.properties["value"])
        for v in values
        if v.properties.get("value") is not None
    }


def _clear(value: object) -> str:
    return value.reveal() if isinstance(value, Secret) else str(value)


def _one_for_a_place(cache: Resource, view: View) -> Iterable[Problem]:
    place = _plain(str(cache.properties.get("useFromLocation", "")))
    for other in view.children(cache.id.parent_key, CACHE_TYPE):
        if other.id.key != cache.id.key and _plain(str(other.properties.get("useFromLocation", ""))) == place:
            yield Problem(
                ("properties", "useFromLocation"), f"the cache {other.name!r} is used from there already"
            )


def _mentions(cache: Resource) -> Iterable[Mention]:
    return mentions(cache, "connectionString")


def _names_exist(cache: Resource, view: View) -> Iterable[Problem]:
    return names_exist(cache, view, "connectionString")


CACHE = Kind(
    name="cache",
    type=CACHE_TYPE,
    parent=SERVICE_TYPE,
    properties=(
        credential("connectionString", required=True, maximum=300),
        text(
            "useFromLocation",
            required=True,
            minimum=1,
            maximum=256,
            doc="The region whose gateways use it, or `default` for all that have none of their own.",
        ),
        text("description", maximum=2000),
        text("resourceId", maximum=2000, doc="Azure's id of the cache; kept and shown."),
    ),
    rules=(_can_be_read, _one_for_a_place, _names_exist),
    mentions=_mentions,
)
