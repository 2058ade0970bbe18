"""Encoding: text to bytes and back, as .NET's encoders replace what they cannot write or read."""

from __future__ import annotations

from typing import Final

from aforo.csharp.runtime.exceptions import (
    ArgumentException,
    ArgumentNullException,
    ArgumentOutOfRangeException,
)
from aforo.csharp.runtime.limits import fits, room
from aforo.csharp.runtime.objects import Obj
from aforo.csharp.types import TypeDecl, declare, member


class Encoding(Obj):
    """`codec` is Python's, `name` the one of the web, `mark` what a file in it begins with."""

    __slots__ = ("code", "codec", "mark", "name", "title", "width")
    net_name = "System.Text.Encoding"

    def __init__(
        self, codec: str, name: str, title: str, code: int, mark: bytes = b"", width: int = 1
    ) -> None:
        self.codec = codec
        self.name = name
        self.title = title
        self.code = code
        self.mark = mark
        self.width = width


UTF8: Final = Encoding("utf-8", "utf-8", "Unicode (UTF-8)", 65001, b"\xef\xbb\xbf", 3)
UTF8_PLAIN: Final = Encoding("utf-8", "utf-8", "Unicode (UTF-8)", 65001, b"", 3)
ASCII: Final = Encoding("ascii", "us-ascii", "US-ASCII", 20127)
UNICODE: Final = Encoding("utf-16-le", "utf-16", "Unicode", 1200, b"\xff\xfe", 2)
BIG_ENDIAN: Final = Encoding("utf-16-be", "utf-16BE", "Unicode (Big-Endian)", 1201, b"\xfe\xff", 2)
UTF32: Final = Encoding("utf-32-le", "utf-32", "Unicode (UTF-32)", 12000, b"\xff\xfe\0\0", 4)
UTF7: Final = Encoding("utf-7", "utf-7", "Unicode (UTF-7)", 65000, b"", 8)
LATIN: Final = Encoding("latin-1", "iso-8859-1", "Western European (ISO)", 28591)
_MORE: Final = (
    Encoding("cp1252", "windows-1252", "Western European (Windows)", 1252),
    Encoding("cp1250", "windows-1250", "Central European (Windows)", 1250),
    Encoding("cp1251", "windows-1251", "Cyrillic (Windows)", 1251),
    Encoding("iso8859-2", "iso-8859-2", "Central European (ISO)", 28592),
    Encoding("iso8859-15", "iso-8859-15", "Latin 9 (ISO)", 28605),
    Encoding("cp437", "ibm437", "OEM United States", 437),
    Encoding("cp850", "ibm850", "Western European (DOS)", 850),
    Encoding("utf-32-be", "utf-32BE", "Unicode (UTF-32 Big-Endian)", 12001, b"\0\0\xfe\xff", 4),
    Encoding("shift_jis", "shift_jis", "Japanese (Shift-JIS)", 932, b"", 2),
    Encoding("gb18030", "GB18030", "Chinese Simplified (GB18030)", 54936, b"", 4),
    Encoding("big5", "big5", "Chinese Traditional (Big5)", 950, b"", 2),
    Encoding("euc_kr", "euc-kr", "Korean (EUC)", 51949, b"", 2),
    Encoding("koi8-r", "koi8-r", "Cyrillic (KOI8-R)", 20866),
)
_ALL: Final = (UTF8, ASCII, UNICODE, BIG_ENDIAN, UTF32, UTF7, LATIN, *_MORE)
_ALIASES: Final = {
    "utf8": UTF8, "ascii": ASCII, "latin1": LATIN, "unicode": UNICODE, "utf-16le": UNICODE, "utf-32le": UTF32,
    "iso8859-1": LATIN, "iso_8859-1": LATIN, "cp1252": _MORE[0], "unicodefffe": BIG_ENDIAN,
}  # fmt: skip


