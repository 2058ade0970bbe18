"""Functions over numbers, times and units, and aggregates: edges, nulls, nothing at all."""

from __future__ import annotations

import pytest

from tests.support.kql_run import answer, mistakes


def values(expressions: list[str]) -> list[object]:
    """What each expression comes to, computed in one query."""
    _, rows = answer("print " + ", ".join(f"v{i} = {e}" for i, e in enumerate(expressions)))
    row: list[object] = rows[0]
    return row


NUMBERS = {
    "round(2.98765, 3)": 2.988,
    "round(-2.5)": -3.0,
    "round(1234, -2)": 1200,
    "round(toint(5))": 5,
    "ceiling(-1.1)": -1.0,
    "abs(long(null))": None,
    "sign(-42)": -1.0,
    "bin(-5, 2)": -6,
    "bin(5, -1)": None,
    "bin(16d, 7d)": "14.00:00:00",
    "bin_at(6.5, 2.5, 7)": 4.5,
    "bin_at(1h, 1d, 12h)": "-12:00:00",
    "gamma(5)": 24.0,
    "gamma(0)": "Infinity",
    "gamma(-1)": "NaN",
    "gamma(real(null))": None,
    "erf(0)": 0.0,
    "beta_inv(1, 2, 2)": 1.0,
    "beta_inv(1.5, 10, 20)": None,
    "beta_inv(0.1, -1, 20)": "NaN",
    "beta_pdf(1.5, 10, 20)": "NaN",
    "round(beta_cdf(0.9, 10, 20), 9)": 1.0,
    "beta_cdf(1.5, 10, 20)": "NaN",
    "beta_cdf(0.5, 0, 1)": "NaN",
    "welch_test(1, 1, 0, 1, 1, 1)": "NaN",
    "binary_shift_left(1, 65)": 2,
    "binary_shift_left(1, 63)": -9223372036854775808,
    "binary_shift_left(1, -1)": None,
    "binary_shift_right(-8, 1)": -4,
    "bitset_count_ones(-1)": 64,
    "sqrt(decimal(4))": 2.0,
    "1 / 0": None,
    "-5 % 3": 1,
    "decimal(1.1) * decimal(1.1)": "1.21",
    "around(5, 3, 1)": False,
    "around(1h, 2h, 1h)": True,
    "around(long(null), 3, 1)": None,
    "convert_angle(1.2, 'Degree', 'Arcminute')": 72.0,
    "convert_temperature(100, 'DegreeCelsius', 'DegreeFahrenheit')": 212.0,
    "convert_temperature(1.2, 'Kelvin', 'DegreeCelsius')": -271.95,
    "convert_length(real(null), 'Meter', 'Foot')": None,
    "convert_speed(1.2, 'MeterPerSecond', 'CentimeterPerHour')": 432000.0,
}

TIMES = {
    "datetime_utc_to_local(datetime(2022-03-27 00:59:59.1234567), 'Europe/Brussels')": "2022-03-27T01:59:59.1234567Z",
    "datetime_local_to_utc(datetime(2022-03-27 02:00), 'Europe/Brussels')": "2022-03-27T00:00:00Z",
    "datetime_local_to_utc(datetime(null), 'UTC')": None,
    "datetime_utc_to_local(datetime(0001-01-01), 'America/New_York')": None,
    "array_length(datetime_list_timezones()) > 300": True,
    "datetime_diff('week', datetime(2017-10-29 00:00), datetime(2017-09-30 23:59))": 5,
    "datetime_diff('nanosecond', datetime(2017-10-30), datetime(2017-10-30 00:00:00.0000007))": -700,
    "datetime_add('month', 1, datetime(2017-01-31))": "2017-02-28T00:00:00Z",
    "datetime_add('year', 9000, datetime(2017-01-01))": None,
    "startofday(datetime(2024-01-01), 9223372036854775807)": None,
    "endofmonth(datetime(2024-01-01), 3000000000)": None,
    "unixtime_seconds_todatetime(9223372036854775807)": None,
    "datetime_add('minute', 90, datetime(2024-01-01 23:00))": "2024-01-02T00:30:00Z",
    "datetime_add('microsecond', 5000000000, datetime(2024-01-01))": "2024-01-01T01:23:20Z",
    "datetime_add('hour', 9223372036854775807, datetime(2024-01-01))": None,
    "datetime_add('month', 9223372036854775807, datetime(2024-01-01))": None,
    "datetime_diff('nanosecond', datetime(2024-01-01), datetime(0001-01-01))": None,
    "datetime_part('nanosecond', datetime(2017-10-30 01:02:03.7654321))": 765432100,
    "format_datetime(datetime(2005-02-04 14:03:04.12345), 'y-M-d h:m:s.fff tt')": "5-2-4 2:3:4.123 PM",
    "format_timespan(time(29.09:00:05.12345), 'dd.hh:mm:ss [FF]')": "29.09:00:05 [12]",
    "format_timespan(time(null), 'hh')": "",
    "make_datetime(2017, 10, 1, 12, 11, 0.1234567)": "2017-10-01T12:11:00.1234567Z",
    "make_datetime(2017, 1, 1, 24, 0)": None,
    "make_datetime(2017, 2, 30)": None,
    "make_datetime('2017-10-01')": "2017-10-01T00:00:00Z",
    "make_timespan(1, 12, 30, 55.123)": "1.12:30:55.1230000",
    "make_timespan(12, 30)": "12:30:00",
    "make_timespan(24, 0)": None,
    "todatetime('Sat, 8 Nov 14 15:05:02 GMT')": "2014-11-08T15:05:02Z",
    "todatetime(strcat('Saturday, 08-Nov-14', ' 15:05:02 GMT'))": "2014-11-08T15:05:02Z",
    "todatetime('Monday')": None,
    "unixtime_seconds_todatetime(1e18)": None,
    "week_of_year(datetime(2000-01-01))": 52,
    "dayofweek(datetime(1970-05-11))": "1.00:00:00",
    "startofmonth(datetime(2017-03-31), -1)": "2017-02-01T00:00:00Z",
    "endofyear(datetime(2016-05-05))": "2016-12-31T23:59:59.9999999Z",
}


