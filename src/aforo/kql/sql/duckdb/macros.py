"""SQL macros that compiled queries call, as DuckDB text. Each is a pure function of its arguments.

Texts are never NULL here; datetimes and timespans are ticks; dynamic values are JSON text or NULL.
"""

from __future__ import annotations

from aforo.kql.ticks import MAX_DATETIME

_EPOCH = 621_355_968_000_000_000
_DAY = 864_000_000_000

# name -> (parameters) AS body. Order matters: a macro may call only those above it.
MACROS: dict[str, str] = {
    # -- time ------------------------------------------------------------------------------------------
    "kql_ticks": f"(ts) AS (epoch_us(ts) * 10 + {_EPOCH})",
    "kql_moment": f"(t) AS CASE WHEN t BETWEEN 0 AND {MAX_DATETIME} THEN t END",
    "kql_row_count": "(n) AS CASE WHEN n >= 0 THEN n ELSE error('aforo: the number of rows is null or below 0') END",
    "kql_assert": "(held, message) AS CASE WHEN held THEN TRUE ELSE error('aforo: ' || message) END",
    "kql_ts": f"(t) AS make_timestamp((t - {_EPOCH}) // 10)",
    "kql_floor_div": "(a, b) AS (a // b - CASE WHEN a % b <> 0 AND (a < 0) <> (b < 0) THEN 1 ELSE 0 END)",
    "kql_fraction": "(t) AS lpad((t % 10000000)::VARCHAR, 7, '0')",
    "kql_iso": f"""(t) AS strftime(make_timestamp((t - t % 10000000 - {_EPOCH}) // 10), '%Y-%m-%dT%H:%M:%S')
        || CASE WHEN t % 10000000 = 0 THEN '' ELSE '.' || rtrim(kql_fraction(t), '0') END || 'Z'""",
    "kql_iso7": f"""(t) AS strftime(make_timestamp((t - t % 10000000 - {_EPOCH}) // 10), '%Y-%m-%dT%H:%M:%S')
        || '.' || kql_fraction(t) || 'Z'""",
    "kql_clock": f"""(t) AS CASE WHEN t >= {_DAY} THEN (t // {_DAY})::VARCHAR || '.' ELSE '' END
        || lpad((t % {_DAY} // 36000000000)::VARCHAR, 2, '0') || ':'
        || lpad((t % 36000000000 // 600000000)::VARCHAR, 2, '0') || ':'
        || lpad((t % 600000000 // 10000000)::VARCHAR, 2, '0')
        || CASE WHEN t % 10000000 = 0 THEN '' ELSE '.' || kql_fraction(t) END""",
    "kql_timespan": "(t) AS CASE WHEN t < 0 THEN '-' || kql_clock(-t) ELSE kql_clock(t) END",
    # -- numbers as text -------------------------------------------------------------------------------
    "kql_real_text": """(x) AS CASE WHEN isnan(x) THEN 'NaN' WHEN isinf(x) THEN CASE WHEN x > 0 THEN '∞' ELSE '-∞' END
        ELSE upper(regexp_replace(x::VARCHAR, '\\.0$', '')) END""",
    "kql_real_json": """(x) AS CASE WHEN isfinite(x) THEN to_json(x)::VARCHAR WHEN isnan(x) THEN '"NaN"'
        WHEN x > 0 THEN '"Infinity"' WHEN x < 0 THEN '"-Infinity"' END""",
    "kql_decimal_text": """(x) AS CASE WHEN contains(x::VARCHAR, '.') THEN rtrim(rtrim(x::VARCHAR, '0'), '.')
        ELSE x::VARCHAR END""",
    # -- JSON ------------------------------------------------------------------------------------------
    "kql_null_json": "(j) AS nullif(j::VARCHAR, 'null')",
    # TRY: a constant is read before its condition is asked.
    "kql_parse_json": """(s) AS CASE WHEN s = '' THEN NULL WHEN json_valid(s) THEN nullif(TRY(json(s))::VARCHAR, 'null')
        ELSE to_json(s)::VARCHAR END""",
    "kql_path": "(d, p) AS nullif(json_extract(d, p)::VARCHAR, 'null')",
    "kql_text_path": "(s, p) AS CASE WHEN json_valid(s) THEN nullif(TRY(json_extract(s, p))::VARCHAR, 'null') END",
    # A body that begins like one is parsed once: what comes of a broken one is TRY's (a vector with such a row is gone
    # through row by row, so it is not for texts that are no JSON anyway).
    "kql_text_paths": """(s, ps) AS CASE WHEN starts_with(s, '{') THEN TRY(json_extract(s, ps))
        WHEN json_valid(s) THEN json_extract(s, ps) END""",
    "kql_dynamic_text": """(d) AS coalesce(CASE WHEN starts_with(d, '"') THEN json_extract_string(d, '$') ELSE d END, '')""",
    "kql_parse_dynamic": """(d) AS CASE WHEN starts_with(d, '"') THEN kql_parse_json(json_extract_string(d, '$')) ELSE d END""",
    "kql_is_array": "(d) AS starts_with(d, '[')",
    "kql_is_bag": "(d) AS starts_with(d, '{')",
    "kql_array": "(d) AS CASE WHEN starts_with(d, '[') THEN json_extract(d, '$[*]')::VARCHAR[] END",
    "kql_make_array": "(l) AS ('[' || array_to_string(l, ',') || ']')",
    "kql_elements": """(d) AS CASE WHEN starts_with(d, '[') THEN json_extract(d, '$[*]')::VARCHAR[]
        WHEN starts_with(d, '{') THEN list_transform(json_keys(d), lambda k:
            '{' || to_json(k)::VARCHAR || ':' || json_extract(d, '/' || replace(replace(k, '~', '~0'), '/', '~1'))::VARCHAR || '}')
        WHEN d IS NULL THEN ['null'] ELSE [d] END""",
    "kql_pairs": """(d) AS CASE WHEN starts_with(d, '[') THEN json_extract(d, '$[*]')::VARCHAR[]
        WHEN starts_with(d, '{') THEN list_transform(json_keys(d), lambda k:
            '[' || to_json(k)::VARCHAR || ',' || json_extract(d, '/' || replace(replace(k, '~', '~0'), '/', '~1'))::VARCHAR || ']')
        WHEN d IS NULL THEN ['null'] ELSE [d] END""",
    "kql_element_at": """(d, i) AS CASE WHEN starts_with(d, '[') THEN nullif(list_extract(json_extract(d, '$[*]')::VARCHAR[],
        CASE WHEN i < 0 THEN i ELSE i + 1 END), 'null') END""",
    "kql_property_at": """(d, k) AS CASE WHEN starts_with(d, '{') THEN
        nullif(json_extract(d, '/' || replace(replace(k, '~', '~0'), '/', '~1'))::VARCHAR, 'null') END""",
    # -- conversions -----------------------------------------------------------------------------------
    "kql_text_long": """(s) AS CASE WHEN regexp_full_match(s, '\\s*[-+]?\\d+\\s*') THEN TRY_CAST(trim(s) AS BIGINT)
        WHEN regexp_full_match(s, '\\s*0[xX][0-9a-fA-F]{1,16}\\s*') THEN TRY_CAST(lower(trim(s)) AS BIGINT) END""",
    "kql_text_real": "(s) AS TRY_CAST(trim(s) AS DOUBLE)",
    # Up to 32 digits before the point: more than other decimals have, and none behind it.
    "kql_parse_version": "(s) AS TRY_CAST(nullif(kqlpy_version_digits(s), '') AS DECIMAL(38,0))",
    "kql_text_decimal": "(s) AS TRY_CAST(trim(s) AS DECIMAL(38,12))",
    "kql_text_bool": """(s) AS CASE lower(trim(s)) WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE WHEN '1' THEN TRUE
        WHEN '0' THEN FALSE END""",
    "kql_dynamic_long": """(d) AS CASE WHEN starts_with(d, '"') THEN kql_text_long(json_extract_string(d, '$'))
        WHEN d = 'true' THEN 1 WHEN d = 'false' THEN 0
        ELSE coalesce(kql_text_long(d), TRY_CAST(trunc(TRY_CAST(d AS DOUBLE)) AS BIGINT)) END""",
    "kql_dynamic_real": """(d) AS CASE WHEN starts_with(d, '"') THEN kql_text_real(json_extract_string(d, '$'))
        WHEN d = 'true' THEN 1 WHEN d = 'false' THEN 0 ELSE TRY_CAST(d AS DOUBLE) END""",
    "kql_dynamic_decimal": "(d) AS kql_text_decimal(kql_dynamic_text(d))",
    "kql_dynamic_bool": """(d) AS CASE WHEN d IN ('true', 'false') THEN d = 'true'
        WHEN starts_with(d, '"') THEN kql_text_bool(json_extract_string(d, '$')) ELSE TRY_CAST(d AS DOUBLE) <> 0 END""",
    "kql_iso_moment": """(s) AS kql_ticks(TRY_CAST(replace(regexp_extract(s,
            '^(\\d{4}-\\d{2}-\\d{2}(?:[T ]\\d{2}:\\d{2}(?::\\d{2})?)?)', 1), 'T', ' ')
            || CASE WHEN regexp_matches(s, '^\\d{4}-\\d{2}-\\d{2}[T ]\\d{2}:\\d{2}(?:$|[^:\\d])') THEN ':00' ELSE '' END AS TIMESTAMP))
        + coalesce(TRY_CAST(rpad(left(nullif(regexp_extract(s, '\\.(\\d+)', 1), ''), 7), 7, '0') AS BIGINT), 0)
        - CASE WHEN regexp_matches(s, '[+-]\\d{2}:?\\d{2}$') AND length(s) > 16 THEN
            (CASE WHEN regexp_extract(s, '([+-])\\d{2}:?\\d{2}$', 1) = '-' THEN -1 ELSE 1 END)
            * (regexp_extract(s, '[+-](\\d{2}):?\\d{2}$', 1)::BIGINT * 60 + regexp_extract(s, '[+-]\\d{2}:?(\\d{2})$', 1)::BIGINT)
            * 600000000 ELSE 0 END""",
    "kql_text_moment": """(s) AS CASE
        WHEN regexp_full_match(s, '\\d{4}-\\d{2}-\\d{2}([T ]\\d{2}:\\d{2}(:\\d{2}(\\.\\d+)?)?)?\\s*(Z|[+-]\\d{2}:?\\d{2})?') THEN kql_iso_moment(s)
        WHEN regexp_full_match(s, '\\d{1,2}/\\d{1,2}/\\d{4}.*') THEN kql_ticks(try_strptime(s,
            ['%m/%d/%Y', '%m/%d/%Y %H:%M', '%m/%d/%Y %H:%M:%S', '%m/%d/%Y %I:%M:%S %p', '%m/%d/%Y %I:%M %p',
             '%m/%d/%Y %H:%M:%S.%f']))
        WHEN regexp_full_match(s, '\\d{1,2}-\\d{1,2}-\\d{4}.*') THEN kql_ticks(try_strptime(s,
            ['%m-%d-%Y', '%m-%d-%Y %H:%M', '%m-%d-%Y %H:%M:%S', '%m-%d-%Y %I:%M:%S %p', '%m-%d-%Y %I:%M %p']))
        WHEN regexp_full_match(s, '\\d{8}') THEN kql_ticks(try_strptime(s, ['%Y%m%d']))
        WHEN regexp_full_match(s, '\\d{4}(-\\d{1,2})?') THEN kql_ticks(try_strptime(s, ['%Y', '%Y-%m']))
        WHEN regexp_full_match(s, '\\d{4}-\\d{1,2}-\\d{1,2}([T ]\\d{1,2}(:\\d{1,2}){0,2})?Z?') THEN kql_ticks(try_strptime(
            replace(replace(s, 'T', ' '), 'Z', ''), ['%Y-%m-%d', '%Y-%m-%d %H', '%Y-%m-%d %H:%M', '%Y-%m-%d %H:%M:%S']))
        WHEN regexp_matches(s, '[A-Z][a-z]{2}') THEN kql_ticks(try_strptime(regexp_replace(trim(s), '\\s*(GMT|UTC|Z)$', ''),
            ['%a, %d %b %y %H:%M:%S', '%a, %d %b %Y %H:%M:%S', '%a, %d %b %y %H:%M', '%a, %d %b %Y %H:%M', '%d %b %y %H:%M:%S',
             '%d %b %Y %H:%M:%S', '%d %b %y %H:%M', '%d %b %Y %H:%M', '%A, %d-%b-%y %H:%M:%S', '%d %b %Y', '%b %d %Y'])) END""",
    "kql_text_span": """(s) AS CASE
        WHEN regexp_full_match(s, '-?(\\d+\\.)?\\d{1,2}:\\d{1,2}(:\\d{1,2}(\\.\\d{1,7})?)?') THEN
            (CASE WHEN starts_with(s, '-') THEN -1 ELSE 1 END) * (
            coalesce(TRY_CAST(nullif(regexp_extract(s, '^-?(\\d+)\\.', 1), '') AS BIGINT), 0) * 864000000000
            + TRY_CAST(regexp_extract(s, '(\\d{1,2}):(\\d{1,2})', 1) AS BIGINT) * 36000000000
            + TRY_CAST(regexp_extract(s, '(\\d{1,2}):(\\d{1,2})', 2) AS BIGINT) * 600000000
            + coalesce(TRY_CAST(nullif(regexp_extract(s, '\\d:\\d{1,2}:(\\d{1,2})', 1), '') AS BIGINT), 0) * 10000000
            + coalesce(TRY_CAST(rpad(nullif(regexp_extract(s, ':\\d{1,2}\\.(\\d{1,7})$', 1), ''), 7, '0') AS BIGINT), 0))
        WHEN regexp_full_match(s, '-?\\d+(\\.\\d+)?(d|h|m|s|ms)') THEN
            TRY_CAST(round(TRY_CAST(regexp_extract(s, '^-?[\\d.]+') AS DOUBLE) * CASE regexp_extract(s, '[a-z]+$')
            WHEN 'd' THEN 864000000000 WHEN 'h' THEN 36000000000 WHEN 'm' THEN 600000000 WHEN 's' THEN 10000000
            ELSE 10000 END) AS BIGINT)
        WHEN regexp_full_match(s, '-?\\d+') THEN TRY_CAST(s AS BIGINT) * 864000000000 END""",
    "kql_text_guid": """(s) AS CASE WHEN regexp_full_match(s, '\\{?[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\\}?') THEN
        regexp_replace(lower(regexp_replace(s, '[{}-]', '', 'g')),
        '(.{8})(.{4})(.{4})(.{4})(.{12})', '\\1-\\2-\\3-\\4-\\5') END""",
    # -- text ------------------------------------------------------------------------------------------
    "kql_quote_regex": "(s) AS regexp_replace(s, '([\\\\.+*?\\[^\\]$(){}=!<>|:\\-#/])', '\\\\\\1', 'g')",
    # What `has` looks for: the text between borders of terms, where its own ends are parts of terms.
    "kql_term": """(s, before, after) AS
        CASE WHEN before AND regexp_matches(s, '^[\\p{L}\\p{N}]') THEN '(?:^|[^\\p{L}\\p{N}])' ELSE '' END
        || kql_quote_regex(s)
        || CASE WHEN after AND regexp_matches(s, '[\\p{L}\\p{N}]$') THEN '(?:$|[^\\p{L}\\p{N}])' ELSE '' END""",
    "kql_has_any": """(s, d) AS len(list_filter(kql_array(d),
        lambda x: regexp_matches(s, '(?si)' || kql_term(kql_dynamic_text(x), TRUE, TRUE)))) > 0""",
    "kql_has_all": """(s, d) AS len(list_filter(kql_array(d),
        lambda x: NOT regexp_matches(s, '(?si)' || kql_term(kql_dynamic_text(x), TRUE, TRUE)))) = 0""",
    # An index into the whole text, searched in the piece from `start` of `len` characters; no text is longer than these.
    "kql_from": """(s, start) AS CASE WHEN start < 0 THEN greatest(length(s) + greatest(least(start, 0), -2147483647), 0)
        ELSE least(start, 2147483646) END""",
    "kql_substring": """(s, start, len) AS CASE WHEN len <= 0 AND len IS NOT NULL THEN ''
        WHEN start < 0 THEN substring(s, kql_from(s, start) + 1, least(coalesce(len, 2147483647), 2147483647))
        ELSE substring(s, least(start, 2147483646) + 1, least(coalesce(len, 2147483647), 2147483647)) END""",
    "kql_nth_index": """(s, needle, nth) AS (CASE WHEN len(string_split(s, needle)) <= nth THEN -1
        ELSE length(array_to_string(string_split(s, needle)[1:nth], '')) + (nth - 1) * length(needle) END)""",
    "kql_rewrite": "(r) AS regexp_replace(r, '\\$(\\d)', '\\\\\\1', 'g')",
    "kql_piece": """(s, start, len) AS CASE WHEN len IS NULL OR len < 0 THEN substring(s, kql_from(s, start) + 1)
        ELSE substring(s, kql_from(s, start) + 1, least(len, 2147483647)) END""",
    "kql_indexof": """(s, needle, start, len, occurrence) AS CASE WHEN occurrence < 1 THEN NULL
        WHEN start > length(s) THEN -1 WHEN needle = '' THEN kql_from(s, start)
        WHEN kql_nth_index(kql_piece(s, start, len), needle, occurrence) < 0 THEN -1
        ELSE kql_from(s, start) + kql_nth_index(kql_piece(s, start, len), needle, occurrence) END""",
}
