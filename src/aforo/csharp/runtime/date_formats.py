"""A point in time as text, after .NET's format strings in the invariant culture. It knows no date types, only ticks."""

from __future__ import annotations

from datetime import date
from typing import Final

from aforo.csharp.runtime.exceptions import FormatException
from aforo.csharp.runtime.limits import work
from aforo.csharp.runtime.spans import DAY, SECOND

MONTHS: Final = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")  # fmt: skip
_DAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


def ymd(ticks: int) -> date:
    return date.fromordinal(ticks // DAY + 1)


def zone_text(offset: int) -> str:
    minutes = abs(offset) // (60 * SECOND)
    return f"{'-' if offset < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"


_STANDARD: Final = {
    "d": "MM/dd/yyyy", "D": "dddd, dd MMMM yyyy", "f": "dddd, dd MMMM yyyy HH:mm", "F": "dddd, dd MMMM yyyy HH:mm:ss",
    "g": "MM/dd/yyyy HH:mm", "G": "MM/dd/yyyy HH:mm:ss", "m": "MMMM dd", "M": "MMMM dd",
    "r": "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'", "R": "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'",
    "s": "yyyy'-'MM'-'dd'T'HH':'mm':'ss", "t": "HH:mm", "T": "HH:mm:ss", "u": "yyyy'-'MM'-'dd HH':'mm':'ss'Z'",
    "o": "yyyy'-'MM'-'dd'T'HH':'mm':'ss'.'fffffffK", "O": "yyyy'-'MM'-'dd'T'HH':'mm':'ss'.'fffffffK",
    "y": "yyyy MMMM", "Y": "yyyy MMMM",
}  # fmt: skip


def write_date(ticks: int, zone: int, kind: int, spec: str, *, offset: bool) -> str:
    """`ticks` are those of the clock on the wall, `zone` is its distance from UTC in ticks."""
    if len(spec) == 1:
        known = _STANDARD.get(spec)
        if known is None:
            raise FormatException
        if offset and spec in "rRu":
            ticks -= zone
        spec = known
    if len(spec) > 255:
        work(len(spec))
    day = ymd(ticks)
    rest = ticks % DAY
    seconds, fraction = divmod(rest, SECOND)
    h, m, s = seconds // 3600, seconds // 60 % 60, seconds % 60
    week = (ticks // DAY + 1) % 7
    out: list[str] = []
    at = 0
    while at < len(spec):
        c = spec[at]
        run = 1
        while at + run < len(spec) and spec[at + run] == c:
            run += 1
        if c == "%" and at + 1 < len(spec):
            at += 1
            continue
        if c in "'\"":
            end = spec.find(c, at + 1)
            if end < 0:
                raise FormatException
            out.append(spec[at + 1 : end])
            at = end + 1
            continue
        if c == "\\":
            out.append(spec[at + 1 : at + 2])
            at += 2
            continue
        match c:
            case "y":
                out.append(f"{day.year:0{run}d}" if run > 2 else f"{day.year % 100:0{run}d}")
            case "M":
                name = MONTHS[day.month - 1]
                out.append(f"{day.month:0{run}d}" if run < 3 else name[:3] if run == 3 else name)
            case "d":
                name = _DAYS[week]
                out.append(f"{day.day:0{run}d}" if run < 3 else name[:3] if run == 3 else name)
            case "H":
                out.append(f"{h:0{min(run, 2)}d}")
            case "h":
                out.append(f"{(h + 11) % 12 + 1:0{min(run, 2)}d}")
            case "m":
                out.append(f"{m:0{min(run, 2)}d}")
            case "s":
                out.append(f"{s:0{min(run, 2)}d}")
            case "f" | "F":
                if run > 7:
                    raise FormatException
                digits = f"{fraction:07d}"[:run]
                if c == "F":
                    digits = digits.rstrip("0")
                    if not digits and out and out[-1].endswith("."):
                        out[-1] = out[-1][:-1]
                out.append(digits)
            case "t":
                out.append(("AM" if h < 12 else "PM")[: min(run, 2)])
            case "K":
                out.append(zone_text(zone) if offset else {1: "Z", 2: "+00:00"}.get(kind, ""))
            case "z":
                text = zone_text(zone)
                out.append(text if run > 2 else text[:3] if run == 2 else text[0] + str(int(text[1:3])))
            case "g":
                out.append("A.D.")
            case _:
                out.append(c * run)
        at += run
    return "".join(out)
