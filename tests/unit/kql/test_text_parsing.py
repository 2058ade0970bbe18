"""parse in its three kinds, parse-where, parse-kv in its three ways."""

from __future__ import annotations

import pytest

from tests.support.kql_run import answer, mistakes

EVENT = 'datatable(t: string)["Event: resourceName=abc, slices=27, sliceNumber=23, x", "nothing"]'
PAIRS = 'datatable(t: string)["a=1 b=x", "a=zz b=y", "q"]'


@pytest.mark.parametrize(
    ("parsing", "row"),
    [
        ("kind=regex flags=Ui t with * 'RESOURCENAME=' r ',' *", ["abc"]),
        ("kind=regex t with * 'resourceName=' r ',' *", ["abc, slices=27, sliceNumber=23"]),
        (r"kind=regex t with '(.*?)[a-zA-Z]*=' r @', slices=\s*\d+, slice(N|n)umber=' n: long ', x'", ["abc", 23]),
        ("t with * 'resourceName=' r ', slices=' n: int ',' *", ["abc", 27]),
    ],
)  # fmt: skip
def test_parse(parsing: str, row: list[object]) -> None:
    columns, rows = answer(f"{EVENT} | parse {parsing} | project-away t")
    assert rows[0] == row
    assert rows[1] == [None if ":int" in c or ":long" in c else "" for c in columns]


def test_a_value_that_does_not_fit_undoes_the_match_unless_relaxed() -> None:
    pattern = "t with 'a=' a: long ' b=' b | project a, b"
    assert answer(f"{PAIRS} | parse {pattern}")[1] == [[1, "x"], [None, ""], [None, ""]]
    assert answer(f"{PAIRS} | parse kind=relaxed {pattern}")[1] == [[1, "x"], [None, "y"], [None, ""]]
    assert answer(f"{PAIRS} | parse-where {pattern}")[1] == [[1, "x"]]
    assert answer(f"{PAIRS} | parse-where kind=relaxed {pattern}")[1] == [[1, "x"], [None, "y"]]


@pytest.mark.parametrize(
    ("text", "keys", "options", "row"),
    [
        ("b = 2 ,a=1, a=3,c", "a: long, b: long, c: long", "pair_delimiter=',', kv_delimiter='='", [1, 2, None]),
        ("a='x y' b='it\\'s' c=z", "a: string, b: string, c: string",
         "pair_delimiter=' ', kv_delimiter='=', quote=\"'\", escape='\\\\'", ["x y", "it's", "z"]),
        ("(my key)=(v 1) k={w}", "['my key']: string, k: string",
         "pair_delimiter=' ', kv_delimiter='=', quote='()', quote='{}'", ["v 1", "w"]),
        ("name=John Doe phone=555 5", "name: string, phone: string", "pair_delimiter=' ', kv_delimiter='=', greedy=true",
         ["John Doe", "555 5"]),
        ("name=John Doe phone=555 5", "name: string, phone: string", "pair_delimiter=' ', kv_delimiter='='", ["John", "555"]),
        ("x 10:00 id:7, m-n1 k:'a b'", "id: long, m: string, k: string", "quote=\"'\"", [7, "n1", "a b"]),
        ("<k:v><n:5>", "k: string, n: long", "regex=@'<(\\w+):([^>]*)>'", ["v", 5]),
        ("", "k: string, n: long, d: datetime", "pair_delimiter=';', kv_delimiter=':'", ["", None, None]),
    ],
)  # fmt: skip
def test_parse_kv(text: str, keys: str, options: str, row: list[object]) -> None:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    columns, rows = answer(f'print t = "{quoted}" | parse-kv t as ({keys}) with ({options}) | project-away t')
    assert rows == [row], columns


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("pair_delimiter=','", "go together"),
        ("regex='(a'", "no regular expression"),
        ("regex='(a)'", "two groups"),
        ("quote='abc', pair_delimiter=',', kv_delimiter='='", "'quote'"),
        ("nope=1", "nope"),
    ],
)
def test_options_that_do_not_go_together(options: str, problem: str) -> None:
    assert problem in mistakes(f"print t = 'x' | parse-kv t as (a: long) with ({options})")[0]
