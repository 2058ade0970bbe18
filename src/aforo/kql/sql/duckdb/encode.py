"""Rows as Kusto's JSON cells, made inside DuckDB so that large answers never become Python objects."""

from __future__ import annotations

from collections.abc import Sequence

from aforo.kql.types import KqlType


def encode_rows(sql: str, names: Sequence[str], types: Sequence[KqlType]) -> str:
    """A query with one text column `row`: each row as a JSON array of cells, in the order of the inner query.

    Cells are as Log Analytics sends them: datetime ISO 8601 with `Z`, timespan `[d.]hh:mm:ss[.fffffff]`, decimal as
    string, dynamic as its JSON in a string (a dynamic text as itself), long and real as numbers, NaN and infinities as strings, null as null.
    """
    cells = [_cell(_quoted(name), type_) for name, type_ in zip(names, types, strict=True)]
    # The names are quoted and the query is our own.
    return f"SELECT '[' || concat_ws(',', {', '.join(cells)}) || ']' AS row FROM ({sql}) AS answer"  # noqa: S608


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _cell(name: str, type_: KqlType) -> str:
    match type_:
        case KqlType.DYNAMIC:
            # A dynamic text is sent as the text itself, all else as its JSON.
            text = f"to_json(CASE WHEN starts_with({name}, '\"') THEN json_extract_string({name}, '$') ELSE {name} END)::VARCHAR"
        case KqlType.STRING | KqlType.GUID:
            text = f"to_json({name})::VARCHAR"
        case KqlType.DATETIME:
            text = f"'\"' || kql_iso({name}) || '\"'"
        case KqlType.TIMESPAN:
            text = f"'\"' || kql_timespan({name}) || '\"'"
        case KqlType.DECIMAL:
            text = f"'\"' || kql_decimal_text({name}) || '\"'"
        case KqlType.REAL:
            text = (
                f"CASE WHEN isnan({name}) THEN '\"NaN\"' WHEN {name} = 'inf'::DOUBLE THEN '\"Infinity\"' "
                f"WHEN {name} = '-inf'::DOUBLE THEN '\"-Infinity\"' ELSE to_json({name})::VARCHAR END"
            )
        case _:
            text = f"{name}::VARCHAR"
    return f"coalesce({text}, 'null')"
