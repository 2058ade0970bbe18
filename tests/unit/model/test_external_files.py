"""Which addresses the entries of a workspace's `externalData` allow."""

from __future__ import annotations

import pytest

from aforo.model.external_files import entry_problem, refusal

ENTRIES = ("https://files.example/lists/", "https://files.example/one.csv", "http://10.0.0.5:8080/plain/")


@pytest.mark.parametrize(
    "url",
    [
        "https://files.example/lists/users.csv",
        "https://FILES.example:443/lists/deep/er.csv.gz?sv=2020&sig=abc",
        "https://files.example/one.csv",
        "https://files.example/one.csv?sig=abc",
        "http://10.0.0.5:8080/plain/x.txt",
        "https://files.example/lists/%41.csv",
    ],
)
def test_allowed(url: str) -> None:
    assert refusal(url, ENTRIES) == ""


@pytest.mark.parametrize(
    "url",
    [
        "http://files.example/lists/users.csv",
        "https://files.example/lists",
        "https://files.example/listsnot/x",
        "https://files.example/one.csv/x",
        "https://files.example/one.csvx",
        "https://files.example:8443/lists/x",
        "https://files.example.evil/lists/x",
        "https://evil/https://files.example/lists/",
        "https://files.example@evil/lists/x",
        "https://user:pass@files.example/lists/x",
        "https://files.example/lists/../private/x",
        "https://files.example/lists/%2e%2e/private/x",
        "https://files.example/lists/%252E%252e/private/x",
        "https://files.example/lists/..%2fprivate",
        "https://files.example/lists/..%5cprivate",
        "https://files.example/lists\\..\\x",
        "https://files.example/lists/x;secretkey",
        "https://10.0.0.5:8080/plain/x.txt",
        "http://10.0.0.5/plain/x.txt",
        "file:///etc/passwd",
        "abfss://files.example/lists/x",
        "//files.example/lists/x",
        "https://",
        "",
        "https://files.example/lists/\u2025/x",
        "https://files.example/lists/x y",
        "https://files.example/lists/x\nHost: evil",
    ],
)
def test_not_allowed(url: str) -> None:
    why = refusal(url, ENTRIES)
    assert why
    assert "secret" not in why.replace("secrets", "")
    assert "pass@" not in why


def test_nothing_is_allowed_without_entries() -> None:
    assert refusal("https://files.example/lists/users.csv", ())


@pytest.mark.parametrize("entry", ENTRIES)
def test_entries(entry: str) -> None:
    assert entry_problem(entry) == ""


@pytest.mark.parametrize(
    "entry",
    [
        "https://files.example",
        "files.example/lists/",
        "https://files.example/*",
        "https://files.example/a?b",
        "https://u:p@files.example/a",
        "https://files.example/a/../b",
        "ftp://files.example/",
        "https://files.example/a;key",
    ],
)
def test_no_entries(entry: str) -> None:
    assert entry_problem(entry)
