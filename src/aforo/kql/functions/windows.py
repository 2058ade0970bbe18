"""Functions over rows in their order."""

from __future__ import annotations

from aforo.kql.functions.spec import Window, same, window
from aforo.kql.types import INT, LONG, KqlType


def _total(types: tuple[KqlType, ...]) -> KqlType:
    return LONG if types[0] is INT else types[0]


WINDOWS: tuple[Window, ...] = (
    window("row_number", "start?:long, restart?:bool", LONG, "The number of the row, from 1."),
    window("prev", "value:any, offset?:long, default?:any", same(), "The value in an earlier row."),
    window("next", "value:any, offset?:long, default?:any", same(), "The value in a later row."),
    window(
        "row_rank_dense",
        "value:scalar, restart?:bool",
        LONG,
        "The rank of the value, ties alike, without gaps.",
    ),
    window(
        "row_rank_min",
        "value:scalar, restart?:bool",
        LONG,
        "The rank of the value: the number of the first row with it.",
    ),
    window(
        "row_window_session",
        "value:datetime|timespan|long|int|real, most:any, gap:any, restart?:bool",
        same(),
        "The value in the first row of the session that the row is in.",
    ),
    window("row_cumsum", "value:number|timespan, restart?:bool", _total, "The sum up to this row."),
)
