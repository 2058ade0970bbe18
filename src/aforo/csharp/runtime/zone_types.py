"""TimeZoneInfo and TimeZone as expressions see them: what zones.py and zone_custom.py do, declared."""

from __future__ import annotations

from typing import Final

from aforo.csharp.runtime import zone_rules
from aforo.csharp.runtime import zones as z
from aforo.csharp.runtime.zone_custom import make_fixed_zone, make_ruled_zone
from aforo.csharp.types import TypeDecl, declare, member

_NEW: Final = "string id, TimeSpan baseUtcOffset, string displayName, string standardDisplayName"
_RULES: Final = "string daylightDisplayName, TimeZoneInfo.AdjustmentRule[] adjustmentRules"
_CONVERT: Final = (
    ("DateTime ConvertTime(DateTime dateTime, TimeZoneInfo destinationTimeZone)", z.convert),
    ("DateTime ConvertTime(DateTime dateTime, TimeZoneInfo sourceTimeZone, TimeZoneInfo destinationTimeZone)", z.convert_between),
    ("DateTimeOffset ConvertTime(DateTimeOffset dateTimeOffset, TimeZoneInfo destinationTimeZone)", z.convert_offset),
    ("DateTime ConvertTimeFromUtc(DateTime dateTime, TimeZoneInfo destinationTimeZone)", z.from_utc),
    ("DateTime ConvertTimeToUtc(DateTime dateTime)", z.to_utc),
    ("DateTime ConvertTimeToUtc(DateTime dateTime, TimeZoneInfo sourceTimeZone)", z.to_utc_from),
    ("DateTime ConvertTimeBySystemTimeZoneId(DateTime dateTime, string destinationTimeZoneId)", z.convert_by_id),
    ("DateTime ConvertTimeBySystemTimeZoneId(DateTime dateTime, string sourceTimeZoneId, string destinationTimeZoneId)", z.convert_by_ids),
    ("DateTimeOffset ConvertTimeBySystemTimeZoneId(DateTimeOffset dateTimeOffset, string destinationTimeZoneId)", z.convert_offset_by_id),
    ("TimeZoneInfo FindSystemTimeZoneById(string id)", z.find_zone),
    ("IReadOnlyList<TimeZoneInfo> GetSystemTimeZones()", z.system_zones),
    ("void ClearCachedData()", z.clear_cached),
    (f"TimeZoneInfo CreateCustomTimeZone({_NEW})", make_fixed_zone),
    (f"TimeZoneInfo CreateCustomTimeZone({_NEW}, {_RULES})", make_ruled_zone),
    (f"TimeZoneInfo CreateCustomTimeZone({_NEW}, {_RULES}, bool disableDaylightSavingTime)", make_ruled_zone),
)  # fmt: skip

TYPES: Final[tuple[TypeDecl, ...]] = (
    *zone_rules.TYPES,
    declare(
        "TimeZoneInfo",
        member("static TimeZoneInfo Utc", const=z.UTC_ZONE),
        member("static TimeZoneInfo Local", const=z.UTC_ZONE),
        *(member(f"static {signature}", run) for signature, run in _CONVERT),
        member("string Id", attr="id"),
        member("string DisplayName", z.display_name),
        member("string StandardName", z.standard_name),
        member("string DaylightName", z.daylight_name),
        member("TimeSpan BaseUtcOffset", z.base_offset),
        member("bool SupportsDaylightSavingTime", z.has_summer),
        member("TimeSpan GetUtcOffset(DateTime dateTime)", z.offset_of),
        member("TimeSpan GetUtcOffset(DateTimeOffset dateTimeOffset)", z.offset_of_offset),
        member("bool IsDaylightSavingTime(DateTime dateTime)", z.is_summer),
        member("bool IsDaylightSavingTime(DateTimeOffset dateTimeOffset)", z.is_summer_offset),
        member("bool IsInvalidTime(DateTime dateTime)", z.is_invalid),
        member("bool IsAmbiguousTime(DateTime dateTime)", z.is_ambiguous),
        member("bool IsAmbiguousTime(DateTimeOffset dateTimeOffset)", z.is_ambiguous_offset),
        member("TimeSpan[] GetAmbiguousTimeOffsets(DateTime dateTime)", z.ambiguous_offsets),
        member(
            "TimeSpan[] GetAmbiguousTimeOffsets(DateTimeOffset dateTimeOffset)", z.ambiguous_offsets_of_offset
        ),
        member("TimeZoneInfo.AdjustmentRule[] GetAdjustmentRules()", z.adjustment_rules),
        member("bool HasSameRules(TimeZoneInfo other)", z.same_rules),
        member("bool Equals(TimeZoneInfo other)", z.same_zone),
        python=z.Zone,
    ),
    declare(
        "TimeZone",
        member("static TimeZone CurrentTimeZone", const=z.UTC_ZONE),
        member("string StandardName", z.standard_name),
        member("string DaylightName", z.daylight_name),
        member("TimeSpan GetUtcOffset(DateTime time)", z.offset_of),
        member("bool IsDaylightSavingTime(DateTime time)", z.is_summer),
        member("DateTime ToLocalTime(DateTime time)", z.local_from_utc),
        member("DateTime ToUniversalTime(DateTime time)", z.utc_from_local),
        python=z.Zone,
    ),
)
