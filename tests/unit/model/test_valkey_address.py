"""Connection strings of caches: Azure's form and URLs, and what is said of bad ones."""

from __future__ import annotations

import pytest

from aforo.model.valkey_address import ValkeyAddress, read_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("c.example:6380,password=a=b==,ssl=True,abortConnect=False", ValkeyAddress("c.example", 6380, "", True, "", "a=b==")),
        (" c.example , ssl=yes, user=u ,password=p,defaultDatabase=3,connectTimeout=1", ValkeyAddress("c.example", 6380, "", True, "u", "p", 3)),
        ("127.0.0.1", ValkeyAddress("127.0.0.1")),
        ("[::1]:7000", ValkeyAddress("::1", 7000)),
        ("10.1.2.3:10000,ssl=True,sslHost=c.example", ValkeyAddress("10.1.2.3", 10000, tls=True, tls_name="c.example")),
        ("valkey://h", ValkeyAddress("h")),
        ("redis://:p%40ss@h:1/2", ValkeyAddress("h", 1, "", False, "", "p@ss", 2)),
        ("rediss://u:p@h", ValkeyAddress("h", 6380, "", True, "u", "p")),
        ("valkeys://[::1]:7/", ValkeyAddress("::1", 7, tls=True)),
        ("unix:///run/valkey.sock", ValkeyAddress(path="/run/valkey.sock", port=0)),
        ("unix://u:p@/run/v.sock?db=1", ValkeyAddress(path="/run/v.sock", port=0, user="u", password="p", database=1)),
    ],
)  # fmt: skip
def test_what_they_say(text: str, address: ValkeyAddress) -> None:
    assert read_address(text) == address
    assert "p@ss" not in repr(address)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "begins with"),
        ("a b", "begins with"),
        ("h:0", "port"),
        ("h:x,password=CANARY", "port"),
        ("h,ssl=maybe", "'ssl' is True or False"),
        ("h,CANARY", "name=value"),
        ("h,other:6379", "cluster"),
        ("h,colour=CANARY", "has no 'colour'"),
        ("h,serviceName=s", "sentinels"),
        ("h,defaultDatabase=99999", "database"),
        ("http://h", "no scheme"),
        ("redis://CANARY:CANARY@h:99999", "no URL"),
        ("redis://:CANARY@h?x=1", "no query"),
        ("redis://h/x", "database"),
        ("unix://h/x", "whole path"),
        ("unix:///" + "x" * 101, "whole path"),
    ],
)
def test_what_is_said_of_bad_ones(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as refused:
        read_address(text)
    assert "CANARY" not in str(refused.value)


def test_where_shows_no_secret() -> None:
    assert read_address("redis://u:CANARY@[::1]").where == "[::1]:6379"
    assert read_address("unix://u:CANARY@/s").where == "/s"
