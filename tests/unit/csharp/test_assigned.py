"""Definite assignment: a read before an assignment is told, and no program that C# takes is refused."""

from __future__ import annotations

import pytest

from tests.support.expressions import evaluate, mistakes


@pytest.mark.parametrize(
    "text",
    [
        "int x; return x;",
        "string s; return s;",
        "string s; return s + \"a\";",
        "int x; x += 1; return x;",
        "int x; x++; return x;",
        "int x; if (DateTime.Now.Year > 1) { x = 1; } else if (DateTime.Now.Year > 2) { x = 2; } return x;",
        "int x; while (DateTime.Now.Year > 1) { x = 1; break; } return x;",
        "int x; foreach (var c in \"abc\") { x = 1; } return x;",
        "int x; for (int i = 0; i < 3; i++) { x = i; } return x;",
        "int x; switch (\"a\") { case \"a\": x = 1; break; } return x;",
        "int x; switch (\"a\") { case \"a\": x = 1; break; default: break; } return x;",
        "int x; try { x = int.Parse(\"1\"); } catch { } return x;",
        "int x; var y = DateTime.Now.Year > 1 && int.TryParse(\"1\", out x); return x;",
        "int x; if (DateTime.Now.Year > 1 || int.TryParse(\"1\", out x)) { return x; } return 0;",
        "int x; if (DateTime.Now.Year > 1 && int.TryParse(\"1\", out x)) { return 1; } return x;",
        "int x; return DateTime.Now.Year > 1 ? (x = 1) : x;",
        "foreach (var c in \"abc\") { int x; if (c == 'a') { x = 1; } if (x > 0) { return x; } } return 0;",
        "return \"abc\".Select(c => { int x; return x; }).First();",
    ],
)  # fmt: skip
def test_what_may_be_read_before_it_is_assigned_is_told(text: str) -> None:
    (found,) = mistakes("{" + text + "}")
    assert found.code == "CS0214", found
    assert "may be read before it is assigned" in found.message


def test_the_place_is_that_of_the_read() -> None:
    text = "{int x; var y = x + 1; return y;}"
    (found,) = mistakes(text)
    assert text[1:-1][found.span.start : found.span.end] == "x"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("int x; x = 1; return x;", "1"),
        ("int x, y = 2; x = y; return x;", "2"),
        ("int x; int.TryParse(\"7\", out x); return x;", "7"),
        ("int x; if (int.TryParse(\"7\", out x) && x > 3) { return x; } return 0;", "7"),
        ("int x; if (!int.TryParse(\"7\", out x)) { return 0; } return x;", "7"),
        ("int x; if (\"a\".Length == 1 && int.TryParse(\"7\", out x)) { return x; } return 0;", "7"),
        ("int x; if (\"a\".Length != 1 || !int.TryParse(\"7\", out x)) { return 0; } return x;", "7"),
        ("int x; if (\"a\".Length == 1) { x = 1; } else { x = 2; } return x;", "1"),
        ("int x; if (\"a\".Length == 1) { x = 1; } else { throw new Exception(\"no\"); } return x;", "1"),
        ("int x; if (\"a\".Length == 2) { return 0; } else if (\"a\".Length == 1) { x = 5; } else { return 1; } return x;", "5"),
        ("int x; while (true) { x = 4; break; } return x;", "4"),
        ("int x; do { x = 4; } while (x < 3); return x;", "4"),
        ("int x; for (int i = 0; ; i++) { if (i == 2) { x = i; break; } } return x;", "2"),
        ("int x; switch (\"b\") { case \"a\": x = 1; break; case \"b\": x = 2; break; default: x = 3; break; } return x;", "2"),
        ("int x; switch (\"b\") { case \"a\": x = 1; break; default: return 9; } return x;", "9"),
        ("int x; try { x = int.Parse(\"1\"); } catch { x = 2; } return x;", "1"),
        ("int x; try { x = int.Parse(\"1\"); } catch { return 0; } return x;", "1"),
        ("int x; try { int.Parse(\"1\"); } finally { x = 3; } return x;", "3"),
        ("int x; var y = \"a\".Length == 1 ? (x = 1) : (x = 2); return x + y;", "2"),
        ("int sum = 0; foreach (var c in \"abc\") { int x; x = c == 'a' ? 1 : 2; sum += x; } return sum;", "5"),
        ("int x; void Set() { x = 6; } Set(); return x;", "6"),
        ("int x; int Twice(int n) { int y; y = n; return y * 2; } x = Twice(3); return x;", "6"),
        ("int x; if (1 > 0 == true) { x = 1; } return x;", "1"),
        ("int x; if (\"a\" == \"a\") { x = 1; } return x;", "1"),
        ("int x; while (1 > 0) { x = 1; break; } return x;", "1"),
        ("string s; if (1 > 2) { return s = \"a\"; } s = \"b\"; return s;", "b"),
    ],
)  # fmt: skip
def test_what_is_assigned_on_every_path_runs(text: str, value: str) -> None:
    assert mistakes("{" + text + "}") == ()
    assert evaluate("{" + text + "}") == value


def test_a_long_chain_is_walked() -> None:
    chain = " else ".join(f'if ("a".Length == {n}) {{ x = {n}; }}' for n in range(2, 120))
    assert evaluate(f"{{int x; {chain} else {{ x = 1; }} return x;}}") == "1"
