"""Policy texts checked on their own: what is not known is guessed, and the guessing has an end."""

from __future__ import annotations

import pytest

from aforo.policy import standalone
from aforo.policy.compile import CompileContext
from aforo.source import Source


def checked(inbound: str) -> standalone.Checked:
    text = f"<policies><inbound>{inbound}</inbound></policies>"
    return standalone.check(Source("api.xml", text), CompileContext())


def test_named_values_of_different_kinds_are_guessed_one_by_one() -> None:
    found = checked(
        '<rate-limit-by-key calls="{{many}}" renewal-period="60" counter-key="k" />'
        '<set-variable name="a" value="@({{on}} ? 1 : 2)" />'
        '<set-variable name="b" value="@(new Uri({{place}}).Host)" />'
    )
    assert not [d for d in found.result.diagnostics if d.is_error]
    assert len(found.assumed) == 3


def test_a_mistake_that_no_value_mends_does_not_set_off_the_guessing(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []
    monkeypatch.setattr(
        standalone, "_compiled", lambda *a, f=standalone._compiled: compiled.append(a) or f(*a)
    )
    names = "".join(
        f'<set-header name="h{n}"><value>@("{{{{n{n}}}}}")</value></set-header>' for n in range(20)
    )
    found = checked(names + '<set-variable name="a" value="@("x".Lenght)" />')
    assert [d.code for d in found.result.diagnostics if d.is_error] == ["CS0203"]
    assert (
        len(compiled) <= 44
    )  # the first try and nine guesses, in each of four scopes; not nine more for each name
