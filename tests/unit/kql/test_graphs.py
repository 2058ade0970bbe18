"""make-graph, graph-match, graph-to-table: paths, their lengths and directions, cycles, nodes that only edges have."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.kql_run import answer, mistakes

RING = """let E = datatable(s: string, d: string, t: string)["A", "B", "x", "B", "C", "y", "C", "A", "z"];
let G = E | make-graph s --> d with_node_id = n;
"""


def paths(pattern: str) -> list[list[Any]]:
    return sorted(answer(f"{RING} G | graph-match {pattern}")[1])


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("(a)-[e]->(b) project a.n, b.n, e.t", [["A", "B", "x"], ["B", "C", "y"], ["C", "A", "z"]]),
        ("(a)<-[e]-(b) where a.n == 'A' project b.n", [["C"]]),
        ("(a)-->(b) where a.n == 'A' project b.n", [["B"]]),
        ("(a)<--(b) where a.n == 'A' project node_id(b)", [["C"]]),
        ("(a)--(b) where a.n == 'A' project b.n", [["B"], ["C"]]),
        ("(a)-->(b)-->(c) where a.n == 'A' project b.n, c.n", [["B", "C"]]),
        ("()-->(b)-->() where b.n == 'A' project b.n", [["A"]]),
        ("(a)-->(b)-->(a) project a.n", []),
        ("(a)-->()-->()-->(a) project a.n", [["A"], ["B"], ["C"]]),
        ("(a) where a.n != 'B' project a.n", [["A"], ["C"]]),
        ("(a)-[e*1..4]->(b) where a.n == 'A' project b.n, e.t, map(inner_nodes(e), n)",
         [["A", '["x","y","z"]', '["B","C"]'], ["B", '["x"]', "[]"], ["C", '["x","y"]', '["B"]']]),
        ("cycles=none (a)-[e*1..4]->(b) where a.n == 'A' project b.n", [["B"], ["C"]]),
        ("cycles=all (a)-[e*3..4]->(b) where a.n == 'A' project e.t", [['["x","y","z","x"]'], ['["x","y","z"]']]),
        ("(a)-[e*1..2]->(b) where all(e, t != 'z') project a.n, b.n", [["A", "B"], ["A", "C"], ["B", "C"]]),
        ("(a)-[e*2..2]->(b) where any(e, t == 'z') project a.n, b.n", [["B", "A"], ["C", "B"]]),
        ("(a)-[e*1..2]->(b) where all(inner_nodes(e), n == 'B') project b.n", [["A"], ["B"], ["C"], ["C"]]),
        ("(a)-[e*2..2]->(b) project map(inner_nodes(e), node_id()), map(e, toupper(t))",
         [['["A"]', '["Z","X"]'], ['["B"]', '["X","Y"]'], ['["C"]', '["Y","Z"]']]),
    ],
)  # fmt: skip
def test_paths(pattern: str, found: list[list[Any]]) -> None:
    assert paths(pattern) == found


def test_edges_that_agree_in_everything_are_still_two() -> None:
    twice = (
        "datatable(s: string, d: string)['A', 'B', 'A', 'B', 'B', 'A'] | make-graph s --> d with_node_id = n"
    )
    assert len(answer(f"{twice} | graph-match (a)-->(b) project a.n")[1]) == 3
    # Forth on one of them and back on the other: four ways between A and B by edges of their own.
    rows = answer(f"{twice} | graph-match (a)--(b)--(c) where a.n == 'A' project b.n, c.n")[1]
    assert rows == [["B", "A"]] * 6
    loop = "print s = 'A', d = 'A' | make-graph s --> d with_node_id = n"
    assert answer(f"{loop} | graph-match (a)--(b) project b.n")[1] == [["A"]]


NODES = """let E = datatable(s: long, d: long)[1, 2, 2, long(null)];
let N = datatable(id: long, name: string)[1, "one", 7, "seven", 7, "seven"];
let G = E | make-graph s --> d with N on id;
"""


def test_nodes_have_the_columns_of_their_tables_and_those_without_rows_their_id() -> None:
    assert sorted(answer(f"{NODES} G | graph-to-table nodes")[1]) == [[1, "one"], [2, ""], [7, "seven"]]
    got = answer(f"{NODES} G | graph-match (a)-->(b) project a.id, b.id, a.name, b.name")
    assert got == (["a_id:long", "b_id:long", "a_name:string", "b_name:string"], [[1, 2, "one", ""]])
    more = "(N | project id, age = id * 10)"
    got = answer(f"{NODES} E | make-graph s --> d with N on id, {more} on id | graph-to-table nodes")
    assert got[0] == ["id:long", "name:string", "age:long"]
    assert sorted(got[1]) == [[1, "one", 10], [2, "", None], [7, "seven", 70]]


def test_ids_of_nodes_are_hashes() -> None:
    text = "print s = 'Alice', d = 'Bob', t = 1 | make-graph s --> d | graph-to-table edges"
    assert answer(text) == (["s:string", "d:string", "t:long"], [["Alice", "Bob", 1]])
    columns, rows = answer(f"{text} with_source_id = a with_target_id = b")
    assert columns[:2] == ["a:long", "b:long"]
    assert rows == [[-3122868243544336885, -7133945255344544237, "Alice", "Bob", 1]]
    text = "print s = 'Alice', d = 'Alice' | make-graph s --> d | graph-to-table nodes with_node_id = i"
    assert answer(text)[1] == [[-3122868243544336885]]


def test_a_graph_of_nothing() -> None:
    empty = "datatable(s: string, d: string)[] | make-graph s --> d with_node_id = n"
    assert answer(f"{empty} | graph-match (a)-[e*1..3]->(b) project a.n, e.s") == (
        ["a_n:string", "e_s:dynamic"],
        [],
    )
    assert answer(f"{empty} | graph-to-table nodes")[1] == []


EDGE = "print s = 1, d = 2"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"{EDGE} | make-graph s --> d", "no table"),
        (f"{EDGE} | make-graph s --> d | take 1", "no table"),
        (f"union ({EDGE} | make-graph s --> d)", "no table"),
        (f"let f = () {{ {EDGE} | make-graph s --> d }}; f() | count", "no table"),
        (f"{EDGE} | graph-match (a)-->(b) project 1", "needs a graph"),
        (f"{EDGE} | graph-to-table nodes", "needs a graph"),
        (f"{EDGE} | make-graph s --> d | graph-to-table nodes", "without properties"),
        (f"{EDGE} | make-graph s --> d | graph-to-table nodes as N, edges as E", "several tables"),
        (f"{EDGE} | make-graph s --> z", "no column 'z'"),
        (f"{EDGE}, x = 'x' | make-graph s --> x", "long and string"),
        (f"{EDGE} | make-graph s --> d partitioned-by s (graph-match (a)-->(b) project 1)", "partitions"),
        (f"{EDGE} | make-graph s --> d | graph-match (a)-->(b), (b)-->(c) project 1", "several paths"),
        (f"{EDGE} | make-graph s --> d | graph-match (a)-[e*1..50]->(b) project 1", "12 edges"),
        (f"{EDGE} | make-graph s --> d | graph-match (a)-[e*0..1]->(b) project 1", "0 to 1 steps"),
        (f"{EDGE} | make-graph s --> d | graph-match (a)-[a]->(b) project 1", "twice"),
        (f"{EDGE} | make-graph s --> d | graph-match (a)-->(b) project a.zz", "'zz'"),
        (f"{EDGE} | make-graph s --> d | graph-match (a)-[e]->(b) project e.zz", "'zz'"),
        (f"{EDGE} | make-graph s --> d | graph-match (a)-->(b)", "project"),
        (f"{EDGE} | make-graph s --> d | graph-match cycles=some (a)-->(b) project 1", "'some'"),
        (f"{EDGE} | make-graph s --> d | graph-shortest-paths (a)-[e*1..2]->(b) project 1", "not supported"),
    ],
)
def test_mistakes(text: str, problem: str) -> None:
    assert any(problem in m for m in mistakes(text)), mistakes(text)
