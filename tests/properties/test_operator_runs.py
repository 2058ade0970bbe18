"""Runs of operators, signs, casts and parentheses mean what C#'s grammar says, whatever stands around them.

Expressions over ints and bools are made together with their values, and put where expressions can stand.
"""

from __future__ import annotations

import random

import pytest

from tests.support.expressions import evaluate

NAMES = {
    "a": 5, "b": 2, "c": 7, "o.N": 4, "s.Length": 3, "x[0]": 6, "x[1]": 9, 'm["k"]': 8, "1": 1, "3": 3, "10": 10,
}  # fmt: skip
DECLARED = (
    'bool t = true, u = false; int a = 5, b = 2, c = 7; var o = new { N = 4 }; string s = "abc";'
    ' var x = new [] {6, 9}; var m = new Dictionary<string, int> { { "k", 8 } }; Func<int, int> f = q => q + 1; '
)
PLACES = (
    "return E;", "return Math.Max(E, -2147483648);", 'return $"{(E)}";', "var z = E; return z;", "return new [] {E}[0];",
    "if ((E) == 0) return 0; return E;", "return new [] {1}.Select(w => E).First();", 'return string.Concat(E, "");',
    "return m.Count == 1 ? E : 0;", "return Tuple.Create(1, E).Item2;",
)  # fmt: skip
LEVELS = {"*": 12, "/": 12, "%": 12, "+": 11, "-": 11, "&": 7, "^": 6, "|": 5}
UNARY = 15
PRIMARY = 20

Made = tuple[str, int, int]  # text, value, level of its outermost operator


def wrapped(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def applied(operator: str, left: int, right: int) -> int:
    if operator in "/%":
        whole = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
        return whole if operator == "/" else left - whole * right
    return {
        "*": left * right, "+": left + right, "-": left - right, "&": left & right, "^": left ^ right, "|": left | right,
    }[operator]  # fmt: skip


def number(chance: random.Random, depth: int) -> Made:
    kind = chance.choice(("run", "run", "run", "sign", "parens", "cast", "call", "index", "choice", "name"))
    if depth <= 0 or kind == "name":
        text = chance.choice(list(NAMES))
        return text, NAMES[text], PRIMARY
    text, value, level = number(chance, depth - 1)
    if kind == "run":
        right, other, right_level = number(chance, depth - 1)
        operator = chance.choice([o for o in LEVELS if other or o not in "/%"])
        own = LEVELS[operator]
        text = f"({text})" if level < own or chance.random() < 0.3 else text
        right = f"({right})" if right_level <= own or chance.random() < 0.3 else right
        between = f" {operator} " if chance.random() < 0.7 or right[0] in "+-" else operator
        return text + between + right, wrapped(applied(operator, value, other)), own
    if kind == "sign":
        sign = chance.choice("-~+")
        text = f"({text})" if level < UNARY or text[0] in "+-~" else text
        return sign + text, wrapped({"-": -value, "~": ~value, "+": value}[sign]), UNARY
    if kind == "parens":
        return f"({text})", value, PRIMARY
    if kind == "cast":
        return f"(int)({text})", value, UNARY
    if kind == "index":
        return f"(x)[({text}) & 1]", NAMES[f"x[{value & 1}]"], PRIMARY
    right, other, _ = number(chance, depth - 1)
    if kind == "call":
        return f"Math.Max({text}, {right})", max(value, other), PRIMARY
    asked, yes = condition(chance, depth - 1)
    return f"({asked} ? {text} : {right})", value if yes else other, PRIMARY


def condition(chance: random.Random, depth: int) -> tuple[str, bool]:
    kind = chance.choice(("compare", "compare", "name and", "and", "or", "not"))
    if depth <= 0 or kind == "compare":
        left, value, level = number(chance, depth - 1)
        right, other, right_level = number(chance, depth - 1)
        left, right = (t if at > 10 else f"({t})" for t, at in ((left, level), (right, right_level)))
        operator = chance.choice(("<", ">", "==", "!="))
        return f"{left} {operator} {right}", {
            "<": value < other, ">": value > other, "==": value == other, "!=": value != other,
        }[operator]  # fmt: skip
    text, value = condition(chance, depth - 1)
    if kind == "name and":
        name = chance.choice("tu")
        return f"({name}) && ({text})", name == "t" and value
    if kind == "not":
        return f"!({text})", not value
    right, other = condition(chance, depth - 1)
    return (
        (f"({text}) && ({right})", value and other)
        if kind == "and"
        else (f"({text}) || ({right})", value or other)
    )


@pytest.mark.parametrize("seed", range(10))
def test_runs_of_operators(seed: int) -> None:
    chance = random.Random(seed)
    for at in range(30):
        text, value, _ = number(chance, chance.randint(1, 4))
        expression = "{ " + DECLARED + PLACES[at % len(PLACES)].replace("E", text) + " }"
        assert evaluate(expression) == str(value), expression