def well_formed(text: str) -> str:
    """Lone surrogates replaced, so that the text can be encoded."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _null(name: str) -> ArgumentNullException:
    return ArgumentNullException(f"Value cannot be null.\r\nParameter name: {name}")


def encode(encoding: Encoding, text: str | None) -> bytearray:
    if text is None:
        raise _null("s")
    fits(len(text) * max(3, encoding.width))
    room(len(text) * (encoding.width if encoding.width in (2, 4) else 1))
    if encoding.codec == "utf-16-le":
        return bytearray(text.encode("utf-16-le", "surrogatepass"))
    return bytearray(well_formed(text).encode(encoding.codec, "replace"))


def decode(encoding: Encoding, data: bytearray | None) -> str:
    if data is None:
        raise _null("bytes")
    room(len(data))
    if encoding is ASCII:
        return data.translate(_SEVEN_BITS).decode("ascii")
    return bytes(data).decode(encoding.codec, "replace")


_SEVEN_BITS: Final = bytes(range(128)) + b"?" * 128


def _piece(data: bytearray | None, at: int, size: int) -> bytearray:
    if data is None:
        raise _null("bytes")
    if min(at, size) < 0:
        raise ArgumentOutOfRangeException("Non-negative number required.\r\nParameter name: index")
    if at > len(data) - size:
        raise ArgumentOutOfRangeException(
            "Index and count must refer to a location within the buffer.\r\nParameter name: bytes"
        )
    room(size)
    return data[at : at + size]


def decode_part(encoding: Encoding, data: bytearray | None, at: int, size: int) -> str:
    return decode(encoding, _piece(data, at, size))


def _joined(chars: list[str] | None) -> str:
    from aforo.csharp.runtime.strings import from_chars

    if chars is None:
        raise _null("chars")
    return from_chars(chars)


def encode_chars(encoding: Encoding, chars: list[str] | None) -> bytearray:
    return encode(encoding, _joined(chars))


def count_chars(encoding: Encoding, chars: list[str] | None) -> int:
    return len(encode_chars(encoding, chars))


def decode_chars(encoding: Encoding, data: bytearray | None) -> list[str]:
    from aforo.csharp.runtime.strings import to_char_array

    return to_char_array(decode(encoding, data))


def byte_count(encoding: Encoding, text: str | None) -> int:
    return len(encode(encoding, text))


def char_count(encoding: Encoding, data: bytearray | None) -> int:
    from aforo.csharp.runtime.strings import length

    return length(decode(encoding, data))


def max_bytes(encoding: Encoding, count: int) -> int:
    return (count + 1) * encoding.width


def max_chars(_encoding: Encoding, count: int) -> int:
    return count + 1


def preamble(encoding: Encoding) -> bytearray:
    return bytearray(encoding.mark)


def web_name(encoding: Encoding) -> str:
    return encoding.name


def encoding_name(encoding: Encoding) -> str:
    return encoding.title


def code_page(encoding: Encoding) -> int:
    return encoding.code


def is_single_byte(encoding: Encoding) -> bool:
    return encoding.width == 1


def by_name(name: str | None) -> Encoding:
    if name is None:
        raise _null("name")
    wanted = name.strip().lower()
    found = next((e for e in _ALL if e.name.lower() == wanted), None) or _ALIASES.get(wanted)
    if found is None:
        raise ArgumentException(f"'{name}' is not a supported encoding name.\r\nParameter name: name")
    return found


def by_code(code: int) -> Encoding:
    found = UTF8 if code == 0 else next((e for e in _ALL if e.code == code), None)
    if found is None:
        from aforo.csharp.runtime.exceptions import NotSupportedException

        raise NotSupportedException(f"No data is available for encoding {code}.")
    return found


def convert(source: Encoding, target: Encoding, data: bytearray | None) -> bytearray:
    return encode(target, decode(source, data))


def plain_utf8(mark: bool = False, _throw: bool = False) -> Encoding:
    """`new UTF8Encoding(false)`"""
    return UTF8 if mark else UTF8_PLAIN


def ascii_encoding() -> Encoding:
    return ASCII


def utf16_encoding() -> Encoding:
    return UNICODE


_NAMED: Final = (
    ("UTF8", UTF8), ("ASCII", ASCII), ("Unicode", UNICODE), ("BigEndianUnicode", BIG_ENDIAN), ("UTF32", UTF32),
    ("UTF7", UTF7), ("Default", UTF8_PLAIN), ("Latin1", LATIN),
)  # fmt: skip

TYPES: Final[tuple[TypeDecl, ...]] = (
    declare(
        "Encoding",
        *(member(f"static Encoding {name}", const=value) for name, value in _NAMED),
        member("static Encoding GetEncoding(string name)", by_name),
        member("static Encoding GetEncoding(int codepage)", by_code),
        member("static byte[] Convert(Encoding srcEncoding, Encoding dstEncoding, byte[] bytes)", convert),
        member("byte[] GetBytes(string s)", encode),
        member("byte[] GetBytes(char[] chars)", encode_chars),
        member("string GetString(byte[] bytes)", decode),
        member("string GetString(byte[] bytes, int index, int count)", decode_part),
        member("char[] GetChars(byte[] bytes)", decode_chars),
        member("int GetByteCount(string s)", byte_count),
        member("int GetByteCount(char[] chars)", count_chars),
        member("int GetCharCount(byte[] bytes)", char_count),
        member("int GetMaxByteCount(int charCount)", max_bytes),
        member("int GetMaxCharCount(int byteCount)", max_chars),
        member("byte[] GetPreamble()", preamble),
        member("string EncodingName", encoding_name),
        member("string WebName", web_name),
        member("string HeaderName", web_name),
        member("string BodyName", web_name),
        member("int CodePage", code_page),
        member("bool IsSingleByte", is_single_byte),
        namespace="System.Text",
        python=Encoding,
    ),
    declare(
        "UTF8Encoding",
        member("new()", plain_utf8),
        member("new(bool encoderShouldEmitUTF8Identifier)", plain_utf8),
        member("new(bool encoderShouldEmitUTF8Identifier, bool throwOnInvalidBytes)", plain_utf8),
        namespace="System.Text",
        bases=("Encoding",),
        python=Encoding,
    ),
    *(
        declare(name, member("new()", make), namespace="System.Text", bases=("Encoding",), python=Encoding)
        for name, make in (("ASCIIEncoding", ascii_encoding), ("UnicodeEncoding", utf16_encoding))
    ),
)
