"""Forty short lines that stand for a million million parts are refused before anything is written out."""

from __future__ import annotations

import pytest

from aforo.kql.compile import compile_query
from aforo.kql.size import MOST_PARTS
from aforo.source import Source
from tests.support.kql_lab import DATABASE, NOW

_TABLE = "ApiManagementGatewayLogs"


def _doubled(first: str, pattern: str, last: str, times: int = 40) -> str:
    lets = [first, *(pattern.format(new=i + 1, old=i) for i in range(times))]
    return "\n".join(f"let {let};" for let in lets) + f"\n{last.format(times)}"


EXPLODING = {
    "values": _doubled("a0 = 'a'", "a{new} = strcat(a{old}, a{old})", "print strlen(a{})"),
    "tables": _doubled(f"T0 = {_TABLE}", "T{new} = union T{old}, T{old}", "T{} | count"),
    "functions": _doubled("f0 = () {{1}}", "f{new} = () {{{{ f{old}() + f{old}() }}}}", "print f{}()").replace("{{", "{").replace("}}", "}"),
    "queries for a value": _doubled("a0 = 1", "a{new} = toscalar(print a{old} + a{old})", "print a{}"),
    "queries for a list": _doubled("a0 = 1", "a{new} = tolong(a{old} in ((print a{old})))", "print a{}"),
    "arguments": "let f = (x: long) { x * x };\nprint " + "f(" * 40 + "rand()" + ")" * 40,
    "a repeated operand": "print " + "tolong(" * 40 + "1" + " between (rand() .. 2))" * 40,
}  # fmt: skip


@pytest.mark.parametrize("name", EXPLODING)
def test_what_explodes_is_refused(name: str) -> None:
    result = compile_query(Source("q", EXPLODING[name]), DATABASE, now=NOW)
    assert result.compiled is None
    assert [d.code for d in result.diagnostics][-1:] == ["KQL0008"], result.diagnostics


def test_it_is_told_at_the_let_that_is_too_much() -> None:
    source = Source("q", EXPLODING["values"])
    (mistake,) = compile_query(source, DATABASE, now=NOW).diagnostics
    # a14 has 2 * 2^14 - 1 parts or more; each name stands for all of them.
    line, _ = source.position(mistake.span.start)
    assert source.text[mistake.span.start : mistake.span.end].startswith(f"let a{line - 1} ")
    assert 2 ** (line - 1) > MOST_PARTS / 2


def test_extend_computes_once_and_is_not_refused() -> None:
    steps = "".join(f" | extend a{i + 1} = strcat(a{i}, a{i})" for i in range(20))
    result = compile_query(Source("q", f"print a0 = 'a'{steps} | project strlen(a20)"), DATABASE, now=NOW)
    assert result.compiled is not None


def test_what_a_query_spells_out_itself_does_not_count_against_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("binder", "bind_expressions"):
        monkeypatch.setattr(f"aforo.kql.{module}.MOST_PARTS", 1_000)
    values = ",".join(["1"] * 1_100)
    result = compile_query(Source("q", f"print x = 1 | where x in ({values})"), DATABASE, now=NOW)
    assert result.compiled is not None
