"""System.String: UTF-16 lengths and positions, ordinal comparison, sizes checked before growth."""

from __future__ import annotations

import unicodedata
from array import array
from collections.abc import Iterable
from enum import IntEnum
from sys import byteorder
from typing import Any, Final

from aforo.csharp.runtime.exceptions import (
    ArgumentException,
    ArgumentNullException,
    ArgumentOutOfRangeException,
    IndexOutOfRangeException,
    given,
)
from aforo.csharp.runtime.formatting import aligned, composite
from aforo.csharp.runtime.limits import count, made, read, room, work
from aforo.csharp.runtime.objects import Obj, format_value, to_string


class StringComparison(IntEnum):
    CurrentCulture = 0
    CurrentCultureIgnoreCase = 1
    InvariantCulture = 2
    InvariantCultureIgnoreCase = 3
    Ordinal = 4
    OrdinalIgnoreCase = 5


class StringSplitOptions(IntEnum):
    # `None` cannot be an attribute name in Python; the declaration gives it its C# name.
    Nothing = 0
    RemoveEmptyEntries = 1
    TrimEntries = 2


def _ignores(comparison: int) -> bool:
    return comparison in (1, 3, 5)


class StringComparer(Obj):
    """`StringComparer.Ordinal` and its kin: `fold` gives the key under which equal strings meet."""

    __slots__ = ("comparison", "ignore_case")
    net_name = "System.StringComparer"

    def __init__(self, comparison: int) -> None:
        self.comparison = comparison
        self.ignore_case = _ignores(comparison)

    def fold(self, value: str) -> str:
        return value.upper() if self.ignore_case else value


IGNORE_CASE: Final = StringComparer(5)


def comparer_compare(comparer: StringComparer, left: str | None, right: str | None) -> int:
    return compare_with(left, right, comparer.comparison)


def comparer_equals(comparer: StringComparer, left: str | None, right: str | None) -> bool:
    if left is None or right is None:
        return left is right
    return comparer.fold(left) == comparer.fold(right)


def comparer_hash(comparer: StringComparer, value: str | None) -> int:
    from aforo.csharp.runtime.objects import hash_code

    return hash_code(comparer.fold(given(value)))


# --- UTF-16 ----------------------------------------------------------------------------------------------------


def in_units(text: str) -> str:
    """The text as UTF-16 code units, one per character, so that Python's positions are .NET's."""
    if read(text).isascii() or max(text) <= "\uffff":
        return text
    units = array("H", text.encode("utf-16", "surrogatepass")[2:])
    # UTF-32 leaves the halves of a pair apart, and needs four bytes for each where a list needs eighty.
    wide = array("I", units).tobytes()
    return wide.decode("utf-32-le" if byteorder == "little" else "utf-32-be", "surrogatepass")


