"""Ingestion mappings: which place of a record goes into which column. It knows no table and no request."""

from __future__ import annotations

import re
from typing import Any

import orjson

from aforo.errors import Invalid

_STEP = re.compile(r"\.(\w+)|\[\s*'([^']*)'\s*\]|\[\s*\"([^\"]*)\"\s*\]|\[\s*(\d+)\s*\]")


def mapping_columns(text: str, kind: str) -> list[dict[str, Any]]:
    """The entries of a mapping (JSON text) as `column` with `path` (kind `json`), `ordinal` or `constant`."""
    try:
        listed = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"The mapping is not JSON: {error.msg}.", code="BadMapping") from error
    if not isinstance(listed, list) or not all(isinstance(c, dict) for c in listed):
        raise Invalid("A mapping is a JSON array of objects.", code="BadMapping")
    return [_mapped(column, kind) for column in listed]


def _mapped(column: dict[str, Any], kind: str) -> dict[str, Any]:
    by_name = {str(k).lower(): v for k, v in column.items()}
    more = by_name.get("properties") or {}
    if not isinstance(more, dict):
        raise Invalid("The 'Properties' of a mapping's entry are an object.", code="BadMapping")
    properties = {str(k).lower(): v for k, v in more.items()} | by_name
    name = by_name.get("column") or by_name.get("columnname") or by_name.get("name")
    if not isinstance(name, str):
        raise Invalid("An entry of the mapping names no column.", code="BadMapping")
    if properties.get("transform"):
        raise Invalid(f"The mapping of {name!r} has a Transform, which is not supported.", code="BadMapping")
    constant = properties.get("constvalue", properties.get("constantvalue"))
    if constant is not None:
        return {"column": name, "constant": str(constant)}
    if kind == "json":
        path = properties.get("path")
        if not isinstance(path, str) or not path.startswith("$"):
            raise Invalid(f"The mapping of {name!r} has no 'Path' ($.a.b).", code="BadMapping")
        return {"column": name, "path": path}
    ordinal = properties.get("ordinal")
    if not str(ordinal).isdigit():
        raise Invalid(f"The mapping of {name!r} has no 'Ordinal'.", code="BadMapping")
    return {"column": name, "ordinal": int(str(ordinal))}


def at_path(value: Any, path: str) -> Any:
    """What stands at a JSON path (`$.a['b'][0]`); None when there is nothing."""
    at = 1
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            raise Invalid(f"The path {path!r} of the mapping is not understood at {path[at:]!r}.")
        name = next((g for g in step.groups()[:3] if g is not None), None)
        if name is not None:
            value = value.get(name) if isinstance(value, dict) else None
        else:
            index = int(step[4])
            value = value[index] if isinstance(value, list) and index < len(value) else None
        at = step.end()
    return value
