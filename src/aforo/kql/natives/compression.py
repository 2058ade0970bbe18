"""gzip and zlib as base64 text."""

from __future__ import annotations

import base64
import binascii
import gzip
import zlib

from aforo.kql.natives.spec import Native, native
from aforo.kql.types import STRING

# What a text may become when it is unpacked: more is nobody's log field.
MOST_BYTES = 64 * 1024 * 1024


def gzip_compress(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def zlib_compress(text: str) -> str:
    return base64.b64encode(zlib.compress(text.encode())).decode()


def gzip_decompress(text: str) -> str:
    return _unpacked(text, 16 + zlib.MAX_WBITS)


def zlib_decompress(text: str) -> str:
    return _unpacked(text, zlib.MAX_WBITS)


def _unpacked(text: str, window: int) -> str:
    """The text, or "" for what is none: a string is never null."""
    try:
        unpacker = zlib.decompressobj(window)
        data = unpacker.decompress(base64.b64decode(text, validate=True), MOST_BYTES)
        return "" if unpacker.unconsumed_tail else data.decode()
    except (zlib.error, binascii.Error, UnicodeDecodeError, ValueError):
        return ""


NATIVES: tuple[Native, ...] = (
    native("gzip_compress_to_base64_string", gzip_compress, STRING, STRING),
    native("gzip_decompress_from_base64_string", gzip_decompress, STRING, STRING),
    native("zlib_compress_to_base64_string", zlib_compress, STRING, STRING),
    native("zlib_decompress_from_base64_string", zlib_decompress, STRING, STRING),
)
