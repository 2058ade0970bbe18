"""Headers, URLs and authorities as values: order, repetition, and what must never reach a wire."""

from __future__ import annotations

import pytest

from aforo.messages import (
    HOP_BY_HOP,
    Fields,
    Headers,
    Url,
    encode_query,
    is_event_stream,
    is_token,
    parse_url,
    split_authority,
    wire_target,
)

NONE: frozenset[bytes] = frozenset()


def test_headers_keep_order_and_repetition() -> None:
    headers = Headers.of([(b"a", b"1"), (b"b", b"2"), (b"a", b"3")])
    assert list(headers) == [(b"a", b"1"), (b"a", b"3"), (b"b", b"2")]
    assert (headers.get(b"a"), headers.get_all(b"a"), headers.joined(b"a")) == (b"1", [b"1", b"3"], b"1,3")
    assert (headers.get(b"x"), headers.get_all(b"x"), headers.joined(b"x")) == (None, [], None)
    assert (len(headers), headers.names()) == (3, [b"a", b"b"])


def test_a_replaced_field_keeps_its_place() -> None:
    headers = Headers.of([(b"a", b"1"), (b"b", b"2")])
    headers.set(b"a", b"x", b"y")
    assert list(headers) == [(b"a", b"x"), (b"a", b"y"), (b"b", b"2")]
    headers.set(b"a", b"z")
    headers.set(b"b")
    assert list(headers) == [(b"a", b"z")]


def test_a_copy_is_one() -> None:
    headers = Headers.of([(b"a", b"1"), (b"a", b"2")])
    copy = headers.copy()
    copy.append(b"a", b"3")
    copy.remove(b"b")
    assert headers.get_all(b"a") == [b"1", b"2"]


def test_what_connection_names_is_not_passed_on() -> None:
    headers = Headers.of([(b"connection", b"Keep-Alive, X-Mine"), (b"x-mine", b"1"), (b"connection", b"close, x-too"),
                       (b"x-too", b"2"), (b"other", b"3")])  # fmt: skip
    kept = headers.passed_on()
    assert [n for n in kept.names() if n not in HOP_BY_HOP] == [b"other"]
    assert b"x-mine" in headers


@pytest.mark.parametrize("evil", [b"a\r\nx-evil: 1", b"a\nx-evil: 1", b"a\rx-evil: 1", b"a\0x-evil: 1"])
@pytest.mark.parametrize("many", [False, True])
def test_no_value_ends_a_line(evil: bytes, many: bool) -> None:
    headers = Headers.of([(b"a", b"1"), (b"x", evil), *([(b"x", b"2")] if many else [])])
    lines = headers.block(NONE).split(b"\r\n")
    assert lines == [
        b"a: 1",
        b"x: " + evil.translate(bytes.maketrans(b"\r\n\0", b"   ")),
        *([b"x: 2"] if many else []),
    ]
    assert not any(c in line for line in lines for c in (b"\r", b"\n", b"\0"))


def test_no_name_ends_a_line() -> None:
    block = Headers.of([(b"x\r\nevil", b"1")]).block(NONE)
    assert block == b"x  evil: 1"


@pytest.mark.parametrize("many", [False, True])
def test_a_block_leaves_out_what_is_dropped_and_the_headers_as_they_are(many: bool) -> None:
    headers = Headers.of([(b"te", b"trailers"), (b"a", b"1"), *([(b"a", b"2")] if many else [])])
    assert headers.block(HOP_BY_HOP) == (b"a: 1\r\na: 2" if many else b"a: 1")
    assert b"te" in headers


def test_a_representation_shows_no_values() -> None:
    assert repr(Headers.of([(b"authorization", b"Bearer secret")])) == "Headers(['authorization'])"


