"""Functions that Kusto's reference names and that are in use, so that the answer is "not yet" and not "unknown"."""

KNOWN_UNSUPPORTED = frozenset(
    [
        "geo_point_buffer",
        "geo_line_buffer",
        "geo_polygon_buffer",
        "geo_line_simplify",
        "geo_polygon_simplify",
        "geo_simplify_polygons_array",
        "geo_polygon_to_h3cells",
        "series_fft",
        "series_ifft",
        "cursor_after",
        "cursor_before_or_at",
        "cursor_current",
        "current_cursor",
        "current_cluster_endpoint",
        "current_principal_details",
        "current_principal_is_member_of",
        "extent_id",
        "extentid",
        "extent_tags",
        "row_id",
        "materialized_view",
        "entity_group",
        "current_principal",
        "hash_combine",
        "hash_many",
        "external_table",
        "table",
        "stored_query_result",
    ]
)

# Why those are refused that nobody is going to make; the others are not made yet.
_NO_EXTENTS = "rows here have no extents, cursors and numbers of their own"
_NO_ASKER = "a query does not know who asks it and where it runs"
_ELSEWHERE = "there are no tables but those of workspaces"
REASONS: dict[str, str] = {
    **dict.fromkeys(
        ("cursor_after", "cursor_before_or_at", "cursor_current", "current_cursor", "extent_id",
         "extentid", "extent_tags", "row_id"),
        _NO_EXTENTS,
    ),
    **dict.fromkeys(
        ("current_cluster_endpoint", "current_principal", "current_principal_details", "current_principal_is_member_of"),
        _NO_ASKER,
    ),
    **dict.fromkeys(("materialized_view", "entity_group", "external_table", "stored_query_result"), _ELSEWHERE),
    **dict.fromkeys(("hash_combine", "hash_many"), "how they mix is not published"),
    **dict.fromkeys(("series_fft", "series_ifft"), "which of the two divides by the length is not published"),
}  # fmt: skip
