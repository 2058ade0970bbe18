"""Functions over datetimes and timespans."""

from __future__ import annotations

from aforo.kql.functions.spec import Naming, Scalar, scalar
from aforo.kql.types import DATETIME, DYNAMIC, INT, LONG, STRING, TIMESPAN

_STARTS = tuple(
    scalar(
        f"{edge}of{unit}",
        "date:datetime, offset?:long",
        DATETIME,
        f"The {edge} of the {unit}, moved by so many.",
        naming=Naming.FIRST_ARGUMENT if edge + unit == "startday" else Naming.NONE,
    )
    for edge in ("start", "end")
    for unit in ("day", "week", "month", "year")
)
_UNIX = tuple(
    scalar(
        f"unixtime_{unit}_todatetime", "value:real|number", DATETIME, f"The datetime of {unit} since 1970."
    )
    for unit in ("seconds", "milliseconds", "microseconds", "nanoseconds")
)

FUNCTIONS: tuple[Scalar, ...] = (
    *_STARTS,
    *_UNIX,
    scalar("datetime_add", "part:string, amount:long, date:datetime", DATETIME, "The datetime moved by an amount of a part."),
    scalar("datetime_diff", "part:string, a:datetime, b:datetime", LONG, "How many borders of a part lie between."),
    scalar("datetime_part", "part:string, date:datetime", INT, "One part of the datetime."),
    scalar("format_datetime", "date:datetime, format:string", STRING, "The datetime in a format such as yyyy-MM-dd.",
           naming=Naming.FIRST_ARGUMENT),
    scalar("format_timespan", "span:timespan, format:string", STRING, "The timespan in a format such as hh:mm:ss.",
           naming=Naming.FIRST_ARGUMENT),
    scalar("datetime_utc_to_local", "date:datetime, timezone:string", DATETIME, "What clocks of a time zone show."),
    scalar("datetime_local_to_utc", "date:datetime, timezone:string", DATETIME, "When clocks of a time zone show it."),
    scalar("datetime_list_timezones", "", DYNAMIC, "The names of all time zones."),
    scalar("datepart", "part:string, date:datetime", INT, "`datetime_part` by its old name.", operation="datetime_part"),
    scalar("getyear", "date:datetime", INT, "The year."),
    scalar("getmonth", "date:datetime", INT, "The month, 1 to 12.", operation="monthofyear"),
    scalar("monthofyear", "date:datetime", INT, "The month, 1 to 12."),
    scalar("weekofyear", "date:datetime", INT, "The week by ISO 8601.", operation="week_of_year"),
    scalar("week_of_year", "date:datetime", INT, "The week by ISO 8601."),
    scalar("dayofmonth", "date:datetime", INT, "The day of the month."),
    scalar("dayofyear", "date:datetime", INT, "The day of the year."),
    scalar("dayofweek", "date:datetime", TIMESPAN, "Days since Sunday, as a timespan."),
    scalar("hourofday", "date:datetime", INT, "The hour."),

)  # fmt: skip
