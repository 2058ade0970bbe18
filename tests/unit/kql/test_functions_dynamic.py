"""Functions over arrays, bags and JSON: what they give for the odd values too (null, no array, other types, nothing)."""

from __future__ import annotations

import pytest

from tests.support.kql_run import answer, mistakes


def values(expressions: list[str]) -> list[object]:
    """What each expression comes to, computed in one query."""
    _, rows = answer("print " + ", ".join(f"v{i} = {e}" for i, e in enumerate(expressions)))
    row: list[object] = rows[0]
    return row


ARRAYS = {
    'array_iff(dynamic([true,false,null,"x",0,2.5]), dynamic([1,2]), "no")': '[1,"no",null,null,"no",null]',
    "array_iff(dynamic(5), 1, 2)": None,
    "array_iif(dynamic([1,0]), datetime(2020-01-01), long(null))": '["2020-01-01T00:00:00.0000000Z",null]',
    'array_index_of(dynamic([1,2.0,"2",true]), 2)': 1,
    'array_index_of(dynamic([1,2.0,"2",true]), "2")': 2,
    "array_index_of(dynamic([1,1,1]), true)": -1,
    "array_index_of(dynamic([1,1,1]), 1, 0, -1, 3)": 2,
    "array_index_of(dynamic([1,2,3,1]), 1, -2)": 3,
    "array_index_of(dynamic([1]), 1, 0, -2)": None,
    "array_index_of(dynamic({}), 1)": None,
    'array_shift_left(dynamic(["a","b","c"]), 2)': '["c","",""]',
    "array_shift_left(dynamic([1,2,3]), -2)": "[null,null,1]",
    "array_shift_left(dynamic(null), 1)": None,
    'array_shift_right(dynamic(["a","b"]), 9, "z")': '["z","z"]',
    "array_split(dynamic([1,2,3,4,5]), dynamic([1,3,-2]))": "[[1],[2,3],[],[4,5]]",
    "array_split(dynamic([1,2,3,4,5]), 10)": "[[1,2,3,4,5],[]]",
    "array_split(dynamic([1]), dynamic([]))": "[[1]]",
    'array_sort_asc(dynamic([2,1,"b","a",null,true]))': '[1,2,"a","b",true,null]',
    'array_sort_desc(dynamic([2,1,"b","a",null]))': '["b","a",2,1,null]',
    "array_sort_asc(dynamic([2,null,1]), false)": "[null,1,2]",
    "array_sort_desc(dynamic([2,null,1]), false)": "[null,2,1]",
    'array_sort_asc(dynamic("x"))': None,
    'array_sort_asc(dynamic([3,1,2]), dynamic(["c","a","b"]))[1]': '["a","b","c"]',
    'array_sort_asc(dynamic([3,1,2]), dynamic(["c","a"]))[1]': None,
    "array_sort_asc(dynamic([3,1,2]))[0]": "1",
    'zip(dynamic([1,2]), dynamic(["a"]))': '[[1,"a"],[2,null]]',
    "zip(dynamic([]), dynamic([]))": "[]",
    'set_union(dynamic([1,2,1]), dynamic([2,3]), dynamic(["1"]))': '[1,2,3,"1"]',
    "set_intersect(dynamic([1,2,3,2]), dynamic([2,3]), dynamic([3,2]))": "[2,3]",
    "set_difference(dynamic([1,2,3,1]), dynamic([2]), dynamic([3]))": "[1]",
    "set_difference(dynamic([1,2]), dynamic(null))": "[1,2]",
    'set_has_element(dynamic(["a",1]), 1.0)': True,
    'set_has_element(dynamic(["1"]), 1)': False,
    "set_has_element(dynamic({}), 1)": None,
    "set_equals(dynamic([1,2]), dynamic([2,1,1]))": True,
    "set_equals(dynamic([1]), dynamic(null))": None,
    "jaccard_index(dynamic([1,2,3]), dynamic([1,2,3,4]))": "0.75",
    "jaccard_index(dynamic([]), dynamic([]))": "NaN",
    "jaccard_index(dynamic(1), dynamic([]))": None,
    "array_sum(dynamic([1,2.5]))": 3.5,
    'array_sum(dynamic([1,"a"]))': None,
    "array_sum(dynamic([]))": 0.0,
    "array_slice(dynamic([1,2,3,4,5]), -3, -2)": "[3,4]",
    "array_slice(dynamic([1,2]), 5, 9)": "[]",
    "array_rotate_left(dynamic([1,2,3,4,5]), -7)": "[4,5,1,2,3]",
    "arraylength(dynamic({}))": None,
    "range(1.0, 2.0, 0.25)": "[1.0,1.25,1.5,1.75,2.0]",
    "range(1, 5, 0)": "[]",
    "repeat(long(null), 2)": "[null,null]",
    "repeat(1, -1)": "[]",
    'has_any_index("this is an example", dynamic(["not", "example"]))': 1,
    'has_any_index("Example number 2", range(1, 3, 1))': 1,
    'has_any_index("this", dynamic(["hi"]))': -1,
    'has_any_index("THIS", dynamic(["this"]))': 0,
    'has_any_index("x", dynamic([]))': -1,
}

