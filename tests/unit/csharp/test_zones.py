"""TimeZoneInfo's rules: (expression, text) after .NET's documentation, and rules against the zone database itself."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from aforo.csharp.runtime.zone_custom import RuledClock
from aforo.csharp.runtime.zones import find_zone
from tests.support.expressions import evaluate, mistakes, thrown

_SHOW = (
    'var t = (Func<TimeZoneInfo.TransitionTime, string>)(x => (x.IsFixedDateRule ? x.Month + "/" + x.Day :'
    ' x.Month + "." + x.Week + "." + x.DayOfWeek) + "@" + x.TimeOfDay.ToString("HH:mm:ss.fff"));'
    'var show = (Func<TimeZoneInfo.AdjustmentRule, string>)(r => r.DateStart.Year + "-" + r.DateEnd.Year + " " +'
    ' r.DaylightDelta.TotalMinutes + " " + r.BaseUtcOffsetDelta.TotalMinutes + " " +'
    ' t(r.DaylightTransitionStart) + " " + t(r.DaylightTransitionEnd));'
)


def _last(zone: str) -> str:
    return f'{{ {_SHOW} return show(TimeZoneInfo.FindSystemTimeZoneById("{zone}").GetAdjustmentRules().Last()); }}'


def _of(zone: str, year: int) -> str:
    find = f"r => r.DateStart.Year <= {year} && {year} <= r.DateEnd.Year"
    return f'{{ {_SHOW} return string.Join("|", TimeZoneInfo.FindSystemTimeZoneById("{zone}").GetAdjustmentRules().Where({find}).Select(show)); }}'


_SOUTH = (
    "var begin = TimeZoneInfo.TransitionTime.CreateFloatingDateRule(new DateTime(1, 1, 1, 2, 0, 0), 10, 1, DayOfWeek.Sunday);"
    "var end = TimeZoneInfo.TransitionTime.CreateFloatingDateRule(new DateTime(1, 1, 1, 3, 0, 0), 3, 3, DayOfWeek.Sunday);"
    "var rule = TimeZoneInfo.AdjustmentRule.CreateAdjustmentRule(new DateTime(1990, 1, 1), DateTime.MaxValue.Date, new TimeSpan(1, 0, 0), begin, end);"
    'var zone = TimeZoneInfo.CreateCustomTimeZone("South", new TimeSpan(12, 0, 0), "(UTC+12:00) South", "South Standard", "South Summer", new[] { rule });'
)
_MADE = (
    "TimeZoneInfo.AdjustmentRule.CreateAdjustmentRule(new DateTime({0}), new DateTime({1}), {2}, {3}, {4})"
)
_FIXED = "TimeZoneInfo.TransitionTime.CreateFixedDateRule(new DateTime(1, 1, 1, 2, 0, 0), {0}, {1})"


def _rule(first: str, last: str, delta: str = "TimeSpan.FromHours(1)", same: bool = False) -> str:
    return _MADE.format(first, last, delta, _FIXED.format(3, 1), _FIXED.format(3 if same else 10, 1))


VALUES = [
    # The rules that hold now, as Windows has them.
    (_last("Pacific Standard Time"), "2007-9999 60 0 3.2.Sunday@02:00:00.000 11.1.Sunday@02:00:00.000"),
    (_last("W. Europe Standard Time"), "1996-9999 60 0 3.5.Sunday@02:00:00.000 10.5.Sunday@03:00:00.000"),
    (_last("GMT Standard Time"), "1996-9999 60 0 3.5.Sunday@01:00:00.000 10.5.Sunday@02:00:00.000"),
    (_last("AUS Eastern Standard Time"), "2008-9999 60 0 10.1.Sunday@02:00:00.000 4.1.Sunday@03:00:00.000"),
    (_last("Egypt Standard Time"), "2023-9999 60 0 4.5.Friday@00:00:00.000 10.5.Thursday@23:59:59.999"),
    (_last("Pacific SA Standard Time"), "2023-9999 60 0 9.1.Saturday@23:59:59.999 4.1.Saturday@23:59:59.999"),
    # Those of years gone by: another law, a year of war, a clock that was moved for good, a fixed date.
    (_of("Eastern Standard Time", 1990), "1987-2006 60 0 4.1.Sunday@02:00:00.000 10.5.Sunday@02:00:00.000"),
    (_of("Europe/Berlin", 1947), "1947-1947 60 0 4.1.Sunday@03:00:00.000 1/1@00:00:00.000|1947-1947 60 60 5.2.Sunday@03:00:00.000 6.5.Sunday@03:00:00.000|1947-1947 60 0 1/1@00:00:00.000 10.1.Sunday@03:00:00.000"),
    (_of("Russian Standard Time", 2011), "2011-2011 60 0 3.5.Sunday@02:00:00.000 1/1@00:00:00.000"),
    (_of("Russian Standard Time", 2013), "2012-2013 0 60 1/1@00:00:00.000 1/1@00:00:00.001"),
    (_of("Iran Standard Time", 2018), "2017-2019 60 0 3/22@00:00:00.000 9/22@00:00:00.000"),
    (_of("Pacific/Apia", 2015), "2012-2020 60 0 9.5.Sunday@03:00:00.000 4.1.Sunday@04:00:00.000"),
    # Zones that never had summer, or have none now.
    ("TimeZoneInfo.Utc.GetAdjustmentRules().Length + \"|\" + TimeZoneInfo.FindSystemTimeZoneById(\"Etc/GMT+5\").GetAdjustmentRules().Length", "0|0"),
    (_of("Tokyo Standard Time", 2024), ""),
    # What authors do with them.
    ('{ var z = TimeZoneInfo.FindSystemTimeZoneById("Eastern Standard Time"); var d = new DateTime(2024, 5, 1); TimeZoneInfo.AdjustmentRule found = null; foreach (TimeZoneInfo.AdjustmentRule r in z.GetAdjustmentRules()) { if (r.DateStart <= d && r.DateEnd >= d) { found = r; } } return found == null ? "none" : found.DaylightDelta.ToString(); }', "01:00:00"),
    ('TimeZoneInfo.FindSystemTimeZoneById("Europe/Istanbul").IsDaylightSavingTime(new DateTime(2010, 1, 15)) + "" + TimeZoneInfo.FindSystemTimeZoneById("Europe/Istanbul").IsDaylightSavingTime(new DateTime(2010, 7, 15)) + TimeZoneInfo.FindSystemTimeZoneById("Europe/Istanbul").IsDaylightSavingTime(new DateTime(2024, 7, 15))', "FalseTrueFalse"),
    ('string.Join("|", TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin").GetAmbiguousTimeOffsets(new DateTime(2024, 10, 27, 2, 30, 0)))', "01:00:00|02:00:00"),
    ('TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin").IsAmbiguousTime(new DateTimeOffset(2024, 10, 27, 0, 30, 0, TimeSpan.Zero)) + "" + TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin").IsAmbiguousTime(new DateTimeOffset(2024, 10, 27, 2, 30, 0, TimeSpan.Zero))', "TrueFalse"),
    ('TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin").HasSameRules(TimeZoneInfo.FindSystemTimeZoneById("W. Europe Standard Time")) + "" + TimeZoneInfo.Utc.HasSameRules(TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin"))', "TrueFalse"),
    ("typeof(TimeZoneInfo.AdjustmentRule) + \"|\" + new System.TimeZoneInfo.TransitionTime[0].Length", "System.TimeZoneInfo+AdjustmentRule|0"),
    # Transition times: what is not said is 1 and Sunday.
    (f"{{ var t = {_FIXED.format(4, 9)}; return t.IsFixedDateRule + \"\" + t.Month + t.Day + t.Week + t.DayOfWeek + t.TimeOfDay.ToString(\"s\"); }}", "True491Sunday0001-01-01T02:00:00"),
    (f"({_FIXED.format(4, 9)} == {_FIXED.format(4, 9)}) + \"\" + ({_FIXED.format(4, 9)} != {_FIXED.format(4, 8)}) + {_FIXED.format(4, 9)}.Equals({_FIXED.format(4, 8)})", "TrueTrueFalse"),
    (f"{_rule('2000, 1, 1', '2001, 12, 31')}.Equals({_rule('2000, 1, 1', '2001, 12, 31')}) + \"\" + {_rule('2000, 1, 1', '2001, 12, 31')}.DateEnd.ToString(\"s\")", "True2001-12-31T00:00:00"),
    # A zone that the expression makes: before its rules, in summer, skipped, twice, in winter.
    (f'{{ {_SOUTH} return zone.DisplayName + "|" + zone.StandardName + "|" + zone.DaylightName + "|" + zone.BaseUtcOffset + zone.SupportsDaylightSavingTime + zone.GetAdjustmentRules().Length; }}', "(UTC+12:00) South|South Standard|South Summer|12:00:00True1"),
    (f'{{ {_SOUTH} return string.Join("|", new[] {{ new DateTime(1989,12,31), new DateTime(2023,12,31), new DateTime(2024,7,1) }}.Select(d => zone.GetUtcOffset(d) + " " + zone.IsDaylightSavingTime(d))); }}', "12:00:00 False|13:00:00 True|12:00:00 False"),
    (f'{{ {_SOUTH} return zone.IsInvalidTime(new DateTime(2024,10,6,2,30,0)) + "" + zone.IsAmbiguousTime(new DateTime(2024,3,17,2,30,0)) + TimeZoneInfo.ConvertTimeFromUtc(new DateTime(2024,10,5,14,0,0,DateTimeKind.Utc), zone).ToString("s") + "|" + TimeZoneInfo.ConvertTimeToUtc(new DateTime(2024,10,6,1,59,59), zone).ToString("s"); }}', "TrueTrue2024-10-06T03:00:00|2024-10-05T13:59:59"),
    (f'{{ {_SOUTH} return TimeZoneInfo.ConvertTime(new DateTimeOffset(2024,3,16,14,30,0,TimeSpan.Zero), zone).ToString("o") + TimeZoneInfo.ConvertTime(new DateTimeOffset(2024,3,16,13,30,0,TimeSpan.Zero), zone).ToString("o"); }}', "2024-03-17T02:30:00.0000000+12:002024-03-17T02:30:00.0000000+13:00"),
    (f'{{ {_SOUTH} var plain = TimeZoneInfo.CreateCustomTimeZone("South", new TimeSpan(12, 0, 0), "s", "s", "d", new[] {{ rule }}, true); return plain.SupportsDaylightSavingTime + plain.DaylightName + plain.GetUtcOffset(new DateTime(2024,1,1)) + plain.HasSameRules(zone); }}', "False12:00:00False"),
    ('{ var z = TimeZoneInfo.CreateCustomTimeZone("Eucla", new TimeSpan(8, 45, 0), "Eucla", "Eucla time"); return z.DaylightName + z.ToString() + TimeZoneInfo.ConvertTimeFromUtc(new DateTime(2024,1,1,0,0,0,DateTimeKind.Utc), z).ToString("s"); }', "Eucla timeEucla2024-01-01T08:45:00"),
]  # fmt: skip

THROWN = [
    (_FIXED.format(13, 1), "ArgumentOutOfRangeException"),
    (_FIXED.format(1, 32), "ArgumentOutOfRangeException"),
    ("TimeZoneInfo.TransitionTime.CreateFixedDateRule(new DateTime(2024, 1, 1), 1, 1)", "ArgumentException"),
    ("TimeZoneInfo.TransitionTime.CreateFixedDateRule(new DateTime(1, 1, 1, 0, 0, 0, DateTimeKind.Utc), 1, 1)", "ArgumentException"),
    ("TimeZoneInfo.TransitionTime.CreateFloatingDateRule(new DateTime(1), 1, 1, DayOfWeek.Sunday)", "ArgumentException"),
    ("TimeZoneInfo.TransitionTime.CreateFloatingDateRule(new DateTime(1, 1, 1), 1, 6, DayOfWeek.Sunday)", "ArgumentOutOfRangeException"),
    (_rule("2002, 1, 1", "2001, 12, 31"), "ArgumentException"),
    (_rule("2000, 1, 1, 1, 0, 0", "2001, 12, 31"), "ArgumentException"),
    (_rule("2000, 1, 1", "2001, 12, 31", "TimeSpan.FromHours(15)"), "ArgumentOutOfRangeException"),
    (_rule("2000, 1, 1", "2001, 12, 31", "TimeSpan.FromSeconds(90)"), "ArgumentException"),
    (_rule("2000, 1, 1", "2001, 12, 31", same=True), "ArgumentException"),
    (f'TimeZoneInfo.CreateCustomTimeZone("a", TimeSpan.Zero, "a", "a", "a", new[] {{ {_rule("2000, 1, 1", "2001, 12, 31")}, {_rule("2001, 1, 1", "2002, 12, 31")} }})', "InvalidTimeZoneException"),
    (f'TimeZoneInfo.CreateCustomTimeZone("a", TimeSpan.FromHours(14), "a", "a", "a", new[] {{ {_rule("2000, 1, 1", "2001, 12, 31")} }})', "InvalidTimeZoneException"),
    ('TimeZoneInfo.CreateCustomTimeZone("", TimeSpan.Zero, "a", "a")', "ArgumentException"),
    ('TimeZoneInfo.CreateCustomTimeZone(null, TimeSpan.Zero, "a", "a")', "ArgumentNullException"),
    ('TimeZoneInfo.CreateCustomTimeZone("a", TimeSpan.FromHours(15), "a", "a")', "ArgumentOutOfRangeException"),
    ('TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin").GetAmbiguousTimeOffsets(new DateTime(2024, 1, 1))', "ArgumentException"),
    (f'{{ var rule = TimeZoneInfo.AdjustmentRule.CreateAdjustmentRule(new DateTime(2000,1,1), new DateTime(2001,12,31), TimeSpan.FromHours(1), default(TimeZoneInfo.TransitionTime), {_FIXED.format(3, 1)}); return TimeZoneInfo.CreateCustomTimeZone("a", TimeSpan.Zero, "a", "a", "a", new[] {{ rule }}).GetUtcOffset(new DateTime(2000, 6, 1)); }}', "ArgumentOutOfRangeException"),
]  # fmt: skip

ZONES = (
    "Europe/Berlin", "America/New_York", "America/Santiago", "Asia/Jerusalem", "Africa/Casablanca", "Africa/Cairo",
    "Europe/Moscow", "Europe/Dublin", "Pacific/Apia", "Australia/Lord_Howe", "Asia/Kolkata", "America/Nuuk",
)  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), VALUES, ids=[t[-70:] for t, _ in VALUES])
def test_value(text: str, expected: str) -> None:
    assert evaluate(text) == expected


@pytest.mark.parametrize(("text", "expected"), THROWN, ids=[t[-70:] for t, _ in THROWN])
def test_thrown(text: str, expected: str) -> None:
    assert thrown(text) == expected


@pytest.mark.parametrize("name", ZONES)
def test_rules_say_what_the_zone_database_says(name: str) -> None:
    """Clocks that follow the rules agree with the database at any moment, also on the wall where clocks change."""
    zone = find_zone(name)
    clock = RuledClock(zone.base(), zone.rules())
    chance = random.Random(name)
    for _ in range(150):
        moment = datetime(chance.randint(1842, 2098), 1, 1, tzinfo=UTC) + timedelta(
            minutes=chance.randrange(525_600)
        )
        offset = moment.astimezone(zone.info).utcoffset()
        assert offset is not None
        cut = timedelta(minutes=int(offset.total_seconds() / 60))
        assert moment.astimezone(clock).utcoffset() == cut, moment


@pytest.mark.parametrize(
    "text", ["AdjustmentRule.CreateAdjustmentRule()", "TimeZoneInfo.Adjustment.Create()"]
)
def test_a_nested_type_is_reached_through_the_type_around_it(text: str) -> None:
    assert [d.code for d in mistakes(text)] in (["CS0201"], ["CS0203"])