@pytest.mark.parametrize(
    ("text", "url", "written"),
    [
        ("HTTP://Host/Path?Q=1#part", Url("http", "host", 80, "/Path", "Q=1"), "http://host/Path?Q=1"),
        ("https://h", Url("https", "h", 443, ""), "https://h/"),
        ("https://h:8443/", Url("https", "h", 8443, "/"), "https://h:8443/"),
        ("http://h:80/x", Url("http", "h", 80, "/x"), "http://h/x"),
        ("http://h?a/b", Url("http", "h", 80, "", "a/b"), "http://h/?a/b"),
        ("http://[::1]:81/x", Url("http", "::1", 81, "/x"), "http://[::1]:81/x"),
        ("http://h/a%2Fb?x=%20", Url("http", "h", 80, "/a%2Fb", "x=%20"), "http://h/a%2Fb?x=%20"),
    ],
)
def test_urls(text: str, url: Url, written: str) -> None:
    assert parse_url(text) == url
    assert str(url) == written


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("host/path", "not an absolute"),
        ("ftp://h/", "not an absolute"),
        ("/path", "not an absolute"),
        ("", "not an absolute"),
        ("http://", "names no host"),
        ("http:///path", "names no host"),
        ("http://user:pass@h/", "credentials"),
        ("http://h:0/", "not a port"),
        ("http://h:65536/", "not a port"),
        ("http://h:8a/", "not a port"),
        ("http://h:²/", "not a port"),
        ("http://h/a b", "blanks"),
        ("http://h/\r\nx-evil: 1", "line breaks"),
        ("http://h/\x7f", "control"),
    ],
)
def test_what_is_no_url_says_why(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_url(text)


@pytest.mark.parametrize(
    ("authority", "place"),
    [
        ("h", ("h", 80)),
        ("h:", ("h", 80)),
        ("h:8080", ("h", 8080)),
        ("[::1]", ("::1", 80)),
        ("[::1]:8080", ("::1", 8080)),
    ],
)
def test_authorities(authority: str, place: tuple[str, int]) -> None:
    assert split_authority(authority, 80) == place


@pytest.mark.parametrize("authority", ["h:+1", "h:-1", "h: 1", "h:1:2", "::1", "[::1]:x", "h:٣"])
def test_what_is_no_port_is_refused(authority: str) -> None:
    with pytest.raises(ValueError, match="not a port"):
        split_authority(authority, 80)


@pytest.mark.parametrize("authority", ["[::1]80", "[::1]x", "[::1", "[::1:80", "[]80"])
def test_an_address_in_brackets_ends_at_them_or_a_colon_follows(authority: str) -> None:
    with pytest.raises(ValueError, match="is not \\[address\\]"):
        split_authority(authority, 80)
    with pytest.raises(ValueError, match="is not \\[address\\]"):
        parse_url(f"http://{authority}/path")


def test_query_values_are_decoded_and_keep_case_and_blanks() -> None:
    url = parse_url("http://h/?a=1&A=2&a=%20+x&empty=&bare")
    assert url.query_values() == {"a": ["1", "  x"], "A": ["2"], "empty": [""], "bare": [""]}


def test_an_encoded_query_reads_back() -> None:
    pairs = [("a b", "c&d=e"), ("$filter", "x eq '1'"), ("n", "a/b:c"), ("ü", "\r\n")]
    text = encode_query(pairs)
    assert text.isascii()
    assert text.isprintable()
    assert Url("http", "h", 80, "/", text).query_values() == {n: [v] for n, v in pairs}


@pytest.mark.parametrize(
    ("target", "sent"), [("/a?b=%20", "/a?b=%20"), ("/a b", "/a%20b"), ("/ü\r\n", "/%C3%BC%0D%0A")]
)
def test_a_target_is_one_word(target: str, sent: str) -> None:
    assert wire_target(target) == sent


@pytest.mark.parametrize(
    ("text", "is_one"), [("x-Mine_1", True), ("", False), ("a b", False), ("a:", False), ("ä", False)]
)
def test_tokens(text: str, is_one: bool) -> None:
    assert is_token(text) is is_one


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({b"content-type": b"text/event-stream"}, True),
        ({b"content-type": b"Text/Event-Stream; charset=utf-8"}, True),
        ({b"content-type": [b"text/event-stream", b"text/plain"]}, True),
        ({b"content-type": b"text/plain"}, False),
        ({b"accept": b"text/event-stream"}, False),
    ],
)
def test_event_streams_are_known_by_their_type(fields: Fields, expected: bool) -> None:
    assert is_event_stream(Headers(fields)) is expected
