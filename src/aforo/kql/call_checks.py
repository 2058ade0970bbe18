"""What the arguments of a scalar function must be when compiling: constants, names of parts, patterns that can run.

A check gets the bound arguments and answers the problem in words, or nothing. It reports nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from aforo.kql.bound import Constant, Expression
from aforo.kql.literals import json_value
from aforo.kql.natives import useragents
from aforo.kql.natives.geo_h3cells import is_installed as h3_is_installed
from aforo.kql.natives.texts import UNITS
from aforo.kql.natives.units import ANGLES, FAMILIES, TEMPERATURES
from aforo.kql.natives.zones import zone
from aforo.kql.patterns import judge, matches_nothing
from aforo.kql.types import DYNAMIC, INTEGERS, NUMBERS, TIMESPAN
from aforo.nearest import nearest

Check = Callable[[tuple[Expression, ...]], str]


def _constant_text(index: int, what: str) -> Check:
    def check(arguments: tuple[Expression, ...]) -> str:
        argument = arguments[index]
        return (
            ""
            if isinstance(argument, Constant) and isinstance(argument.value, str)
            else f"{what} must be a constant text"
        )

    return check


_PARTS = [
    "year",
    "quarter",
    "month",
    "week",
    "day",
    "hour",
    "minute",
    "second",
    "millisecond",
    "microsecond",
    "nanosecond",
]
_PIECES = (*_PARTS, "week_of_year", "dayofyear", "weekday")


def _part_of(arguments: tuple[Expression, ...]) -> str:
    first = arguments[0]
    if not isinstance(first, Constant) or str(first.value).lower() not in _PIECES:
        return "the first argument must be one of " + ", ".join(f"'{p}'" for p in _PARTS)
    return ""


def _regex_at(index: int) -> Check:
    def check(arguments: tuple[Expression, ...]) -> str:
        argument = arguments[index]
        if not isinstance(argument, Constant) or not isinstance(argument.value, str):
            return "the regular expression must be a constant text"
        return judge(argument.value)[0]

    return check


def _group_of(arguments: tuple[Expression, ...]) -> str:
    problem = _regex_at(0)(arguments)
    pattern, group = arguments[0], arguments[1]
    if problem or not isinstance(pattern, Constant):
        return problem
    if not isinstance(group, Constant) or not isinstance(group.value, int):
        return "the number of the group must be a constant"
    groups = judge(str(pattern.value))[1]
    return "" if 0 <= group.value <= groups else f"the regular expression has no group {group.value}"


def _counted(arguments: tuple[Expression, ...]) -> str:
    kind = arguments[2] if len(arguments) > 2 else None
    if kind is None:
        return ""
    if not isinstance(kind, Constant) or kind.value not in ("normal", "regex"):
        return "the kind of countof() is 'normal' or 'regex'"
    return _regex_at(1)(arguments) if kind.value == "regex" else ""


def _pairs(arguments: tuple[Expression, ...]) -> str:
    return "bag_pack() takes pairs of name and value" if len(arguments) % 2 else ""


def _season_at(index: int) -> Check:
    """The season is found (-1, as by default), not there (0) or of a length; the trend is one of three."""

    def check(arguments: tuple[Expression, ...]) -> str:
        period = arguments[index] if len(arguments) > index else None
        if period is not None and (
            not isinstance(period, Constant) or not isinstance(period.value, int) or period.value < -1
        ):
            return "the length of the season must be a constant: -1 to find it, 0 for none"
        trend = arguments[index + 1] if len(arguments) > index + 1 else None
        if trend is not None and (not isinstance(trend, Constant) or trend.value not in _TRENDS):
            return "the trend is one of " + ", ".join(f"'{t}'" for t in _TRENDS)
        return ""

    return check


def _outliers(arguments: tuple[Expression, ...]) -> str:
    """The percentiles are those by default: how scores with others are made comparable is not published."""
    kind = arguments[1] if len(arguments) > 1 else None
    if kind is not None and (not isinstance(kind, Constant) or kind.value not in ("ctukey", "tukey")):
        return "the kind of outliers is 'ctukey' or 'tukey'"
    wanted = [a.value if isinstance(a, Constant) else None for a in arguments[3:]]
    if (kind is None or kind.value == "ctukey") and any(
        w != d for w, d in zip(wanted, (10, 90), strict=False)
    ):
        return "outliers by other percentiles than 10 and 90 are not supported"
    return ""


def _anomalies(arguments: tuple[Expression, ...]) -> str:
    problem = _season_at(2)(arguments)
    if problem:
        return problem
    points = arguments[4] if len(arguments) > 4 else None
    if points is not None and (not isinstance(points, Constant) or points.value != 0):
        return "anomalies among points that are not learned from are not supported: test_points must be 0"
    return _outliers((arguments[0], arguments[5])) if len(arguments) > 5 else ""


_TRENDS = ("avg", "linefit", "none")


def _periods(arguments: tuple[Expression, ...]) -> str:
    return "series_periods_validate() takes 1 to 16 periods" if len(arguments) > 17 else ""


def _searched(arguments: tuple[Expression, ...]) -> str:
    problem = _regex_at(1)(arguments)
    if problem or not isinstance(arguments[1], Constant):
        return problem
    return (
        "indexof_regex() with a pattern that matches an empty text is not supported"
        if matches_nothing(str(arguments[1].value))
        else ""
    )


def _one_of(index: int, what: str, allowed: Collection[str]) -> Check:
    """A constant text must be one of some; what a column holds is seen later."""

    def check(arguments: tuple[Expression, ...]) -> str:
        argument = arguments[index] if index < len(arguments) else None
        if not isinstance(argument, Constant) or argument.value in allowed:
            return ""
        close = nearest(str(argument.value), allowed, limit=1)
        hint = f": did you mean '{close[0]}'?" if close else ""
        return f"there is no {what} {argument.value!r}{hint}"

    return check


def _units(family: str) -> Check:
    names = TEMPERATURES if family == "convert_temperature" else FAMILIES.get(family, {*ANGLES, "Tilt"})
    checks = (_one_of(1, "unit", names), _one_of(2, "unit", names))
    return lambda arguments: checks[0](arguments) or checks[1](arguments)


def _zone(arguments: tuple[Expression, ...]) -> str:
    argument = arguments[1]
    if not isinstance(argument, Constant) or zone(str(argument.value)) is not None:
        return ""
    return f"there is no time zone {argument.value!r}"


def _bytes(arguments: tuple[Expression, ...]) -> str:
    if len(arguments) > 1 and not isinstance(arguments[1], Constant):
        return "the number of digits of format_bytes() must be a constant"
    return (
        _constant_text(2, "the unit")(arguments) or _one_of(2, "unit", ("", *UNITS))(arguments)
        if len(arguments) > 2
        else ""
    )


def _constant_at(index: int, what: str) -> Check:
    def check(arguments: tuple[Expression, ...]) -> str:
        constant = index >= len(arguments) or isinstance(arguments[index], Constant)
        return "" if constant else f"{what} must be a constant"

    return check


def _sphere_at(index: int) -> Check:
    def check(arguments: tuple[Expression, ...]) -> str:
        spheroid = arguments[index] if len(arguments) > index else None
        if spheroid is None or (isinstance(spheroid, Constant) and not spheroid.value):
            return ""
        return "distances on the spheroid are not supported: use_spheroid must be false"

    return check


def _h3(_arguments: tuple[Expression, ...]) -> str:
    return "" if h3_is_installed() else "H3 cells need the extra 'geo' (aforo[geo])"


_H3 = ("point_to_h3cell", *(f"h3cell_{what}" for what in (
    "to_central_point", "to_polygon", "level", "parent", "children", "rings", "neighbors")))  # fmt: skip


def _binned(arguments: tuple[Expression, ...]) -> str:
    """Times are rounded to timespans (or to whole ticks), numbers to numbers."""
    first, size, *point = (a.type for a in arguments)
    if first in NUMBERS:
        return "a number is rounded to a number" if {size, *point} - NUMBERS else ""
    if size is not TIMESPAN and size not in INTEGERS:
        return f"a {first.value} is rounded to a timespan"
    return f"the point of a {first.value} is a {first.value}" if point and point[0] is not first else ""


def _agents(arguments: tuple[Expression, ...]) -> str:
    if not useragents.available():
        return "parse_user_agent() needs the extra 'useragents' (pip install 'aforo[useragents]')"
    wanted = arguments[1] if len(arguments) > 1 else None
    listed = json_value(wanted.value) if isinstance(wanted, Constant) else []
    for part in listed if isinstance(listed, list) else [listed]:
        if str(part).lower() not in useragents.PARTS:
            return "parse_user_agent() looks for " + ", ".join(f"'{p}'" for p in useragents.PARTS)
    return ""


def percentile_problem(point: Constant) -> str:
    """What is wrong with a percentile, or with an array of them."""
    listed = json_value(point.value) if point.type is DYNAMIC else point.value
    if listed == []:
        return "an array of percentiles has at least one"
    for value in listed if isinstance(listed, list) else [listed]:
        try:
            fits = not isinstance(value, bool) and 0 <= float(str(value)) <= 100
        except ValueError:
            fits = False
        if not fits:
            shown = "null" if value is None else str(value)[:_LONGEST_SHOWN].removesuffix(".0")
            return f"a percentile is a number from 0 to 100, this is {shown}"
    return ""


_LONGEST_SHOWN = 40

CHECKS: dict[str, Check] = {
    "parse_user_agent": _agents,
    "bin": _binned,
    "bin_at": _binned,
    "indexof_regex": _searched,
    "array_index_of": _constant_at(4, "the occurrence"),
    "indexof": _constant_at(4, "the occurrence"),
    "round": _constant_at(1, "the number of digits"),
    "bag_set_key": _constant_text(1, "the key"),
    "parse_command_line": lambda arguments: (
        _constant_text(1, "the system")(arguments) or _one_of(1, "system", ("windows", "Windows"))(arguments)
    ),
    "format_bytes": _bytes,
    "datetime_utc_to_local": _zone,
    "datetime_local_to_utc": _zone,
    **{
        f"convert_{unit}": _units(f"convert_{unit}")
        for unit in ("angle", "energy", "force", "length", "mass", "speed", "temperature", "volume")
    },
    "datetime_add": _part_of,
    "datetime_diff": _part_of,
    "datetime_part": _part_of,
    "format_datetime": _constant_text(1, "the format"),
    "format_timespan": _constant_text(1, "the format"),
    "bag_pack": _pairs,
    "extract": _group_of,
    "replace_regex": _regex_at(1),
    "replace": _regex_at(0),
    "trim": _regex_at(0),
    "trim_start": _regex_at(0),
    "trim_end": _regex_at(0),
    "countof": _counted,
    "geo_distance_2points": _sphere_at(4),
    "geo_line_locate_point": _sphere_at(3),
    **{f"geo_{name}": _h3 for name in _H3},
    "series_outliers": _outliers,
    "series_decompose_anomalies_dynamic": _anomalies,
    "series_periods_validate_dynamic": _periods,
    "series_decompose_dynamic": _season_at(1),
    "series_decompose_forecast_dynamic": _season_at(2),
}
