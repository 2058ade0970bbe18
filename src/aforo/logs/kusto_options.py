"""Request properties of Kusto's clients: options and parameters, in both spellings. It knows no pool."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import orjson

from aforo.errors import Invalid
from aforo.logs.asking import DEFAULT_WAIT_S, LONGEST_WAIT_S
from aforo.logs.question import BYTE_LIMIT, ROW_LIMIT, TimeRange
from aforo.logs.timespan import moment_us

_TIMEOUT = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})(?:\.\d+)?$")


@dataclass(frozen=True, slots=True)
class Options:
    """What a client wants beside the rows. Options that change no answer here (caching, hints) are passed over.

    `take` ends the rows without a word, the limits with one. `fragmented`, `progressive` and `newlines` are forms
    of a v2 answer. With `deferred` rows that were cut off are told at the end of the answer, not among the rows.
    """

    timeout_s: float = DEFAULT_WAIT_S
    row_limit: int = ROW_LIMIT
    byte_limit: int = BYTE_LIMIT
    take: int | None = None
    now_us: int | None = None
    timespan: TimeRange | None = None
    fragmented: bool = False
    progressive: bool = False
    newlines: bool = False
    deferred: bool = False
    parameters: dict[str, str] = field(default_factory=dict)


def options_of(body: dict[str, Any]) -> Options:
    """The options of a request. Python's client sends a JSON string with capitals, Grafana an object without."""
    given = body.get("properties") or {}
    if isinstance(given, str):
        try:
            given = orjson.loads(given)
        except orjson.JSONDecodeError as error:
            raise Invalid(
                f"'properties' is a string but not JSON: {error.msg}.", code="InvalidProperties"
            ) from error
    if not isinstance(given, dict):
        raise Invalid("'properties' is an object, or JSON text of one.", code="InvalidProperties")
    by_name = {str(k).lower(): v for k, v in given.items()}
    options, parameters = by_name.get("options") or {}, by_name.get("parameters") or {}
    if not isinstance(options, dict) or not isinstance(parameters, dict):
        raise Invalid("'Options' and 'Parameters' are objects.", code="InvalidProperties")
    named = {str(k).lower(): v for k, v in options.items()}
    # `notruncation` lifts the client's own limits; ours hold for everybody.
    unlimited = _flag(named, "notruncation")
    return Options(
        timeout_s=_timeout_s(named),
        row_limit=ROW_LIMIT if unlimited else _limit(named, "truncationmaxrecords", ROW_LIMIT),
        byte_limit=BYTE_LIMIT if unlimited else _limit(named, "truncationmaxsize", BYTE_LIMIT),
        take=_limit(named, "query_take_max_records", ROW_LIMIT)
        if "query_take_max_records" in named
        else None,
        now_us=_moment(named, "query_now"),
        timespan=_timespan(named),
        fragmented=_flag(named, "results_v2_fragment_primary_tables"),
        progressive=_flag(named, "results_progressive_enabled"),
        newlines=_flag(named, "results_v2_newlines_between_frames"),
        deferred=_flag(named, "deferpartialqueryfailures"),
        parameters={
            str(k): v if isinstance(v, str) else orjson.dumps(v).decode() for k, v in parameters.items()
        },
    )


def _timeout_s(options: dict[str, Any]) -> float:
    text = options.get("servertimeout")
    if text is None or options.get("norequesttimeout") is True:
        return LONGEST_WAIT_S if text is None and options.get("norequesttimeout") else DEFAULT_WAIT_S
    match = _TIMEOUT.match(str(text).strip())
    if match is None:
        raise _wrong("servertimeout", text, "a timespan (hh:mm:ss)")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return min(float(((days * 24 + hours) * 60 + minutes) * 60 + seconds) or 1.0, LONGEST_WAIT_S)


def _timespan(options: dict[str, Any]) -> TimeRange | None:
    column = str(options.get("query_datetimescope_column") or "TimeGenerated")
    start, end = (_moment(options, f"query_datetimescope_{end}") for end in ("from", "to"))
    if start is None and end is None:
        return None
    if column != "TimeGenerated":
        raise _wrong("query_datetimescope_column", column, "TimeGenerated")
    # Its end is exclusive at Kusto, and ranges here are closed.
    return TimeRange(start, None if end is None else end - 1)


def _moment(options: dict[str, Any], name: str) -> int | None:
    value = options.get(name)
    if value in (None, ""):
        return None
    text = str(value).strip()
    literal = re.fullmatch(r"datetime\((.*)\)", text, re.IGNORECASE)
    try:
        return moment_us(literal[1].strip("'\" ") if literal else text)
    except Invalid as refusal:
        raise _wrong(name, value, "a datetime") from refusal


def _limit(options: dict[str, Any], name: str, most: int) -> int:
    value = options.get(name)
    if value is None:
        return most
    text = str(value).strip()
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise _wrong(name, value, "a whole number")
    return min(int(text), most)


def _flag(options: dict[str, Any], name: str) -> bool:
    return options.get(name) in (True, 1, "true", "True", "1")


def _wrong(name: str, value: object, wanted: str) -> Invalid:
    return Invalid(f"The option {name} {value!r} is not {wanted}.", code="InvalidProperties")