BAGS = {
    "bag_merge(dynamic({'A1':12,'B1':2}), dynamic({'A2':81,'A1':1}))": '{"A1":12,"B1":2,"A2":81}',
    "bag_merge(dynamic({'a':1}), dynamic(null))": '{"a":1}',
    "bag_merge(dynamic(1), dynamic([]))": None,
    "bag_has_key(dynamic({'k':{'p':null}}), '$.k.p')": True,
    "bag_has_key(dynamic({'a.b':1}), 'a.b')": True,
    "bag_has_key(dynamic({'a b':1}), \"$['a b']\")": True,
    "bag_has_key(dynamic({'K':1}), 'k')": False,
    "bag_has_key(dynamic([1]), 'k')": None,
    "bag_remove_keys(dynamic({'key1':123,'key2':'abc'}), dynamic(['key1','nokey']))": '{"key2":"abc"}',
    "bag_remove_keys(dynamic({'a':{'b':1,'c':2}}), dynamic(['$.a.b', 5]))": '{"a":{"c":2}}',
    "bag_remove_keys(dynamic([1]), dynamic(['a']))": None,
    "bag_set_key(dynamic({'a':1}), 'a', dynamic([1]))": '{"a":[1]}',
    "bag_set_key(dynamic({}), '$.x.y', 'z')": '{"x":{"y":"z"}}',
    "bag_set_key(dynamic(null), 'a', 1)": None,
    "bag_zip(dynamic(['a','b','c']), dynamic([1,'2']))": '{"a":1,"b":"2","c":null}',
    "bag_zip(dynamic(['a',1,'b']), dynamic([1,2,3,4]))": '{"a":1,"b":3}',
    "bag_zip(dynamic('a'), dynamic([1]))": None,
    "bag_zip(dynamic(['a', 8]), dynamic(1))": '{"a":null}',
    "bag_keys(dynamic([]))": None,
    'treepath(parse_json(\'{"p":[1,{"x":1}], "q":"v"}\'))': "[\"['p']\",\"['p'][0]\",\"['p'][0]['x']\",\"['q']\"]",
    "treepath(dynamic(1))": None,
    "dynamic_to_json(dynamic({'b':1,'a':[{'z':1,'y':'q'}]}))": '{"a":[{"y":"q","z":1}],"b":1}',
    "dynamic_to_json(dynamic(null))": "",
    "dynamic_to_json(datetime(2020-01-01))": "2020-01-01T00:00:00.0000000Z",
}

JSON = {
    """extract_json("$.a.b", '{"a":{"b":5}}')""": "5",
    """extract_json("$.a", 'no')""": "",
    """extract_json("$.a", '{"a":5}', typeof(long))""": 5,
    """extract_json("$.a", '{"a":[5]}', typeof(dynamic))""": "[5]",
    """extractjson("$['a b']", '{"a b":1}')""": "1",
    "todynamic('[1,2')": "[1,2",
    "todynamic('')": None,
    "todynamic('null')": None,
    "todynamic('\"abc\"')": "abc",
    'parse_json(\'{"a":{"b":[7]}}\').a.b[0]': "7",
    "gettype(dynamic(null))": "null",
    "gettype(dynamic(1.5))": "double",
    "gettype(dynamic({}))": "dictionary",
    "bag_pack('a', 1.5, 'b', dynamic(null), 'c', 1h)": '{"a":1.5,"b":null,"c":"01:00:00"}',
    "pack_array(1, 'a', dynamic(null), real(nan))": '[1,"a",null,"NaN"]',
    "isnull(parse_json('null'))": True,
    "isempty(dynamic([]))": False,
}


@pytest.mark.parametrize("cases", [ARRAYS, BAGS, JSON], ids=["arrays", "bags", "json"])
def test_values(cases: dict[str, object]) -> None:
    got = values(list(cases))
    wrong = {
        e: (mine, wanted) for (e, wanted), mine in zip(cases.items(), got, strict=True) if mine != wanted
    }
    assert not wrong


def test_several_sorted_arrays_are_several_columns() -> None:
    table = "datatable(a:dynamic, b:dynamic)[dynamic([2,1]), dynamic(['x','y'])] | "
    assert answer(table + "project array_sort_asc(a, b)") == (
        ["a_sorted:dynamic", "b_sorted:dynamic"],
        [["[1,2]", '["y","x"]']],
    )
    columns, rows = answer(table + "extend (p, q) = array_sort_desc(a, b) | project p, q")
    assert (columns, rows) == (["p:dynamic", "q:dynamic"], [["[2,1]", '["x","y"]']])


def test_columns_as_bags_and_sizes() -> None:
    query = (
        "datatable(a:string, b:long)['xy', 1] | extend p = bag_pack_columns(a, b), q = estimate_data_size(a, b), "
        "r = iscolumnexists('a'), s = iscolumnexists('zz'), t = pack_all() | project-away a, b"
    )
    assert answer(query)[1][0][:4] == ['{"a":"xy","b":1}', 10, True, False]


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("array_sort_asc(dynamic([1]), dynamic([2]))[2]", "the index is one of 0 to 1"),
        ("array_sort_asc('a')", "must be dynamic, this is string"),
        ("array_index_of(dynamic([1]), 1, 0, -1, toint(rand()))", "the occurrence must be a constant"),
        ("bag_pack('a')", "takes pairs of name and value"),
        ("bag_pack_columns(1)", "takes columns"),
        ("bag_set_key(dynamic({}), tostring(rand()), 1)", "the key must be a constant text"),
        ("extract_json('a.b', '{}')", "is no path"),
        ("estimate_data_size(dynamic({}))", "not supported"),
    ],
)
def test_mistakes(expression: str, said: str) -> None:
    assert said in " ".join(mistakes(f"print {expression}"))


def test_timespans_stand_in_a_dynamic_literal_as_they_do_elsewhere() -> None:
    text = "print dynamic([1h, -1.5d, 1e5, 12, '1h', 1.5e-3]), dynamic({'a': 90m})"
    assert answer(text)[1] == [['["01:00:00","-1.12:00:00",100000.0,12,"1h",0.0015]', '{"a":"01:30:00"}']]
    assert mistakes("print dynamic([1x])") == ["'[1x]' is not a dynamic"]
