"""Content codings undone for policy, meter and record, under limits. The client's own bytes are never touched."""

from __future__ import annotations

import sys
import zlib

from aforo.errors import Invalid

# A body that grows more than this is an attack, not a compressed text.
MAX_RATIO = 250
# So much may come of however little: repetitive texts shrink more than that.
HARMLESS_BYTES = 1024 * 1024
MAX_BYTES = 64 * 1024 * 1024
MAX_CODINGS = 4
# Codes of the `Invalid` that `decode` raises; any other one is a body that is broken.
UNKNOWN = "UnknownContentCoding"
TOO_LARGE = "ContentGrowsTooLarge"
KNOWN = b"gzip, deflate, br, zstd"
# gzip members or zstd frames one after the other: each costs a copy of what follows it.
MAX_MEMBERS = 100
_STEP = 64 * 1024
# RFC 9659: a window of up to 8 MB (2 to the power of 23).
_ZSTD_WINDOW_LOG = 23


def decode(data: bytes, coding: bytes | None, max_bytes: int = MAX_BYTES) -> bytes:
    """The decoded body; Invalid when it is no such coding, is broken, or grows past the limits."""
    if not coding or coding == b"identity":
        return data
    names = [c.strip().lower() for c in coding.split(b",")]
    if len(names) > MAX_CODINGS:
        raise Invalid(f"more than {MAX_CODINGS} content codings", code=UNKNOWN)
    for name in reversed(names):
        if name in (b"gzip", b"x-gzip", b"deflate"):
            data = _inflate(data, name, max_bytes)
        elif name == b"br":
            data = _brotli(data, max_bytes)
        elif name == b"zstd":
            data = _zstd(data, max_bytes)
        elif name != b"identity":
            raise Invalid(f"content coding {name.decode('latin-1')!r} is not known", code=UNKNOWN)
    return data


def _too_large() -> Invalid:
    return Invalid("the compressed body grows past the limit", code=TOO_LARGE)


def _limit(data: bytes, max_bytes: int) -> int:
    return min(max_bytes, max(len(data) * MAX_RATIO, HARMLESS_BYTES))


def _inflate(data: bytes, name: bytes, max_bytes: int) -> bytes:
    limit = _limit(data, max_bytes)
    if name == b"deflate":
        # RFC 9110 means zlib; servers also send the naked stream.
        wbits = zlib.MAX_WBITS if data[:1] and data[0] & 0x0F == 8 else -zlib.MAX_WBITS
    else:
        wbits = 16 + zlib.MAX_WBITS
    out: list[bytes] = []
    size = 0
    try:
        while data:
            if len(out) == MAX_MEMBERS:
                raise Invalid(f"the compressed body has more than {MAX_MEMBERS} members", code=TOO_LARGE)
            inflater = zlib.decompressobj(wbits)
            part = inflater.decompress(data, limit - size + 1)
            size += len(part)
            out.append(part)
            if size > limit:
                raise _too_large()
            if not inflater.eof:
                break  # cut off: what is there is what is kept
            data = inflater.unused_data if name != b"deflate" else b""
    except zlib.error as error:
        raise Invalid(f"the body is not {name.decode()}: {error}") from error
    return b"".join(out)


def _brotli(data: bytes, max_bytes: int) -> bytes:
    # Imported where one comes: most gateways never see such a body, and all would hold the library.
    import brotli

    limit = _limit(data, max_bytes)
    decoder = brotli.Decompressor()
    out: list[bytes] = []
    size = 0
    try:
        for at in range(0, len(data), _STEP):
            part = decoder.process(data[at : at + _STEP], output_buffer_limit=limit - size + 1)
            while True:
                size += len(part)
                out.append(part)
                if size > limit:
                    raise _too_large()
                if decoder.can_accept_more_data() or decoder.is_finished():
                    break
                part = decoder.process(b"", output_buffer_limit=limit - size + 1)
    except brotli.error as error:
        raise Invalid(f"the body is not br: {error}") from error
    return b"".join(out)


def _zstd(data: bytes, max_bytes: int) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
    limit = _limit(data, max_bytes)
    out: list[bytes] = []
    size = 0
    try:
        while data:
            if len(out) == MAX_MEMBERS:
                raise Invalid(f"the compressed body has more than {MAX_MEMBERS} frames", code=TOO_LARGE)
            frame = zstd.ZstdDecompressor(options=options)
            part = frame.decompress(data, limit - size + 1)
            size += len(part)
            out.append(part)
            if size > limit:
                raise _too_large()
            if not frame.eof:
                break  # cut off: what is there is what is kept
            data = frame.unused_data
    except zstd.ZstdError as error:
        raise Invalid(f"the body is not zstd: {error}") from error
    return b"".join(out)
