"""Where addresses are: a database that the operator provides, its fields, and what is said without it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from aforo.kql.natives import geo_addresses
from aforo.logs.query import ask_files
from aforo.logs.question import Outcome, QueryAnswer, QueryRequest
from tests.support.kql_run import answer
from tests.support.places_file import write_places

PLACES = {
    "81.2.69.0/24": {
        "country": {"names": {"de": "Vereinigtes Königreich", "en": "United Kingdom"}, "iso_code": "GB"},
        "subdivisions": [{"names": {"en": "England"}}, {"names": {"en": "Kent"}}],
        "city": {"names": {"en": "Dover"}},
        "location": {"latitude": 51.13, "longitude": 1.31, "time_zone": "Europe/London"},
    },
    "8.8.0.0/16": {
        "country": {"names": {"en": "United States"}},
        "location": {"latitude": 37.751, "longitude": -97.822},
    },
    "9.9.9.9/32": {"continent": {"names": {"en": "Europe"}}},
    "10.0.0.0/8": {"country": {"names": {"en": "Nowhere"}}},
    "2a03:2880::/32": {"country": {"names": {"en": "Ireland"}}, "city": {"names": {"de": "Dublin"}}},
}


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "geoip.mmdb"
    write_places(path, PLACES)
    yield path
    geo_addresses.look_in(None)


def told(address: str) -> Any:
    _, rows = answer(f"print a = geo_info_from_ip_address({address!r})")
    cell = rows[0][0]
    return None if cell in (None, "") else json.loads(cell)


def asked(root: Path, text: str, geoip: Path | None) -> QueryAnswer:
    return ask_files(root, QueryRequest(workspace_ids=("w",), text=text, now_us=0), geoip=geoip)


def test_all_that_is_known_of_an_address(places: Path) -> None:
    geo_addresses.look_in(places)
    full = {
        "country": "United Kingdom",
        "state": "Kent",
        "city": "Dover",
        "latitude": 51.13,
        "longitude": 1.31,
    }
    assert told("81.2.69.160") == full
    assert told(" 81.2.69.160 ") == told("::ffff:81.2.69.160") == full
    assert told("8.8.8.8") == {"country": "United States", "latitude": 37.751, "longitude": -97.822}
    assert told("2a03:2880:f12c:83:face:b00c::25de") == {"country": "Ireland"}


@pytest.mark.parametrize(
    "address",
    ["10.1.2.3", "127.0.0.1", "192.168.0.1", "100.64.0.1", "224.0.0.1", "fe80::1", "::1", "fd00::1",
     "1.1.1.1", "2001:4860::1", "9.9.9.9", "", "home", "8.8.8", "8.8.8.8:80", "8.8.8.8/16", "8" * 5000],
)  # fmt: skip
def test_no_answer(places: Path, address: str) -> None:
    geo_addresses.look_in(places)
    assert told(address) is None


def test_parts_and_nulls(places: Path) -> None:
    geo_addresses.look_in(places)
    _, rows = answer(
        "datatable(ip: string)['8.8.8.8', '10.0.0.1'] | extend g = geo_info_from_ip_address(ip) "
        "| project tostring(g.country), toreal(g.latitude), isempty(g.city), isnull(g), gettype(g)"
    )
    assert rows[0] == ["United States", 37.751, True, False, "dictionary"]
    assert rows[1][:4] == ["", None, True, True]


def test_a_database_of_ipv4_alone(tmp_path: Path, places: Path) -> None:
    narrow = tmp_path / "narrow.mmdb"
    write_places(narrow, {"8.8.0.0/16": PLACES["8.8.0.0/16"]}, ip_version=4)
    geo_addresses.look_in(narrow)
    assert told("8.8.4.4")["country"] == "United States"
    assert told("2a03:2880::1") is None


def test_a_query_is_answered_over_the_file(tmp_path: Path, places: Path) -> None:
    got = asked(tmp_path, "print tostring(geo_info_from_ip_address('81.2.69.1').city)", places)
    assert (got.outcome, got.rows) == (Outcome.OK, b'["Dover"]')


def test_without_a_database_it_is_said_what_is_missing(tmp_path: Path) -> None:
    missing = tmp_path / "geoip.mmdb"
    for text in (
        "print geo_info_from_ip_address('8.8.8.8')",
        "range x from 1 to 3 step 1 | where isnotempty(geo_info_from_ip_address(strcat('8.8.8.', x)))",
    ):
        got = asked(tmp_path, text, missing)
        assert got.outcome is Outcome.RUNTIME, got
        assert "needs a database of where addresses are" in got.message
        assert got.message.endswith("into the data directory as 'geoip.mmdb'.")
    private = asked(tmp_path, "print isnull(geo_info_from_ip_address('10.0.0.1'))", missing)
    assert (private.outcome, private.rows) == (Outcome.OK, b"[true]")
    # It is found as soon as it is there.
    write_places(missing, PLACES)
    assert geo_addresses.geo_info("8.8.8.8") is not None
    geo_addresses.look_in(None)


@pytest.mark.parametrize("body", [b"", b"no such format", b"\xab\xcd\xefMaxMind.com\xe0"])
def test_a_file_that_is_no_database(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "geoip.mmdb"
    path.write_bytes(body)
    got = asked(tmp_path, "print geo_info_from_ip_address('8.8.8.8')", path)
    assert got.outcome is Outcome.RUNTIME
    assert "cannot read 'geoip.mmdb'" in got.message
    geo_addresses.look_in(None)


def test_a_broken_record_ends_the_query(tmp_path: Path, places: Path) -> None:
    body = places.read_bytes()
    at = body.index(b"United States")
    places.write_bytes(body[: at - 1] + b"\xff" + body[at:])
    geo_addresses.look_in(places)
    with pytest.raises(duckdb.InvalidInputException, match="aforo: geo_info_from_ip_address"):
        told("8.8.8.8")


def test_without_the_reader_it_is_said_which_extra(
    tmp_path: Path, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(geo_addresses, "find_spec", lambda _name: None)
    got = asked(tmp_path, "print geo_info_from_ip_address('8.8.8.8')", places)
    assert (got.outcome, "aforo[geoip]" in got.message) == (Outcome.RUNTIME, True)
