"""Content codings undone under limits: what is right is decoded, what explodes is refused."""

from __future__ import annotations

import contextlib
import gzip
import sys
import zlib
from collections.abc import Callable

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aforo.errors import Invalid
from aforo.gateway.encoding import decode

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


CODERS: dict[str, tuple[bytes, Callable[[bytes], bytes]]] = {
    "gzip": (b"gzip", gzip.compress),
    "x-gzip": (b"X-GZip", gzip.compress),
    "deflate": (b"deflate", zlib.compress),
    "naked deflate": (b"deflate", raw_deflate),
    "br": (b"br", brotli.compress),
    "zstd": (b"zstd", zstd.compress),
    "identity": (b"identity", bytes),
    "none": (b"", bytes),
}
coders = pytest.mark.parametrize(("name", "code"), CODERS.values(), ids=CODERS.keys())


@coders
@pytest.mark.parametrize("text", [b"", b"x", b"hello " * 1000, bytes(range(256)) * 2000])
def test_decoded(name: bytes, code: Callable[[bytes], bytes], text: bytes) -> None:
    assert decode(code(text), name) == text


@given(st.binary(max_size=2000), st.sampled_from(list(CODERS.values())))
def test_any_bytes_give_bytes_or_a_refusal(
    data: bytes, coder: tuple[bytes, Callable[[bytes], bytes]]
) -> None:
    name, code = coder
    assert decode(code(data), name) == data
    with contextlib.suppress(Invalid):
        assert isinstance(decode(data, name), bytes)


def test_codings_are_undone_from_the_last() -> None:
    assert decode(brotli.compress(gzip.compress(b"hi")), b"gzip, br") == b"hi"
    with pytest.raises(Invalid, match="more than"):
        decode(b"", b"gzip," * 5)


def test_members_and_frames_follow_each_other() -> None:
    assert decode(gzip.compress(b"a") + gzip.compress(b"b"), b"gzip") == b"ab"
    pack = zstd.compress
    assert decode(pack(b"a") + pack(b"b"), b"zstd") == b"ab"


@pytest.mark.parametrize(("name", "pack"), [(b"gzip", gzip.compress), (b"zstd", zstd.compress)])
def test_members_and_frames_without_end_are_refused(name: bytes, pack: Callable[[bytes], bytes]) -> None:
    assert decode(pack(b"a") * 100, name) == b"a" * 100
    with pytest.raises(Invalid, match="more than 100"):
        decode(pack(b"") * 100_000, name)


@coders
def test_a_bomb_is_refused(name: bytes, code: Callable[[bytes], bytes]) -> None:
    bomb = code(b"\0" * (32 << 20))
    if name in (b"", b"identity"):
        assert decode(bomb, name) == bomb
        return
    with pytest.raises(Invalid, match="grows past the limit"):
        decode(bomb, name)


@coders
def test_the_callers_limit_holds(name: bytes, code: Callable[[bytes], bytes]) -> None:
    if name not in (b"", b"identity"):
        data = code(bytes(range(256)) * 10)
        assert len(decode(data, name, 2560)) == 2560
        with pytest.raises(Invalid):
            decode(data, name, 2559)


@coders
def test_what_is_cut_off_gives_its_beginning_or_a_refusal(
    name: bytes, code: Callable[[bytes], bytes]
) -> None:
    text = bytes(range(256)) * 400
    data = code(text)
    for cut in (1, len(data) // 2, len(data) - 1):
        try:
            assert text.startswith(decode(data[:cut], name))
        except Invalid:
            assert name not in (b"", b"identity")


def test_what_is_no_coding_is_named() -> None:
    with pytest.raises(Invalid, match="'compress' is not known"):
        decode(b"x", b"compress")
    for name in (b"gzip", b"br", b"zstd"):
        with pytest.raises(Invalid, match=name.decode()):
            decode(b"not at all compressed", name)
