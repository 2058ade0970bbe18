"""What columns are called that the author did not name, as the reference binder calls them."""

from __future__ import annotations

import pytest

from tests.support.kql_run import answer, mistakes

T = 'datatable(a: string, b: long, d: dynamic)["x", 1, dynamic({"y z": [1, 2]})]'


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        (
            "extend strlen(a), tostring(b), b + 1",
            ["a:string", "b:string", "d:dynamic", "strlen_a:long", "Column1:long"],
        ),
        (
            'project d["y z"], d["y z"][0], d[-1], d.q',
            ["d_y z:dynamic", "d_y z_0:dynamic", "d_:dynamic", "d_q:dynamic"],
        ),
        (
            "project bag_keys(d)[0], tostring(pack('k', a)['k']), d[a], d['y z'][b], pack_array(a)[-1]",
            ["0:dynamic", "k:string", "d_:dynamic", "d_y z_:dynamic", "Column1:dynamic"],
        ),
        ("summarize make_set(bag_keys(d)[0])", ["set_0:dynamic"]),
        ("summarize arg_max(b + 1, a)", ["max_:long", "a:string"]),
        ("summarize arg_min(b, a) by k = a", ["k:string", "b:long", "a:string"]),
        (
            "summarize count(), count(), sum(b), sum(b)",
            ["count_:long", "count_1:long", "sum_b:long", "sum_b1:long"],
        ),
        ("summarize count() by bin(b, 10), tostring(d.q)", ["b:long", "d_q:string", "count_:long"]),
        ("project d, a | mv-apply d on (extend y = 1)", ["a:string", "d:dynamic", "y:long"]),
        ("project series_outliers(d)", ["d:dynamic"]),
        ("project a, a", ["a:string", "a1:string"]),
        ("mv-expand split(a, ',')", ["a:dynamic", "b:long", "d:dynamic"]),
        (
            "mv-expand x = d.q, pack_array(b)",
            ["a:string", "b:long", "d:dynamic", "x:dynamic", "Column1:dynamic"],
        ),
        ("mv-expand with_itemindex=a d", ["a:string", "b:long", "d:dynamic", "a1:long"]),
        ("top-hitters 1 of a by b", ["a:string", "approximate_sum_b:long"]),
        ("project-reorder d, * asc", ["d:dynamic", "a:string", "b:long"]),
    ],
)
def test_names(text: str, columns: list[str]) -> None:
    assert answer(f"{T} | {text}")[0] == columns


def test_names_in_their_numbers_order() -> None:
    text = "print a10 = 1, a2 = 2, b = 3, a1 = 4 | project-reorder a* "
    assert answer(text + "granny-asc")[0] == ["a1:long", "a2:long", "a10:long", "b:long"]
    assert answer(text + "granny-desc")[0] == ["a10:long", "a2:long", "a1:long", "b:long"]
    assert answer(text + "asc")[0] == ["a1:long", "a10:long", "a2:long", "b:long"]


@pytest.mark.parametrize(
    "text", ["print a = 1, a = 2", f"{T} | distinct a, a", f"{T} | mv-expand x = d, x = d"]
)
def test_a_name_given_twice(text: str) -> None:
    assert "twice" in mistakes(text)[0]
