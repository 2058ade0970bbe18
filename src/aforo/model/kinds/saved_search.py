"""Saved searches of a workspace; with a `functionAlias` they are functions that any query there may call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aforo.model.declare import listing, record, text, whole
from aforo.model.ids import ResourceId
from aforo.model.kind import Kind, Mint, NameRule, Problem, Resource, View
from aforo.model.kinds.log_table import BUILT_IN
from aforo.model.kinds.workspace import WORKSPACE_TYPE

SAVED_SEARCH_TYPE = f"{WORKSPACE_TYPE}/savedSearches"


def function_text(search: Resource) -> str:
    """A saved function as KQL writes one: `(x:long, y:string="a") { T | where n > x }`."""
    parameters = str(search.properties.get("functionParameters") or "").strip()
    return f"({parameters}) {{ {search.properties['query']}\n}}"


def _fill(body: dict[str, Any], _old: Mapping[str, Any] | None, _rid: ResourceId, _mint: Mint) -> None:
    properties = body["properties"]
    properties.setdefault("version", 2)
    for name in ("functionAlias", "functionParameters"):
        if not str(properties.get(name, "")).strip():
            properties.pop(name, None)


def _aliases(search: Resource) -> Iterable[str]:
    alias = search.properties.get("functionAlias")
    if alias:
        yield f"function {str(alias).lower()} of {search.id.parent_key}"


def _is_function(search: Resource, _view: View) -> Iterable[Problem]:
    alias = search.properties.get("functionAlias")
    if search.properties.get("functionParameters") and not alias:
        yield Problem(
            ("properties", "functionParameters"), "parameters need a 'functionAlias' that is called with them"
        )
    if alias in BUILT_IN:
        yield Problem(
            ("properties", "functionAlias"), f"{alias} is a table: a function needs a name of its own"
        )


SAVED_SEARCH = Kind(
    name="saved search",
    type=SAVED_SEARCH_TYPE,
    parent=WORKSPACE_TYPE,
    properties=(
        text("category", required=True),
        text("displayName", required=True, minimum=1),
        text("query", required=True, minimum=1),
        text(
            "functionAlias",
            pattern=r"^[A-Za-z_][A-Za-z0-9_]*$|^$",
            doc="letters, digits and _, a letter first",
        ),
        text("functionParameters", doc="As KQL declares them: `start:datetime, top:long=10`."),
        whole("version"),
        listing("tags", record("tag", text("name", required=True), text("value", required=True))),
    ),
    names=NameRule(maximum=260),
    rules=(_is_function,),
    aliases=_aliases,
    fill=_fill,
    created_status=200,
)