def joined_units(text: str) -> str:
    """Surrogate pairs put together again."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        pass
    else:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def length(text: str) -> int:
    return len(text) if text.isascii() else len(in_units(text))


def char_at(text: str, index: int) -> str:
    units = in_units(text)
    if not 0 <= index < len(units):
        raise IndexOutOfRangeException
    return units[index]


def characters(text: str) -> list[str]:
    return to_char_array(text)


# --- concatenation -----------------------------------------------------------------------------------------------


def concat(*parts: str | None) -> str:
    """`a + b + ...` where it can grow: in a loop or with several values."""
    room(sum(len(p) for p in parts if p))
    return "".join(p for p in parts if p)


def concat_objects(values: Iterable[Any]) -> str:
    return concat(*[to_string(v) for v in values])


def join(separator: str | None, values: Iterable[Any] | None) -> str:
    if values is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: values")
    parts = []
    for value in values:
        parts.append(to_string(value))
        work(1)
    glue = separator or ""
    room(sum(map(len, parts)) + len(glue) * max(0, len(parts) - 1))
    return glue.join(parts)


def string_format(template: str | None, args: list[Any] | None) -> str:
    if template is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: format")
    return composite(template, args if args is not None else [None], format_value)


def interpolate_part(value: Any, width: int, spec: str) -> str:
    """`{value,width:spec}` of an interpolated string."""
    return aligned(format_value(value, spec or None), width)


# --- tests ---------------------------------------------------------------------------------------------------------


def is_null_or_empty(text: str | None) -> bool:
    return not text


def is_null_or_white_space(text: str | None) -> bool:
    return not text or text.isspace()


def equal(left: str | None, right: str | None, comparison: int = 4) -> bool:
    if left is None or right is None:
        return left is right
    return left == right or (_ignores(comparison) and read(left).upper() == right.upper())


def contains(text: str, value: str | None) -> bool:
    return given(value) in read(text)


def contains_with(text: str, value: str | None, comparison: int) -> bool:
    return index_of(text, value, comparison) >= 0


def contains_char(text: str, value: str) -> bool:
    return value in in_units(text)


def starts_with(text: str, value: str | None, comparison: int = 4) -> bool:
    wanted = given(value)
    return read(text).upper().startswith(wanted.upper()) if _ignores(comparison) else text.startswith(wanted)


def ends_with(text: str, value: str | None, comparison: int = 4) -> bool:
    wanted = given(value)
    return read(text).upper().endswith(wanted.upper()) if _ignores(comparison) else text.endswith(wanted)


def index_of(text: str, value: str | None, comparison: int = 4) -> int:
    return index_of_from(text, value, 0, comparison)


def index_of_from(text: str, value: str | None, start: int, comparison: int = 4) -> int:
    units, wanted = in_units(text), in_units(given(value))
    _in_range(start, len(units), "startIndex")
    if _ignores(comparison):
        units, wanted = _upper_units(units), _upper_units(wanted)
    return units.find(wanted, start)


def _upper_units(text: str) -> str:
    """Upper case that keeps one unit per unit (`ß` stays)."""
    upper = text.upper()
    # Upper case is never shorter than what it was, so the same length says that nothing grew.
    if len(upper) == len(text):
        return upper
    work(len(text))
    return "".join(u if len(u := c.upper()) == 1 else c for c in text)


def last_index_of(text: str, value: str | None, comparison: int = 4) -> int:
    units, wanted = in_units(text), in_units(given(value))
    if _ignores(comparison):
        units, wanted = _upper_units(units), _upper_units(wanted)
    return units.rfind(wanted)


def index_of_any(text: str, values: list[str]) -> int:
    return next((i for i, c in enumerate(in_units(text)) if c in values), -1)


def _in_range(value: int, top: int, name: str) -> None:
    if not 0 <= value <= top:
        raise ArgumentOutOfRangeException(
            f"Index was out of range. Must be non-negative and less than the size of the collection.\r\nParameter name: {name}"
        )


# --- parts and changes -----------------------------------------------------------------------------------------


def substring(text: str, start: int, size: int | None = None) -> str:
    units = in_units(text)
    if start < 0:
        raise ArgumentOutOfRangeException(
            "StartIndex cannot be less than zero.\r\nParameter name: startIndex"
        )
    if start > len(units):
        raise ArgumentOutOfRangeException(
            "startIndex cannot be larger than length of string.\r\nParameter name: startIndex"
        )
    if size is None:
        return made(joined_units(units[start:]))
    if size < 0:
        raise ArgumentOutOfRangeException("Length cannot be less than zero.\r\nParameter name: length")
    if start + size > len(units):
        raise ArgumentOutOfRangeException(
            "Index and length must refer to a location within the string.\r\nParameter name: length"
        )
    return made(joined_units(units[start : start + size]))


def remove(text: str, start: int, size: int | None = None) -> str:
    units = in_units(text)
    if start < 0 or start > len(units) or (size is not None and (size < 0 or start + size > len(units))):
        raise ArgumentOutOfRangeException(
            "startIndex must be less than length of string.\r\nParameter name: startIndex"
        )
    return made(joined_units(units[:start] + ("" if size is None else units[start + size :])))


def insert(text: str, at: int, value: str | None) -> str:
    units = in_units(text)
    _in_range(at, len(units), "startIndex")
    room(len(text) + len(given(value)))
    return joined_units(units[:at] + given(value) + units[at:])


def replace(text: str, old: str | None, new: str | None) -> str:
    if old is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: oldValue")
    if not old:
        raise ArgumentException("String cannot be of zero length.\r\nParameter name: oldValue")
    new = new or ""
    hits = read(text).count(old)
    if not hits:
        return text
    room(len(text) + hits * (len(new) - len(old)))
    return text.replace(old, new)


def replace_char(text: str, old: str, new: str) -> str:
    return made(joined_units(in_units(text).replace(old, new)))


def split_chars(
    text: str, separators: list[str] | None, limit: int = 2**31 - 1, options: int = 0
) -> list[str]:
    """Split at any of the characters; none means white space."""
    _split_size(text, separators)
    if separators is not None and len(separators) == 1:
        return _pieces(text.split(separators[0]), separators[0], limit, options)
    out: list[str] = []
    now = ""
    for c in text:
        if (c in separators) if separators else c.isspace():
            out.append(now)
            now = ""
        else:
            now += c
    return _limited(text, [*out, now], limit, options)


def _split_size(text: str, separators: list[str] | None) -> None:
    """Charged before a text is split: its characters again, and what each piece costs beside them."""
    if separators is not None and len(separators) == 1:
        pieces = text.count(separators[0])
        read(text)
    else:
        # Looked at one by one; how many pieces there will be is not known, and a piece costs a step of this anyhow.
        pieces = 0
        work(len(text))
    count(pieces)
    room(len(text) + pieces * 8)
    work(pieces)


def split_char_options(text: str, separator: str, options: int = 0) -> list[str]:
    return split_chars(text, [separator], 2**31 - 1, options)


def split_char_limit(text: str, separator: str, limit: int, options: int = 0) -> list[str]:
    return split_chars(text, [separator], limit, options)


def split_chars_options(text: str, separators: list[str] | None, options: int) -> list[str]:
    return split_chars(text, separators, 2**31 - 1, options)


def split_string(text: str, separator: str | None, options: int = 0) -> list[str]:
    if not separator:
        return _pieces([text], "", 1, options)
    _split_size(text, [separator])
    return _pieces(text.split(separator), separator, 2**31 - 1, options)


def split_strings(text: str, separators: list[str] | None, options: int) -> list[str]:
    return split_strings_limit(text, separators, 2**31 - 1, options)


def split_strings_limit(text: str, separators: list[str] | None, limit: int, options: int) -> list[str]:
    wanted = [w for w in separators or () if w]
    _split_size(text, wanted)
    if len(wanted) == 1:
        return _pieces(text.split(wanted[0]), wanted[0], limit, options)
    if not wanted:
        return split_chars(text, None, limit, options)
    out: list[str] = []
    start = at = 0
    while at < len(text):
        hit = next((w for w in wanted if text.startswith(w, at)), None)
        if hit is None:
            at += 1
            continue
        out.append(text[start:at])
        at += len(hit)
        start = at
    return _pieces([*out, text[start:]], "", len(out) + 1, options)


def _pieces(pieces: list[str], separator: str, limit: int, options: int) -> list[str]:
    if limit < 0:
        raise ArgumentOutOfRangeException("Count cannot be less than zero.\r\nParameter name: count")
    if options & 2:
        if len(pieces) > limit:
            pieces = _pieces(pieces, separator, limit, 0)
        pieces = [p.strip(_SPACE) for p in pieces]
    if options & 1:
        kept = [p for p in pieces if p]
        return (
            kept
            if len(kept) <= limit
            else [*kept[: limit - 1], separator.join(pieces[pieces.index(kept[limit - 1]) :])]
        )
    if limit == 0:
        return []
    return pieces if len(pieces) <= limit else [*pieces[: limit - 1], separator.join(pieces[limit - 1 :])]


def _limited(text: str, pieces: list[str], limit: int, options: int) -> list[str]:
    if len(pieces) <= limit:
        return _pieces(pieces, "", limit, options)
    if options & 1:
        pieces = [p for p in pieces if p]
    if len(pieces) <= limit:
        return pieces
    consumed = sum(len(p) + 1 for p in pieces[: limit - 1])
    return [*pieces[: limit - 1], text[consumed:]]


_SPACE: Final = "".join(
    chr(c) for c in range(0x3001) if chr(c).isspace() and c not in (0x1C, 0x1D, 0x1E, 0x1F)
)


def trim(text: str, characters: list[str] | None = None) -> str:
    return made(text.strip("".join(characters) if characters else _SPACE))


def trim_start(text: str, characters: list[str] | None = None) -> str:
    return made(text.lstrip("".join(characters) if characters else _SPACE))


def trim_end(text: str, characters: list[str] | None = None) -> str:
    return made(text.rstrip("".join(characters) if characters else _SPACE))


def to_lower(text: str) -> str:
    size = len(text)
    room(size)
    if size > 255:
        read(text)
    if text.isascii():
        return text.lower()
    lower = text.lower()
    # Python knows the sigma that ends a word, .NET does not; else the same length says that nothing grew.
    if len(lower) == size and "\u03a3" not in text:
        return lower
    work(size)
    return "".join(low if len(low := c.lower()) == 1 else c for c in text)


def to_upper(text: str) -> str:
    return made(_upper_units(read(text)))


def pad_left(text: str, width: int, fill: str = " ") -> str:
    if width < 0:
        raise ArgumentOutOfRangeException("Non-negative number required.\r\nParameter name: totalWidth")
    room(max(width, len(text)))
    return text.rjust(width - length(text) + len(text), fill)


def pad_right(text: str, width: int, fill: str = " ") -> str:
    if width < 0:
        raise ArgumentOutOfRangeException("Non-negative number required.\r\nParameter name: totalWidth")
    room(max(width, len(text)))
    return text.ljust(width - length(text) + len(text), fill)


def repeat(char: str, times: int) -> str:
    if times < 0:
        raise ArgumentOutOfRangeException("'count' must be non-negative.\r\nParameter name: count")
    room(times)
    return char * times


def from_chars(values: list[str] | None) -> str:
    room(len(values or ()))
    return joined_units("".join(values or ()))


def compare_ordinal(left: str | None, right: str | None) -> int:
    if left is None or right is None:
        return int(left is not None) - int(right is not None)
    read(left)
    read(right)
    a, b = left.encode("utf-16-be", "surrogatepass"), right.encode("utf-16-be", "surrogatepass")
    return int(a > b) - int(a < b)


def compare_culture(left: str | None, right: str | None) -> int:
    """Invariant culture, near enough: letters before case, lower before upper."""
    if left is None or right is None:
        return int(left is not None) - int(right is not None)
    work((len(left) >> 4) + (len(right) >> 4))
    a = (unicodedata.normalize("NFKD", left.casefold()), left.swapcase())
    b = (unicodedata.normalize("NFKD", right.casefold()), right.swapcase())
    return int(a > b) - int(a < b)


def compare_with(left: str | None, right: str | None, comparison: int) -> int:
    if left is None or right is None:
        return int(left is not None) - int(right is not None)
    if _ignores(comparison):
        left, right = left.upper(), right.upper()
    return compare_ordinal(left, right) if comparison >= 4 else compare_culture(left, right)


def compare_fold(left: str | None, right: str | None, ignore_case: bool) -> int:
    return compare_with(left, right, 3 if ignore_case else 2)


def to_char_array(text: str) -> list[str]:
    units = in_units(text)
    count(len(units))
    work(len(units))
    room(len(units) * 8)
    return list(units)


def identity(text: str) -> str:
    return text