@pytest.mark.parametrize("cases", [NUMBERS, TIMES], ids=["numbers", "times"])
def test_values(cases: dict[str, object]) -> None:
    got = values(list(cases))
    wrong = {
        e: (mine, wanted) for (e, wanted), mine in zip(cases.items(), got, strict=True) if mine != wanted
    }
    assert not wrong


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("convert_length(1, 'Metre', 'Foot')", "there is no unit 'Metre': did you mean 'Meter'?"),
        ("convert_mass(1, 'Pound', 'Meter')", "there is no unit 'Meter'"),
        ("datetime_utc_to_local(now(), 'Europe/Pariss')", "there is no time zone 'Europe/Pariss'"),
        ("datetime_diff('days', now(), now())", "must be one of 'year'"),
        ("round(1.5, toint(rand()))", "must be a constant"),
        ("make_timespan(1)  + make_timespan()", "make_timespan() takes"),
        ("gamma('a')", "must be"),
        ("bin(1, 1h)", "a number is rounded to a number"),
        ("bin(now(), 1.5)", "a datetime is rounded to a timespan"),
        ("bin_at(1h, 1m, now())", "the point of a timespan is a timespan"),
    ],
)
def test_mistakes(expression: str, said: str) -> None:
    assert said in " ".join(mistakes(f"print {expression}"))


# Query: the one row of its answer.
AGGREGATES = {
    "range x from 1 to 10 step 1 | summarize d = tdigest(x), h = hll(x) | project percentile_tdigest(d, 50), "
    "percentile_tdigest(d, 90, typeof(real)), percentiles_array_tdigest(d, 0, 100), rank_tdigest(d, 5), "
    "percentrank_tdigest(d, 5), dcount_hll(h)": ["5", 9.0, "[1,10]", 5.0, 50.0, 10],
    "datatable(t:datetime)[datetime(2020-01-01), datetime(2020-01-03), datetime(null)] | summarize d = tdigest(t) "
    "| project percentile_tdigest(d, 50), percentile_tdigest(d, 100, typeof(datetime)), rank_tdigest(d, datetime(2020-01-02))":
    ["2020-01-01T00:00:00.0000000Z", "2020-01-03T00:00:00Z", 1.0],
    "range x from 1 to 100 step 1 | summarize h = hll(x), d = tdigest(x) by g = x % 2 | "
    "summarize dcount_hll(hll_merge(h)), percentile_tdigest(tdigest_merge(d), 50, typeof(long))": [100, 50],
    "range x from 1 to 5 step 1 | summarize h = hll_if(x, x > 2), i = hll(x + 3) | project dcount_hll(hll_merge(h, i))": [6],
    "datatable(x:long)[] | summarize hll(x), tdigest(x), percentile(x, 5), percentiles_array(x, 5), percentilew(x, x, 5), "
    "buildschema(todynamic(tostring(x))), stdev(x), covariance(x, x), make_bag(bag_pack('a', x)), binary_all_and(x), count()":
    [None, None, None, None, None, None, 0.0, 0.0, "{}", None, 0],
    "datatable(v:long, w:long)[10, 8, 20, 6, 30, 3, 40, 1] | summarize percentilew(v, w, 50), percentilesw(v, w, 50, 99.9), "
    "percentilesw_array(v, w, dynamic([50, 100]))": [20, 20, 40, "[20,40]"],
    "datatable(v:datetime, w:long)[datetime(2020-01-01), 8, datetime(2020-01-02), 6] | summarize percentilew(v, w, 90), "
    "percentiles_array(v, 0)": ["2020-01-02T00:00:00Z", '["2020-01-01T00:00:00.0000000Z"]'],
    "datatable(v:real, w:long)[1.5, 8, 2.5, 0, real(null), 5] | summarize percentilew(v, w, 100), percentiles_array(v, 50, 100)":
    [1.5, "[1.5,2.5]"],
    "range x from 1 to 5 step 1 | summarize stdevp(x), variancep(x), stdevpif(x, x > 3), covariance(x, x * 2), "
    "covariancepif(x, x, x > 2)": [1.4142135623730951, 2.0, 0.5, 5.0, 0.6666666666666666],
    "datatable(x:decimal)[decimal(1.5), decimal(2.5)] | summarize variance(x), avg(x), covariance(x, x)": [0.5, "2", 0.5],
    'datatable(d:dynamic)[dynamic({"x":1}), dynamic({"x":"s","z":[1]}), dynamic({"y":{"w":1.5}})] | summarize buildschema(d)':
    ['{"x":["long","string"],"z":{"`indexer`":"long"},"y":{"w":"double"}}'],
    'datatable(b:dynamic)[dynamic({"a":1}), dynamic({"b":2,"a":5}), dynamic(null)] | summarize make_bag(b), make_bag(b, 1)':
    ['{"a":1,"b":2}', '{"a":1}'],
    'datatable(s:string, k:long)["b", 1, "a", 2, "", 3, "b", 4] | summarize make_list_if(s, k > 1, 1), make_set_if(s, k > 1), '
    "dcountif(s, k > 1, 2), anyif(s, k == 2), count(k > 2)": ['["a"]', '["","a","b"]', 3, "a", 2],
    "datatable(x:int)[int(5), int(6)] | summarize binary_all_and(x), binary_all_or(x), binary_all_xor(x)": [4, 7, 3],
    "datatable(x:long, y:string, z:real)[1, 'a', 1.5, 3, 'b', 2.5, 2, 'c', 3.5] | summarize arg_max(x, *), (a, b) = arg_max(z, x)":
    [3, "b", 2.5, 3.5, 2],
}  # fmt: skip


