"""Bodies of streaming ingestion as rows of a table: by names, by places, or by a mapping. It knows no request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aforo.errors import Invalid
from aforo.identity.access import Principal
from aforo.logs.cells import UnfitError, cell, cell_of_text
from aforo.logs.formats import FORMATS, JSONS, SEPARATED, json_values, separated
from aforo.logs.ingest import Ingestion, Mapped, Target, typed_row, unfit
from aforo.logs.kusto_changes import Declarations
from aforo.logs.mappings import at_path
from aforo.logs.reader import Workspace


@dataclass(frozen=True, slots=True)
class Taking:
    """What Kusto's API needs to take something in. `target(workspace, table)` gives a custom table or NotFound;
    `may_write(principal, ARM id)` is the right to send rows there."""

    ingestion: Ingestion
    declarations: Declarations
    target: Callable[[Workspace, str], Target]
    may_write: Callable[[Principal, str], bool]


def rows_of(body: bytes, target: Target, form: str, mapping_name: str) -> list[dict[str, Any]]:
    """The rows of a body, typed; `Invalid` says what is wrong, and then none is stored."""
    form = form.lower()
    if form not in FORMATS:
        raise Invalid(f"The streamFormat {form!r} is not supported; these are: {', '.join(FORMATS)}.")
    mapping: Sequence[Mapped] | None = None
    if mapping_name:
        mapping = target.mappings.get(mapping_name)
        if mapping is None:
            known = ", ".join(target.mappings) or "none"
            raise Invalid(
                f"The table {target.table} has no ingestion mapping {mapping_name!r} (it has: {known})."
            )
        mapping = _checked(mapping, target)
    if form in JSONS:
        values = json_values(body, form)
        if mapping is None:
            return [typed_row(row, target.columns, n) for n, row in enumerate(values, 1)]
        return [_mapped(row, mapping, target, n) for n, row in enumerate(values, 1)]
    lines = separated(body, form)
    if form in SEPARATED or form in ("txt", "raw"):
        places = mapping or [Mapped(name, ordinal=i) for i, (name, _) in enumerate(target.columns)]
        return [_placed(line, places, target, n, strict=mapping is None) for n, line in enumerate(lines, 1)]
    raise AssertionError(form)


def _checked(mapping: Sequence[Mapped], target: Target) -> Sequence[Mapped]:
    known = {name for name, _ in target.columns}
    for one in mapping:
        if one.column not in known:
            raise Invalid(f"The mapping names the column {one.column!r}, which {target.table} does not have.")
    return mapping


def _mapped(row: Any, mapping: Sequence[Mapped], target: Target, number: int) -> dict[str, Any]:
    """A row out of the places in an object that the mapping names."""
    types = dict(target.columns)
    out: dict[str, Any] = {}
    for one in mapping:
        value = at_path(row, one.path) if one.constant is None else one.constant
        out[one.column] = _typed(cell, value, types[one.column], number, one.column)
    return out


def _placed(
    line: Sequence[str], places: Sequence[Mapped], target: Target, number: int, *, strict: bool
) -> dict[str, Any]:
    """A row out of the fields of a line; without a mapping more fields than columns are a mistake."""
    if strict and len(line) > len(target.columns):
        raise Invalid(
            f"Line {number} has {len(line)} fields, and {target.table} has {len(target.columns)} columns. "
            "No row of this request was stored."
        )
    types = dict(target.columns)
    out: dict[str, Any] = {}
    for one in places:
        text = one.constant
        if text is None and one.ordinal is not None and one.ordinal < len(line):
            text = line[one.ordinal]
        if text is not None:
            out[one.column] = _typed(cell_of_text, text, types[one.column], number, one.column)
    return out


def _typed(make: Callable[[Any, str], Any], value: Any, kind: str, number: int, name: str) -> Any:
    try:
        return make(value, kind)
    except UnfitError:
        raise unfit(number, name, kind, value) from None
