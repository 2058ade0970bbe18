"""The text of a query without its secrets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aforo.kql.masking import masked, shown


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("print h'abc', H@\"a\"\"b\", 'abc'", "print h'***', H@\"****\", 'abc'"),
        (
            "externaldata(a:string)['https://h/x.csv?sv=1&sig=abc'] | where u == 'x?y' and v == 'a;b'",
            "externaldata(a:string)['https://h/x.csv?************'] | where u == 'x?y' and v == 'a;b'",
        ),
        (
            "external_data(a:string)[@'https://h/x.csv' @'?sig=abc' 'def', 'https://h/y']",
            "external_data(a:string)[@'https://h/x.csv' @'********' '***', 'https://h/y']",
        ),
        (
            "let u = 'https://h/x;key=='; externaldata(a:string)[u]",
            "let u = 'https://h/x;*****'; externaldata(a:string)[u]",
        ),
        ("externaldata(a:string)['https://me:you@h/x']", "externaldata(a:string)['https://******@h/x']"),
        ("print 'https://h/x?a=b'", "print 'https://h/x?a=b'"),
        ("print 'https://h/x?a=b&sig=xyz&c=d' // sig=q", "print 'https://h/x?a=b&sig=***&c=d' // sig=*"),
        ("print h'abc", "print h'***"),
        ("externaldata(a:string)[```https://h/x?abc```]", "externaldata(a:string)[```https://h/x?***```]"),
        ("T | where a == 1", "T | where a == 1"),
    ],
)
def test_masked(text: str, wanted: str) -> None:
    assert masked(text) == wanted


@given(st.text(alphabet="h'\"@`~?;:/sig= \n\\ab(externaldata)[]"))
def test_it_never_raises_and_keeps_places(text: str) -> None:
    for query in (text, "externaldata (a:string) [" + text):
        out = masked(query)
        assert len(out) == len(query)
        assert out.count("\n") == query.count("\n")
        assert masked(out) == out


def test_shown() -> None:
    assert shown("https://a:b@h/x.csv?sig=1") == "https://h/x.csv"
    assert shown("https://h/x;key") == "https://h/x"
