"""More macros (see `macros.py`): numbers, arrays and bags, encodings, calendar."""

from __future__ import annotations

_EPOCH = 621_355_968_000_000_000
_DAY = 864_000_000_000

MACROS: dict[str, str] = {
    # -- numbers ---------------------------------------------------------------------------------------
    "kql_divide_long": "(a, b) AS CASE WHEN b <> 0 THEN a // b END",
    "kql_divide_real": """(a, b) AS CASE WHEN b <> 0 OR isnan(b) OR b IS NULL THEN a / b WHEN a > 0 THEN 'inf'::DOUBLE
        WHEN a < 0 THEN '-inf'::DOUBLE WHEN a IS NULL THEN NULL ELSE 'nan'::DOUBLE END""",
    # Whole and fractional parts apart, so that 38 digits are never exceeded on the way.
    "kql_decimal_units": """(x) AS (trunc(x)::HUGEINT * 1000000000000
        + ((x - trunc(x)::DECIMAL(38,12)) * 1000000000000::DECIMAL(13,0))::HUGEINT)""",
    "kql_units_decimal": "(u) AS (u::DECIMAL(38,0) * 0.000000000001::DECIMAL(12,12))::DECIMAL(38,12)",
    "kql_divide_units": """(u, n) AS ((abs(u) + n // 2) // n * CASE WHEN u < 0 THEN -1 ELSE 1 END)""",
    "kql_divide_decimal": """(a, b) AS CASE WHEN b <> 0 THEN kql_units_decimal(
        kql_decimal_units(a) * 1000000000000 // kql_decimal_units(b)) END""",
    "kql_average_decimal": """(total, n) AS CASE WHEN n > 0 THEN
        kql_units_decimal(kql_divide_units(kql_decimal_units(total), n)) END""",
    "kql_modulo": "(a, b) AS CASE WHEN b <> 0 THEN (a % b + abs(b)) % abs(b) END",
    # The lowest 64 bits, of at most 127, as a long has them.
    "kql_wrapped": (
        "(x) AS CAST(((x + 9223372036854775808::HUGEINT) & 18446744073709551615::HUGEINT)"
        " - 9223372036854775808::HUGEINT AS BIGINT)"
    ),
    "kql_as_real": "(x) AS x::DOUBLE",
    "kql_multiply_span": "(a, n) AS a * n",
    "kql_multiply_span_real": "(a, n) AS TRY_CAST(round(a * n) AS BIGINT)",
    "kql_divide_span": "(a, n) AS CASE WHEN n <> 0 THEN a // n END",
    "kql_divide_span_real": "(a, n) AS CASE WHEN n <> 0 THEN TRY_CAST(round(a / n) AS BIGINT) END",
    "kql_bin": "(x, size) AS CASE WHEN size > 0 THEN TRY(x - ((x % size) + size) % size) END",
    "kql_bin_real": "(x, size) AS CASE WHEN size > 0 THEN floor(x / size) * size END",
    "kql_bin_units": "(u, n) AS u - u % n - CASE WHEN u % n < 0 THEN n ELSE 0 END",
    "kql_bin_decimal": """(x, size) AS CASE WHEN size > 0 THEN
        kql_units_decimal(kql_bin_units(kql_decimal_units(x), nullif(kql_decimal_units(size), 0))) END""",
    "kql_bin_at": "(x, size, point) AS TRY(point + kql_bin(x - point, size))",
    "kql_bin_at_real": "(x, size, point) AS point + kql_bin_real(x - point, size)",
    "kql_round_long": """(x, n) AS CASE WHEN n >= 0 THEN x WHEN n > -19 THEN
        TRY_CAST(round(x::DECIMAL(38,0) / pow(10, -n)::DECIMAL(38,0)) * pow(10, -n)::DECIMAL(38,0) AS BIGINT) ELSE 0 END""",
    "kql_bin_at_decimal": "(x, size, point) AS (point + kql_bin_decimal(x - point, size))::DECIMAL(38,12)",
    "kql_sign": "(x) AS sign(x)::DOUBLE",
    "kql_exp2": "(x) AS pow(2, x)",
    "kql_exp10": "(x) AS pow(10, x)",
    "kql_log": "(x) AS CASE WHEN x > 0 THEN ln(x) WHEN x = 0 THEN '-inf'::DOUBLE WHEN x < 0 THEN 'nan'::DOUBLE ELSE x END",
    "kql_log2": "(x) AS CASE WHEN x > 0 THEN log2(x) WHEN x = 0 THEN '-inf'::DOUBLE WHEN x < 0 THEN 'nan'::DOUBLE ELSE x END",
    "kql_log10": "(x) AS CASE WHEN x > 0 THEN log10(x) WHEN x = 0 THEN '-inf'::DOUBLE WHEN x < 0 THEN 'nan'::DOUBLE ELSE x END",
    "kql_sqrt": "(x) AS CASE WHEN x >= 0 THEN sqrt(x) WHEN x < 0 THEN 'nan'::DOUBLE ELSE x END",
    "kql_acos": "(x) AS CASE WHEN x BETWEEN -1 AND 1 THEN acos(x) WHEN x IS NULL THEN NULL ELSE 'nan'::DOUBLE END",
    "kql_asin": "(x) AS CASE WHEN x BETWEEN -1 AND 1 THEN asin(x) WHEN x IS NULL THEN NULL ELSE 'nan'::DOUBLE END",
    "kql_bit_and": "(a, b) AS a & b",
    "kql_bit_or": "(a, b) AS a | b",
    "kql_bit_not": "(a) AS ~a",
    "kql_bit_count": "(a) AS bit_count(a::BIGINT)::BIGINT",
    "kql_rand_below": "(n) AS CASE WHEN n > 0 THEN floor(random() * n) END",
    "kql_tohex": "(x, n) AS lpad(lower(hex(x::BIGINT)), greatest(least(n, 1024), length(hex(x::BIGINT)))::INTEGER, '0')",
    "kql_tohex_int": """(x, n) AS lpad(lower(right(hex(x::BIGINT), 8)),
        greatest(least(n, 1024), length(right(hex(x::BIGINT), 8)))::INTEGER, '0')""",
    # -- text ------------------------------------------------------------------------------------------
    "kql_strcmp": "(a, b) AS CASE WHEN a < b THEN -1 WHEN a > b THEN 1 ELSE 0 END",
    "kql_split": """(s, d) AS kql_make_array(list_transform(CASE WHEN d = '' THEN [s] ELSE string_split(s, d) END,
        lambda p: to_json(p)::VARCHAR))""",
    "kql_split_at": """(s, d, i) AS CASE WHEN i >= 0 AND i < len(string_split(s, d))
        THEN kql_make_array([to_json(list_extract(string_split(s, d), i + 1))::VARCHAR]) ELSE '[]' END""",
    "kql_strrep": "(s, n, d) AS CASE WHEN n > 0 THEN repeat(s || d, least(n, 1024) - 1) || s ELSE '' END",
    "kql_repeat": "(j, n) AS CASE WHEN n IS NOT NULL THEN kql_make_array(list_transform(range(least(n, 65536)), lambda i: j)) END",
    "kql_count_regex": "(s, r) AS len(regexp_extract_all(s, r))",
    "kql_extract_all": """(r, s, g) AS CASE WHEN len(regexp_extract_all(s, r)) > 0 THEN
        kql_make_array(list_transform(regexp_extract_all(s, r, g::INTEGER), lambda p: to_json(coalesce(p, ''))::VARCHAR)) END""",
    # What stands before the match: the pieces between the matches before it, and these.
    "kql_before_match": """(s, r, n) AS CASE WHEN len(regexp_extract_all(s, r)) < n THEN NULL
        ELSE length(coalesce(array_to_string(string_split_regex(s, r)[1:n], ''), ''))
        + length(coalesce(array_to_string(regexp_extract_all(s, r)[1:n - 1], ''), '')) END""",
    "kql_indexof_regex": """(s, r, start, len, occurrence) AS CASE WHEN start < 0 OR len < -1 OR occurrence < 1 THEN NULL
        ELSE coalesce(start + kql_before_match(kql_piece(s, start, len), r, occurrence), -1) END""",
    "kql_regex_quote": "(s) AS regexp_replace(s, '([\\\\.+*?()|\\[\\]{}^$#&\\-~])', '\\\\\\1', 'g')",
    "kql_to_base64": "(s) AS to_base64(encode(s))",
    # -- arrays and bags -------------------------------------------------------------------------------
    "kql_flattened": """(l) AS flatten(list_transform(l,
        lambda x: CASE WHEN starts_with(x, '[') THEN kql_array(x) ELSE [x] END))""",
    "kql_array_length": "(d) AS CASE WHEN kql_is_array(d) THEN json_array_length(d)::BIGINT END",
    "kql_array_reverse": "(d) AS CASE WHEN kql_is_array(d) THEN kql_make_array(list_reverse(kql_array(d))) END",
    "kql_at": "(i, n) AS CASE WHEN i < 0 THEN greatest(n + i, -1) ELSE i END",
    "kql_place": """(d, i) AS CASE WHEN i < 0 THEN json_array_length(d)::BIGINT + greatest(least(i, 0), -2147483647)
        ELSE least(i, 2147483646) END""",
    "kql_array_slice": """(d, a, b) AS CASE WHEN kql_is_array(d) THEN kql_make_array(list_slice(kql_array(d),
        greatest(kql_place(d, a), 0) + 1, kql_place(d, b) + 1)) END""",
    # DuckDB joins with a constant only: the delimiter goes before each element, and the first one is cut off.
    "kql_strcat_array": """(d, sep) AS coalesce(substring(array_to_string(list_transform(kql_array(d),
        lambda x: sep || CASE WHEN x = 'null' THEN '' ELSE kql_dynamic_text(x) END), ''), length(sep) + 1), '')""",
    "kql_bag_keys": """(d) AS CASE WHEN kql_is_bag(d) THEN
        kql_make_array(list_transform(json_keys(d), lambda k: to_json(k)::VARCHAR)) END""",
    "kql_array_rotate_left": """(d, n) AS CASE WHEN kql_is_array(d) AND json_array_length(d) > 0 THEN kql_make_array(
        list_transform(range(json_array_length(d)::BIGINT), lambda i: list_extract(kql_array(d),
        ((i + n % json_array_length(d)::BIGINT) % json_array_length(d)::BIGINT + json_array_length(d)::BIGINT) % json_array_length(d)::BIGINT + 1))) ELSE d END""",
    "kql_array_rotate_right": "(d, n) AS kql_array_rotate_left(d, -(n % greatest(json_array_length(d)::BIGINT, 1)))",
    # -- addresses of the web --------------------------------------------------------------------------
    "kql_url_part": "(s, n) AS regexp_extract(s, '^(?:([A-Za-z][A-Za-z0-9+.\\-]*):)?(?://(?:([^:/?#@]*)(?::([^/?#@]*))?@)?(\\[[^\\]]*\\]|[^:/?#]*)(?::(\\d+))?)?([^?#]*)(?:\\?([^#]*))?(?:#(.*))?$', n)",
    "kql_url_query": """(q) AS '{' || array_to_string(list_transform(list_filter(string_split(q, '&'), lambda p: p <> ''),
        lambda p: to_json(url_decode(string_split(p, '=')[1]))::VARCHAR || ':'
        || to_json(url_decode(substring(p, length(string_split(p, '=')[1]) + 2)))::VARCHAR), ',') || '}'""",
    "kql_parse_url": """(s) AS CASE WHEN s = '' THEN NULL ELSE '{"Scheme":' || to_json(kql_url_part(s, 1))::VARCHAR
        || ',"Host":' || to_json(kql_url_part(s, 4))::VARCHAR || ',"Port":' || to_json(kql_url_part(s, 5))::VARCHAR
        || ',"Path":' || to_json(kql_url_part(s, 6))::VARCHAR || ',"Username":' || to_json(kql_url_part(s, 2))::VARCHAR
        || ',"Password":' || to_json(kql_url_part(s, 3))::VARCHAR || ',"Query Parameters":' || kql_url_query(kql_url_part(s, 7))
        || ',"Fragment":' || to_json(kql_url_part(s, 8))::VARCHAR || '}' END""",
    "kql_parse_urlquery": """(s) AS '{"Query Parameters":' || kql_url_query(s) || '}'""",
    "kql_json_key": "(k) AS to_json(k)::VARCHAR || ':'",
    "kql_make_bag": "(pairs) AS '{' || array_to_string(pairs, ',') || '}'",
    "kql_in_array": "(s, d) AS coalesce(list_contains(list_transform(kql_array(d), lambda x: kql_dynamic_text(x)), s), FALSE)",
    "kql_in_array_ci": """(s, d) AS coalesce(list_contains(list_transform(kql_array(d),
        lambda x: lower(kql_dynamic_text(x))), lower(s)), FALSE)""",
    "kql_gettype": """(d) AS CASE json_type(d) WHEN 'OBJECT' THEN 'dictionary' WHEN 'ARRAY' THEN 'array' WHEN 'VARCHAR' THEN 'string'
        WHEN 'BOOLEAN' THEN 'bool' WHEN 'DOUBLE' THEN 'double' WHEN 'UBIGINT' THEN 'long' WHEN 'BIGINT' THEN 'long'
        ELSE 'null' END""",
    # -- series ----------------------------------------------------------------------------------------
    "kql_no_step": "() AS error('aforo: the step of make-series is not above zero')",
    "kql_series_index": "(x, start, step) AS CASE WHEN step > 0 THEN kql_floor_div(x - start, step) ELSE kql_no_step() END",
    "kql_series_index_real": "(x, start, step) AS CASE WHEN step > 0 THEN floor((x - start) / step)::BIGINT ELSE kql_no_step() END",
    "kql_series_end": """(stop, start, step, within) AS CASE WHEN step > 0 THEN
        kql_floor_div(stop - start - CASE WHEN within THEN 0 ELSE 1 END, step) + 1 END""",
    "kql_series_end_real": """(stop, start, step, within) AS CASE WHEN step > 0 THEN
        CASE WHEN within THEN floor((stop - start) / step)::BIGINT + 1 ELSE ceil((stop - start) / step)::BIGINT END END""",
    # No array is longer than Kusto's.
    "kql_series_length": "(low, stop) AS coalesce(least(greatest(stop - low, 0), 1048576), 0)",
    "kql_series_fill": """(points, n, filler, low) AS kql_make_array(list_transform(range(n),
        lambda j: coalesce(map_extract_value(points, j + low), filler, 'null')))""",
    "kql_series_moments": """(start, step, n) AS kql_make_array(list_transform(range(n),
        lambda j: '"' || kql_iso7(start + j * step) || '"'))""",
    "kql_series_spans": """(start, step, n) AS kql_make_array(list_transform(range(n),
        lambda j: '"' || kql_timespan(start + j * step) || '"'))""",
    "kql_series_numbers": """(start, step, n) AS kql_make_array(list_transform(range(n),
        lambda j: (start + j * step)::VARCHAR))""",
    # -- calendar --------------------------------------------------------------------------------------
    "kql_month_start": "(t, n) AS kql_ticks(date_trunc('month', kql_ts(t)) + to_months(n::INTEGER))",
    "kql_year_start": "(t, n) AS kql_ticks(date_trunc('year', kql_ts(t)) + to_years(n::INTEGER))",
    "kql_week_start": f"(t, n) AS t - t % {_DAY} - (t // {_DAY} + 1) % 7 * {_DAY} + n * {7 * _DAY}",
    "kql_day_start": f"(t, n) AS t - t % {_DAY} + n * {_DAY}",
    # What leads beyond all years is null; a product may not be one of DuckDB's INTEGER.
    "kql_add_months": f"""(t, n) AS CASE WHEN n BETWEEN -120000 AND 120000
        THEN kql_ticks(date_trunc('day', kql_ts(t)) + to_months(n::INTEGER)) + t % {_DAY} END""",
    "kql_add_ticks": """(t, n, per) AS CASE WHEN abs(n::HUGEINT * per) < 3200000000000000000
        THEN t + (n::HUGEINT * per)::BIGINT END""",
    "kql_few": "(n, most) AS CASE WHEN n BETWEEN -most AND most THEN n::BIGINT END",
    "kql_nanoseconds": "(ticks) AS TRY_CAST(ticks::HUGEINT * 100 AS BIGINT)",
    "kql_month_number": "(t) AS (year(kql_ts(t)) * 12 + month(kql_ts(t)))",
    "kql_iso_week": "(t) AS weekofyear(kql_ts(t))",
    "kql_clock_ticks": """(h, m, s) AS CASE WHEN h BETWEEN 0 AND 23 AND m BETWEEN 0 AND 59 AND s >= 0 AND s < 60
        THEN h::BIGINT * 36000000000 + m::BIGINT * 600000000 + round(s * 10000000)::BIGINT END""",
    "kql_make_timespan": "(d, h, m, s) AS d::BIGINT * 864000000000 + kql_clock_ticks(h, m, s)",
    "kql_make_datetime": """(y, mo, d, h, m, s) AS kql_ticks(TRY(make_timestamp(y::BIGINT, mo::BIGINT, d::BIGINT, 0, 0, 0)))
        + kql_clock_ticks(h, m, s)""",
    "kql_pad": "(s, n) AS lpad(s, greatest(n, length(s))::INTEGER, '0')",
    # -- steps --------------------------------------------------------------------------------------------
    "kql_steps": """(a, b, step) AS CASE WHEN step > 0 AND b >= a THEN list_transform(range((b - a) // step + 1), lambda i: a + i * step)
        WHEN step < 0 AND b <= a THEN list_transform(range((a - b) // -step + 1), lambda i: a + i * step) ELSE [] END""",
    "kql_steps_real": """(a, b, step) AS CASE WHEN step = 0 THEN [] WHEN (b - a) / step >= 0 THEN
        list_transform(range(floor((b - a) / step)::BIGINT + 1), lambda i: a + i * step) ELSE [] END""",
    # No array is longer than Kusto's, whatever the ends: the rest is left out.
    "kql_range_steps": """(a, b, step) AS CASE WHEN (step > 0 AND b >= a) OR (step < 0 AND b <= a)
        THEN list_transform(range(least((b - a) // step, 1048575) + 1), lambda i: a + i * step) ELSE [] END""",
    "kql_range_numbers": "(a, b, step) AS kql_make_array(list_transform(kql_range_steps(a, b, step), lambda v: v::VARCHAR))",
    "kql_range_reals": """(a, b, step) AS kql_make_array(list_transform(CASE WHEN step <> 0 AND (b - a) / step >= 0 THEN
        range(least(floor((b - a) / step + 1e-9), 1048575)::BIGINT + 1) ELSE [] END, lambda i: kql_real_json(a + i * step)))""",
    "kql_range_moments": """(a, b, step) AS kql_make_array(list_transform(kql_range_steps(a, b, step),
        lambda v: '"' || kql_iso7(v) || '"'))""",
    "kql_range_spans": """(a, b, step) AS kql_make_array(list_transform(kql_range_steps(a, b, step),
        lambda v: '"' || kql_timespan(v) || '"'))""",
}
