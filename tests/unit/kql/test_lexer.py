"""Texts to tokens: numbers, spans, names that begin with digits, strings of every kind, typed literals."""

from __future__ import annotations

import pytest

from aforo.kql.lexer import lex
from aforo.kql.tokens import TokenKind
from aforo.source import Span


def _tokens(text: str) -> list[tuple[str, str, object]]:
    tokens, mistakes = lex(text)
    assert not mistakes
    return [(t.kind.name, t.text, t.value) for t in tokens[:-1]]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("42", "NUMBER", 42),
        ("0xFF", "NUMBER", 255),
        ("1.5", "NUMBER", 1.5),
        ("1e3", "NUMBER", 1000.0),
        ("1h", "TIMESPAN", 36_000_000_000),
        ("1.5d", "TIMESPAN", 1_296_000_000_000),
        ("10ms", "TIMESPAN", 100_000),
        ("3ticks", "TIMESPAN", 3),
        ("90th", "NAME", None),
        ("5xx_count", "NAME", None),
        ("2_x", "NAME", None),
        ('"a\\tb"', "STRING", "a\tb"),
        ("@'c:\\x'", "STRING", "c:\\x"),
        ("@'it''s'", "STRING", "it's"),
        ('h"secret"', "STRING", "secret"),
        ("```a\n'b'```", "STRING", "a\n'b'"),
        ("datetime(2024-01-01 10:00)", "TYPED", "2024-01-01 10:00"),
        ('dynamic({"a": ")"})', "TYPED", '{"a": ")"}'),
        ("in~", "NAME", None),
        ("!contains_cs", "MARK", None),
        ("!in~", "MARK", None),
    ],
)
def test_one_token(text: str, kind: str, value: object) -> None:
    got = _tokens(text)
    assert len(got) == 1
    assert (got[0][0], got[0][2]) == (kind, value)


def test_a_range_is_not_a_real_number() -> None:
    assert [t[1] for t in _tokens("1..5")] == ["1", "..", "5"]


def test_comments_are_space() -> None:
    assert [t[1] for t in _tokens("a // b | c\n| d")] == ["a", "|", "d"]


@pytest.mark.parametrize(
    ("text", "code", "span"),
    [
        ("'abc", "KQL0002", Span(0, 4)),
        ("a ^ b", "KQL0001", Span(2, 3)),
        ("datetime(2024", "KQL0003", Span(0, 9)),
        (r"'\d'", "KQL0006", Span(1, 3)),
    ],
)
def test_mistakes_have_places(text: str, code: str, span: Span) -> None:
    tokens, mistakes = lex(text)
    assert [(m.code, m.span) for m in mistakes] == [(code, span)]
    assert tokens[-1].kind is TokenKind.END