@pytest.mark.parametrize("query", AGGREGATES)
def test_aggregates(query: str) -> None:
    assert answer(query)[1] == [AGGREGATES[query]]


def test_large_digests_stay_near() -> None:
    query = "range x from 1 to 20000 step 1 | summarize h = hll(x), d = tdigest(x) | project dcount_hll(h), "
    query += "percentile_tdigest(d, 50, typeof(long)), percentile_tdigest(d, 0, typeof(long)), percentile_tdigest(d, 100, typeof(long))"
    distinct, middle, least, greatest = answer(query)[1][0]
    assert abs(distinct - 20_000) < 200
    assert abs(middle - 10_000) < 100
    assert (least, greatest) == (1, 20_000)


@pytest.mark.parametrize(
    ("aggregate", "said"),
    [
        ("percentile(x, x)", "argument 2 of percentile() must be a constant"),
        ("percentilew(x, 1.5, 5)", "'weight' of percentilew() must be long"),
        ("percentile(tostring(x), 5)", "this is string"),
        ("hll(1.5)", "this is real"),
        ("count_distinct(dynamic(1))", "this is dynamic"),
        ("make_list_if(x, x > 1, x)", "must be a constant"),
        ("percentilesw(x, x)", "a value, a weight and at least 1 percentile"),
    ],
)
def test_mistakes_in_aggregates(aggregate: str, said: str) -> None:
    assert said in " ".join(mistakes(f"datatable(x:long)[1] | summarize {aggregate}"))


@pytest.mark.parametrize(
    ("expression", "type_", "value"),
    [
        ("bin_at(decimal(99999999999999999999), decimal(0.000000000001), decimal(0))", "decimal", "9" * 20),
        ('bin_at(decimal("99999999999999999999999999"), 1, 0)', "decimal", "9" * 26),
        ("bin(decimal(99999999999999999999.123), decimal(0.01))", "decimal", "99999999999999999999.12"),
        ("bin(decimal(-3.5), decimal(1))", "decimal", "-4"),
        ("bin(decimal(-4), decimal(1))", "decimal", "-4"),
        ("bin_at(decimal(-1.2), decimal(1), decimal(0.5))", "decimal", "-1.5"),
        ("bin(decimal(3.7), decimal(0))", "decimal", None),
        ("bin_at(decimal(null), 1, 0)", "decimal", None),
        ("bin_at(5, 1, 0.5)", "real", 4.5),
        ("bin_at(5, 1, toscalar(print real(+inf)))", "real", "NaN"),
        ("bin_at(decimal(5), decimal(1), toscalar(print real(+inf)))", "real", "NaN"),
        ("bin_at(decimal(5), decimal(1), real(nan))", "real", "NaN"),
        ("bin_at(5, toscalar(print real(+inf)), 0)", "real", "NaN"),
    ],
)
def test_bins_are_exact_and_of_the_widest_type(expression: str, type_: str, value: object) -> None:
    assert answer(f"print a = {expression}") == ([f"a:{type_}"], [[value]])
