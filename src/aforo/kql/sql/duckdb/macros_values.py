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
    "kql_as_real": "(x) AS x::DOUBLE",
    "kql_multiply_span": "(a, n) AS a * n",
    "kql_multiply_span_real": "(a, n) AS TRY_CAST(round(a * n) AS BIGINT)",
    "kql_divide_span": "(a, n) AS CASE WHEN n <> 0 THEN a // n END",
    "kql_divide_span_real": "(a, n) AS CASE WHEN n <> 0 THEN TRY_CAST(round(a / n) AS BIGINT) END",
    "kql_bin": "(x, size) AS CASE WHEN size > 0 THEN x - ((x % size) + size) % size END",
    "kql_bin_real": "(x, size) AS CASE WHEN size > 0 THEN floor(x / size) * size END",
    "kql_bin_decimal": "(x, size) AS CASE WHEN size > 0 THEN (floor(x / size)::DECIMAL(38,0) * size)::DECIMAL(38,12) END",
    "kql_bin_at": "(x, size, point) AS point + kql_bin(x - point, size)",
    "kql_bin_at_real": "(x, size, point) AS point + kql_bin_real(x - point, size)",
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
    "kql_shift_left": "(a, n) AS CASE WHEN n BETWEEN 0 AND 63 THEN TRY(a << n) END",
    "kql_shift_right": "(a, n) AS CASE WHEN n BETWEEN 0 AND 63 THEN a >> n END",
    "kql_tohex": "(x, n) AS lpad(lower(hex(x::BIGINT)), greatest(n, length(hex(x::BIGINT)))::INTEGER, '0')",
    "kql_tohex_int": """(x, n) AS lpad(lower(right(hex(x::BIGINT), 8)),
        greatest(n, length(right(hex(x::BIGINT), 8)))::INTEGER, '0')""",
    # -- text ------------------------------------------------------------------------------------------
    "kql_strcmp": "(a, b) AS CASE WHEN a < b THEN -1 WHEN a > b THEN 1 ELSE 0 END",
    "kql_split": """(s, d) AS kql_make_array(list_transform(CASE WHEN d = '' THEN [s] ELSE string_split(s, d) END,
        lambda p: to_json(p)::VARCHAR))""",
    "kql_split_at": """(s, d, i) AS CASE WHEN i >= 0 AND i < len(string_split(s, d))
        THEN kql_make_array([to_json(list_extract(string_split(s, d), i + 1))::VARCHAR]) ELSE '[]' END""",
    "kql_strrep": "(s, n, d) AS array_to_string(list_transform(range(least(n, 1024)), lambda i: s), d)",
    "kql_repeat": "(j, n) AS kql_make_array(list_transform(range(least(n, 65536)), lambda i: j))",
    "kql_count_regex": "(s, r) AS len(regexp_extract_all(s, r))",
    "kql_extract_all": """(r, s) AS CASE WHEN len(regexp_extract_all(s, r)) = 0 THEN NULL ELSE
        kql_make_array(list_transform(regexp_extract_all(s, r, 1), lambda p: to_json(p)::VARCHAR)) END""",
    "kql_to_base64": "(s) AS to_base64(encode(s))",
    "kql_from_base64": "(s) AS coalesce(TRY(decode(from_base64(s))), '')",
    # -- arrays and bags -------------------------------------------------------------------------------
    "kql_array_length": "(d) AS CASE WHEN kql_is_array(d) THEN json_array_length(d)::BIGINT END",
    "kql_array_sum": "(d) AS list_sum(list_transform(kql_array(d), lambda x: TRY_CAST(x AS DOUBLE)))",
    "kql_array_reverse": "(d) AS CASE WHEN kql_is_array(d) THEN kql_make_array(list_reverse(kql_array(d))) END",
    "kql_at": "(i, n) AS CASE WHEN i < 0 THEN greatest(n + i, -1) ELSE i END",
    "kql_array_slice": """(d, a, b) AS CASE WHEN kql_is_array(d) THEN kql_make_array(list_slice(kql_array(d),
        greatest(CASE WHEN a < 0 THEN json_array_length(d) + a ELSE a END, 0) + 1,
        CASE WHEN b < 0 THEN json_array_length(d) + b ELSE b END + 1)) END""",
    "kql_strcat_array": """(d, sep) AS coalesce(array_to_string(list_transform(kql_array(d),
        lambda x: CASE WHEN x = 'null' THEN '' ELSE kql_dynamic_text(x) END), sep), '')""",
    "kql_bag_keys": """(d) AS CASE WHEN kql_is_bag(d) THEN
        kql_make_array(list_transform(json_keys(d), lambda k: to_json(k)::VARCHAR)) END""",
    # Numbers and texts are sorted apart by their types, numbers first; nulls go last.
    "kql_sort_rank": "(x) AS CASE WHEN x = 'null' THEN 3 WHEN starts_with(x, '\"') THEN 2 ELSE 1 END",
    "kql_sort_keys": """(d) AS list_transform(kql_array(d), lambda x: {'rank': kql_sort_rank(x),
        'number': coalesce(TRY_CAST(x AS DOUBLE), 0), 'value': x})""",
    "kql_array_sort_asc": """(d) AS CASE WHEN kql_is_array(d) THEN
        kql_make_array(list_transform(list_sort(kql_sort_keys(d)), lambda e: e.value)) END""",
    "kql_array_sort_desc": """(d) AS CASE WHEN kql_is_array(d) THEN kql_make_array(list_transform(list_concat(
        list_reverse(list_sort(list_filter(kql_sort_keys(d), lambda e: e.rank < 3))),
        list_filter(kql_sort_keys(d), lambda e: e.rank = 3)), lambda e: e.value)) END""",
    "kql_array_rotate_left": """(d, n) AS CASE WHEN kql_is_array(d) AND json_array_length(d) > 0 THEN kql_make_array(
        list_transform(range(json_array_length(d)::BIGINT), lambda i: list_extract(kql_array(d),
        ((i + n) % json_array_length(d)::BIGINT + json_array_length(d)::BIGINT) % json_array_length(d)::BIGINT + 1))) ELSE d END""",
    "kql_array_rotate_right": "(d, n) AS kql_array_rotate_left(d, -n)",
    "kql_first_of_each": "(l) AS list_filter(l, lambda x, i: list_position(l, x) = i)",
    "kql_set_union": "(a, b) AS kql_make_array(kql_first_of_each(list_concat(kql_array(a), kql_array(b))))",
    "kql_set_intersect": """(a, b) AS CASE WHEN kql_is_array(a) AND kql_is_array(b) THEN kql_make_array(kql_first_of_each(
        list_filter(kql_array(a), lambda x: list_contains(kql_array(b), x)))) END""",
    "kql_set_difference": """(a, b) AS CASE WHEN kql_is_array(a) AND kql_is_array(b) THEN kql_make_array(kql_first_of_each(
        list_filter(kql_array(a), lambda x: NOT list_contains(kql_array(b), x)))) END""",
    # -- addresses -------------------------------------------------------------------------------------
    "kql_ipv4_number": """(s) AS CASE WHEN regexp_full_match(s, '(\\d{1,3})\\.(\\d{1,3})\\.(\\d{1,3})\\.(\\d{1,3})')
        AND len(list_filter(string_split(s, '.'), lambda p: TRY_CAST(p AS INTEGER) > 255)) = 0 THEN
        string_split(s, '.')[1]::BIGINT * 16777216 + string_split(s, '.')[2]::BIGINT * 65536
        + string_split(s, '.')[3]::BIGINT * 256 + string_split(s, '.')[4]::BIGINT END""",
    "kql_ipv4_bits": """(s) AS CASE WHEN contains(s, '/') THEN CASE WHEN TRY_CAST(string_split(s, '/')[2] AS INTEGER) BETWEEN 0 AND 32
        THEN string_split(s, '/')[2]::INTEGER END ELSE 32 END""",
    "kql_ipv4_network": "(n, bits) AS n - n % (1::BIGINT << (32 - bits))",
    "kql_parse_ipv4": "(s) AS kql_ipv4_network(kql_ipv4_number(string_split(s, '/')[1]), kql_ipv4_bits(s))",
    "kql_ipv4_is_in_range": """(s, r) AS kql_ipv4_network(kql_parse_ipv4(s), least(kql_ipv4_bits(s), kql_ipv4_bits(r)))
        = kql_ipv4_network(kql_parse_ipv4(r), least(kql_ipv4_bits(s), kql_ipv4_bits(r)))
        AND kql_ipv4_bits(s) >= kql_ipv4_bits(r)""",
    "kql_ipv4_is_private": """(s) AS kql_ipv4_is_in_range(s, '10.0.0.0/8') OR kql_ipv4_is_in_range(s, '172.16.0.0/12')
        OR kql_ipv4_is_in_range(s, '192.168.0.0/16')""",
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
    "kql_json_key": "(k) AS to_json(k)::VARCHAR || ':'",
    "kql_make_bag": "(pairs) AS '{' || array_to_string(pairs, ',') || '}'",
    "kql_array_index_of": """(d, j) AS CASE WHEN kql_is_array(d) THEN coalesce(list_position(kql_array(d), j), 0)::BIGINT - 1 END""",
    "kql_set_has_element": "(d, j) AS CASE WHEN kql_is_array(d) THEN list_contains(kql_array(d), j) END",
    "kql_in_array": "(s, d) AS coalesce(list_contains(list_transform(kql_array(d), lambda x: kql_dynamic_text(x)), s), FALSE)",
    "kql_in_array_ci": """(s, d) AS coalesce(list_contains(list_transform(kql_array(d),
        lambda x: lower(kql_dynamic_text(x))), lower(s)), FALSE)""",
    "kql_gettype": """(d) AS CASE json_type(d) WHEN 'OBJECT' THEN 'dictionary' WHEN 'ARRAY' THEN 'array' WHEN 'VARCHAR' THEN 'string'
        WHEN 'BOOLEAN' THEN 'bool' WHEN 'DOUBLE' THEN 'double' WHEN 'UBIGINT' THEN 'long' WHEN 'BIGINT' THEN 'long'
        ELSE 'null' END""",
    "kql_merge_bags": """(bags) AS '{' || array_to_string(map_values(map_from_entries(list_reverse(list_transform(
        list_filter(flatten(list_transform(bags, lambda b: list_transform(json_keys(b), lambda k: {'key': k,
        'value': to_json(k)::VARCHAR || ':' || json_extract(b, '/' || replace(replace(k, '~', '~0'), '/', '~1'))::VARCHAR}))),
        lambda e: TRUE), lambda e: e)))), ',') || '}'""",
    # -- series ----------------------------------------------------------------------------------------
    "kql_series_index": "(x, start, step) AS CASE WHEN step > 0 THEN (x - start) // step END",
    "kql_series_length": """(start, stop, step) AS CASE WHEN step > 0 AND stop > start
        THEN least((stop - start + step - 1) // step, 1048576) ELSE 0 END""",
    "kql_series_fill": """(points, n, filler) AS kql_make_array(list_transform(range(n),
        lambda j: coalesce(map_extract_value(points, j), filler, 'null')))""",
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
    "kql_add_months": f"(t, n) AS kql_ticks(date_trunc('day', kql_ts(t)) + to_months(n::INTEGER)) + t % {_DAY}",
    "kql_month_number": "(t) AS (year(kql_ts(t)) * 12 + month(kql_ts(t)))",
    "kql_iso_week": "(t) AS weekofyear(kql_ts(t))",
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
    "kql_range_moments": """(a, b, step) AS kql_make_array(list_transform(kql_range_steps(a, b, step),
        lambda v: '"' || kql_iso7(v) || '"'))""",
    "kql_range_spans": """(a, b, step) AS kql_make_array(list_transform(kql_range_steps(a, b, step),
        lambda v: '"' || kql_timespan(v) || '"'))""",
}
