"""Every code of a query's mistakes is given by one wording, has its section on the page, and comes up in a query."""

from __future__ import annotations

import inspect
import re
from collections import Counter

import pytest

from aforo.kql import diagnostics
from aforo.kql.compile import MAX_CHARACTERS, compile_query
from aforo.kql.symbols import Database
from aforo.source import Source
from docs.kql_examples import Engine, Section, asked, pages
from tests.support.kql_lab import DATABASE, NOW

CODES = Counter(re.findall(r'Diagnostic\(\s*"(KQL\d{4})"', inspect.getsource(diagnostics)))
SECTIONS = pages()["diagnostics"].sections
# Those that no short query shows.
LONG = {
    "KQL0004": "print " + "(" * 1000 + "1" + ")" * 1000,
    "KQL0005": " " * MAX_CHARACTERS + "T",
    "KQL0007": "print '\ud83d'",
    "KQL0008": "let a0 = TotalTime;"
    + "".join(f"let a{i + 1} = () {{ a{i}() + a{i}() }};" for i in range(40)).replace("a0()", "now()")
    + "print a40()",
    "KQL0009": "print d = dynamic({})" + "| evaluate bag_unpack(d)| extend d = dynamic({})" * 20,
    "KQL0205": "Endless() | count",
    "KQL0208": "Torn()",
}
FUNCTIONS = {"Endless": "() { Endless() }", "Torn": "() { T | "}


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


def test_each_code_has_one_wording() -> None:
    assert [code for code, count in CODES.items() if count > 1] == []


def test_each_code_has_its_section() -> None:
    assert [name for section in SECTIONS for name in section.names] == sorted(CODES)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda s: s.names[0])
def test_each_code_comes_up(section: Section, engine: Engine) -> None:
    (code,) = section.names
    if code in LONG:
        assert code in _codes(LONG[code])
        return
    shown = [answer.message or answer.remark for _, answer in asked(section.examples, engine) if answer]
    assert shown
    assert all(f" {code}: " in said for said in shown)


def _codes(text: str) -> list[str]:
    database = Database("d", DATABASE.tables, FUNCTIONS)
    discovered: dict[str, list[tuple[object, ...]]] = {}
    while True:
        result = compile_query(Source("q", text), database, now=NOW, discovered=discovered)
        if result.discovery is None:
            return [mistake.code for mistake in result.diagnostics]
        discovered[result.discovery.key] = [("d", "{}")]
