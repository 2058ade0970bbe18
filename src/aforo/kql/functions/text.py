"""Functions over text."""

from __future__ import annotations

from aforo.kql.functions.spec import Naming, Scalar, scalar
from aforo.kql.types import BOOL, DYNAMIC, LONG, STRING

FUNCTIONS: tuple[Scalar, ...] = (
    scalar("strlen", "source:string", LONG, "The number of characters."),
    scalar("string_size", "source:string", LONG, "The number of bytes in UTF-8."),
    scalar("tolower", "source:string", STRING, "The text in lower case."),
    scalar("toupper", "source:string", STRING, "The text in upper case."),
    scalar("strcat", "part:any...", STRING, "The parts one after another."),
    scalar(
        "strcat_delim", "delimiter:string, part:any...", STRING, "The parts with the delimiter between them."
    ),
    scalar(
        "substring", "source:string, start:long, length?:long", STRING, "A piece of the text, counted from 0."
    ),
    scalar(
        "indexof",
        "source:string, lookup:string, start?:long, length?:long, occurrence?:long",
        LONG,
        "Where the lookup begins (from 0), -1 when it does not occur.",
    ),
    scalar("countof", "source:string, search:string, kind?:string", LONG, "How often the search occurs."),
    scalar(
        "split", "source:string, delimiter:string, index?:long", DYNAMIC, "The pieces between the delimiters.",
        naming=Naming.FIRST_ARGUMENT,
    ),
    scalar("reverse", "source:any", STRING, "The characters backwards."),
    scalar("trim", "regex:string, source:string", STRING, "The text without matches at both ends."),
    scalar("trim_start", "regex:string, source:string", STRING, "The text without matches at its start."),
    scalar("trim_end", "regex:string, source:string", STRING, "The text without matches at its end."),
    scalar(
        "replace_string", "text:string, lookup:string, rewrite:string", STRING, "Every occurrence replaced."
    ),
    scalar("replace_regex", "text:string, regex:string, rewrite:string", STRING, "Every match replaced."),
    scalar(
        "replace",
        "regex:string, rewrite:string, text:string",
        STRING,
        "Every match replaced (old argument order).",
    ),
    scalar("repeat", "value:any, count:long", DYNAMIC, "An array with the value so many times."),
    scalar("strrep", "value:any, count:long, delimiter?:string", STRING, "The text so many times."),
    scalar("startswith", "source:string, prefix:string", BOOL, "Whether it starts so (no matter the case)."),
    scalar("url_encode", "text:string", STRING, "The text with reserved characters as %XX."),
    scalar("url_decode", "text:string", STRING, "The text with %XX decoded."),
    scalar("base64_encode_tostring", "text:string", STRING, "The text's UTF-8 bytes in base64."),
    scalar("base64_decode_tostring", "text:string", STRING, "The text whose UTF-8 bytes these are."),
    scalar("hash_md5", "value:any", STRING, "MD5 in hexadecimal."),
    scalar("hash_sha1", "value:any", STRING, "SHA-1 in hexadecimal."),
    scalar("hash_sha256", "value:any", STRING, "SHA-256 in hexadecimal."),
    scalar(
        "extract", "regex:string, group:long, text:string", STRING, "One captured group of the first match."
    ),
    scalar("strcmp", "a:string, b:string", LONG, "-1, 0 or 1, by code points."),
    scalar("parse_url", "url:string", DYNAMIC, "The parts of a URL."),
    scalar("parseurl", "url:string", DYNAMIC, "The parts of a URL.", operation="parse_url"),
    scalar("parse_ipv4", "ip:string", LONG, "The address (its network, with a prefix) as a number."),
    scalar("ipv4_is_in_range", "ip:string, range:string", BOOL, "Whether the address lies in the range."),
    scalar("ipv4_is_private", "ip:string", BOOL, "Whether the address is one of a private network."),
    scalar("tohex", "value:integer, length?:long", STRING, "The number in hexadecimal."),
    scalar("gzip_compress_to_base64_string", "text:string", STRING, "The text packed with gzip, as base64."),
    scalar("gzip_decompress_from_base64_string", "text:string", STRING, "What gzip packed, unpacked."),
    scalar("zlib_compress_to_base64_string", "text:string", STRING, "The text packed with zlib, as base64."),
    scalar("zlib_decompress_from_base64_string", "text:string", STRING, "What zlib packed, unpacked."),
)
