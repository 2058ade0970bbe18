"""API version sets: where the version of an API is read from."""

from __future__ import annotations

from collections.abc import Iterable

from aforo.model.declare import text
from aforo.model.kind import Kind, Problem, Resource, View
from aforo.model.kinds.service import SERVICE_TYPE


def _only_segments(version_set: Resource, _view: View) -> Iterable[Problem]:
    scheme = version_set.properties.get("versioningScheme")
    if scheme in ("Query", "Header"):
        place = ("properties", "versioningScheme")
        yield Problem(place, f"versions by {scheme} are not supported yet", ("use 'Segment'",))


VERSION_SET = Kind(
    name="API version set",
    type=f"{SERVICE_TYPE}/apiVersionSets",
    parent=SERVICE_TYPE,
    properties=(
        text("displayName", required=True, minimum=1, maximum=100),
        text("versioningScheme", required=True, values=("Segment", "Query", "Header")),
        text("versionQueryName", minimum=1, maximum=100),
        text("versionHeaderName", minimum=1, maximum=100),
        text("description"),
    ),
    rules=(_only_segments,),
)
