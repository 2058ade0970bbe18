"""`dataMasking` of diagnostics: headers and query parameters as Azure has them; fields and detectors are our own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from aforo.model.declare import listing, record, text
from aforo.model.field_path import read_path
from aforo.model.kind import Path, Problem, Property, Resource, View

MODES: Final = ("Mask", "Hide", "Hash", "Keep")
DETECTORS: Final = ("email", "phone", "card", "iban", "key")
# Where in a diagnostic it may stand, and for which directions it counts.
PLACES: Final[tuple[tuple[tuple[str, ...], str], ...]] = (
    ((), "both"),
    (("frontend", "request"), "requests"),
    (("backend", "request"), "requests"),
    (("frontend", "response"), "responses"),
    (("backend", "response"), "responses"),
)
_MODE_DOC: Final = (
    "`Mask` writes `*****`, `Hide` nothing at all, `Hash` a keyed hash that is the same for equal values in this "
    "installation, `Keep` the value, which no detector looks at then. `Hash` and `Keep` are our own."
)


def _entry(name: str, value: Property) -> Property:
    return listing(
        name, record("rule", value, text("mode", values=MODES, required=True, doc=_MODE_DOC)), maximum=100
    )


DATA_MASKING: Final = record(
    "dataMasking",
    _entry("headers", text("value", required=True, minimum=1, maximum=256, doc="A header's name.")),
    _entry("queryParams", text("value", required=True, minimum=1, maximum=256, doc="A parameter's name.")),
    _entry(
        "fields",
        text(
            "value",
            required=True,
            minimum=2,
            maximum=500,
            doc="Our own: a path in JSON bodies and in the events of streams, such as `$.user`, "
            "`$.messages[*].content`, `$..password`.",
        ),
    ),
    _entry(
        "detectors",
        text(
            "value",
            required=True,
            values=DETECTORS,
            doc="Our own: what is found by its shape in bodies, URLs, headers, errors and traces.",
        ),
    ),
    doc="What is masked before a call is written down. What stands in a request counts for both sides of it, the "
    "client's and the backend's, and so for responses; at the diagnostic itself (our own) it counts for all four.",
)


def maskings(diagnostic: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str, Mapping[str, Any]]]:
    """Each `dataMasking` in a diagnostic's properties: its place, its directions, what it says."""
    for place, direction in PLACES:
        at: Any = diagnostic
        for name in place:
            at = at.get(name) or {}
        if at.get("dataMasking"):
            yield (*place, "dataMasking"), direction, at["dataMasking"]


def readable_paths(diagnostic: Resource, _view: View) -> Iterable[Problem]:
    """A rule of kinds: paths can be read."""
    for place, _, masking in maskings(diagnostic.properties):
        for index, rule in enumerate(masking.get("fields", ())):
            try:
                read_path(str(rule.get("value", "")))
            except ValueError as error:
                where: Path = ("properties", *place, "fields", index, "value")
                yield Problem(where, str(error))
