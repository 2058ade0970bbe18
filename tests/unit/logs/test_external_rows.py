"""Files outside as tables: formats, columns by their declared types, what is not there, what is not sound."""

from __future__ import annotations

import gzip
from typing import Any

import orjson
import pytest

from aforo.logs.evaluate import Evaluator
from aforo.logs.question import FileOutside, OtherWorkspace, Outcome, QueryAnswer, QueryRequest
from aforo.logs.versions import TableVersions

FOLDER = "https://files.example/lists/"
TYPED = "externaldata(s:string, l:long, r:real, d:datetime, t:timespan, g:guid, b:bool, y:dynamic, c:decimal, i:int)"
GUID = "74be27de-1e4e-49d9-b579-fe0b331d3642"


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory: pytest.TempPathFactory) -> Evaluator:
    return Evaluator(TableVersions(tmp_path_factory.mktemp("tables")), memory_bytes=1 << 29, threads=1)


def ask(evaluator: Evaluator, text: str, *files: tuple[str, bytes], **more: Any) -> QueryAnswer:
    came = tuple(FileOutside(FOLDER + name, body, more.pop("encoding", "")) for name, body in files)
    asked: dict[str, Any] = {"workspace_ids": ("w",), "now_us": 0, "external": (("lab", (FOLDER,)),)} | more
    return evaluator.answer(QueryRequest(text=text, files=came, **asked))


def rows(evaluator: Evaluator, text: str, *files: tuple[str, bytes], **more: Any) -> list[Any]:
    answer = ask(evaluator, text, *files, **more)
    assert answer.outcome is Outcome.OK, answer
    found: list[Any] = orjson.loads(b"[" + answer.rows + b"]")
    return found


def failure(evaluator: Evaluator, text: str, *files: tuple[str, bytes]) -> str:
    answer = ask(evaluator, text, *files)
    assert answer.outcome is Outcome.RUNTIME, answer
    return answer.message


def read(name: str, columns: str = "a:string", **properties: str) -> str:
    how = ", ".join(f"{n}={v}" for n, v in properties.items())
    return f"externaldata({columns})['{FOLDER}{name}']" + (f" with ({how})" if how else "")


def test_values_have_the_declared_types(evaluator: Evaluator) -> None:
    line = f'x,-1,2.5,2024-01-01T00:00:00.1234567Z,1.02:03:04.5,{GUID},true,"{{""k"":[1]}}",1.5,7\r\n'
    assert rows(evaluator, f"{TYPED}['{FOLDER}a.csv']", ("a.csv", line.encode())) == [
        [
            "x",
            -1,
            2.5,
            "2024-01-01T00:00:00.1234567Z",
            "1.02:03:04.5000000",
            GUID,
            True,
            '{"k":[1]}',
            "1.5",
            7,
        ]
    ]
    record = {
        "s": "x", "l": -1, "r": 2.5, "d": "2024-01-01T00:00:00.1234567Z", "t": "1.02:03:04.5", "g": GUID,
        "b": True, "y": {"k": [1]}, "c": 1.5, "i": 7,
    }  # fmt: skip
    assert rows(evaluator, f"{TYPED}['{FOLDER}a.json']", ("a.json", orjson.dumps(record))) == [
        [
            "x",
            -1,
            2.5,
            "2024-01-01T00:00:00.1234567Z",
            "1.02:03:04.5000000",
            GUID,
            True,
            '{"k":[1]}',
            "1.5",
            7,
        ]
    ]


def test_what_does_not_convert_or_is_not_there_is_null(evaluator: Evaluator) -> None:
    nothing = [None] * 9
    wrong = b"w,x,x,x,x,x,,,x,99999999999\n"
    assert rows(evaluator, f"{TYPED}['{FOLDER}a.csv']", ("a.csv", wrong + b"short\n,,,,,,,,,\n")) == [
        ["w", *nothing], ["short", *nothing], ["", *nothing]
    ]  # fmt: skip
    assert rows(evaluator, f"{TYPED}['{FOLDER}a.json']", ("a.json", b'{"l":"x","S":"other"}\n{}\n')) == [
        ["", *nothing], ["", *nothing]
    ]  # fmt: skip
    assert rows(evaluator, read("a.csv", "a:long"), ("a.csv", b"1,2,3\n")) == [[1]]


def test_json_in_columns_of_text_and_bags(evaluator: Evaluator) -> None:
    body = b'{"a":{"z":1},"b":"text"}\n{"a":5,"b":null}\n{"a":true,"b":"{}"}\n'
    assert rows(evaluator, read("a.json", "a:string, b:dynamic"), ("a.json", body)) == [
        ['{"z":1}', "text"], ["5", None], ["true", "{}"]
    ]  # fmt: skip
    assert rows(evaluator, read("a.json", "b:dynamic") + " | project gettype(b)", ("a.json", body)) == [
        ["string"], ["null"], ["string"]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "body", "wanted"),
    [
        ("a.csv", b"1,2\n", ["1", "2"]),
        ("a.tsv", b"1\t2\n", ["1", "2"]),
        ("a.psv", b"1|2\n", ["1", "2"]),
        ("a.scsv", b"1;2\n", ["1", "2"]),
        ("a.sohsv", b"1\x012\n", ["1", "2"]),
        ("a.txt", b"1,2\n", ["1,2", ""]),
        ("a.raw", b"1,2\n3", ["1,2\n3", ""]),
        ("a.json", b'{"a":1,"b":2}', ["1", "2"]),
        ("a.multijson", b'[{"a":1,\n"b":2}]', ["1", "2"]),
        ("a.singlejson", b'{"a":1,\n"b":2}', ["1", "2"]),
        ("a", b"1,2\n", ["1", "2"]),
        ("a.unknown", b"1,2\n", ["1", "2"]),
        ("A.CSV.GZ", gzip.compress(b"1,2\n", mtime=0), ["1", "2"]),
        ("a.txt.gz", b"not packed by its server\n", ["not packed by its server", ""]),
    ],
)
def test_formats_by_the_name_of_the_file(
    evaluator: Evaluator, name: str, body: bytes, wanted: list[str]
) -> None:
    assert rows(evaluator, read(name, "a:string, b:string"), (name, body)) == [wanted]
    form = "csv" if name in ("a", "a.unknown") else name.lower().removesuffix(".gz").partition(".")[2]
    given = read(f"{name}?sv=1", "a:string, b:string", format=f"'{form.upper()}'")
    if not name.lower().endswith(".gz"):
        assert rows(evaluator, given, (f"{name}?sv=1", body)) == [wanted]


def test_several_files_are_one_table_and_headers_are_left_out_of_each(evaluator: Evaluator) -> None:
    text = f"external_data(n:int)['{FOLDER}a.csv', '{FOLDER}b.csv'] with (ignoreFirstRecord=true)"
    files = (("a.csv", b"n\n1\n2\n"), ("b.csv", b"n\n3\n"))
    assert rows(evaluator, text, *files) == [[1], [2], [3]]


def test_a_mapping_says_where_values_stand(evaluator: Evaluator) -> None:
    mapping = '[{"Column":"a","Properties":{"Path":"$.x.y"}},{"Column":"b","Properties":{"Path":"$.n[1]"}}]'
    text = read("a.json", "a:string, b:long, c:string", ingestionMapping=f"'{mapping}'")
    assert rows(evaluator, text, ("a.json", b'{"x":{"y":"z"},"n":[4,5]}')) == [["z", 5, ""]]
    by_place = '[{"Name":"b","Ordinal":"0"},{"Column":"a","Properties":{"Ordinal":2}}]'
    text = read("a.csv", "a:string, b:long", ingestionMapping=f"'{by_place}'")
    assert rows(evaluator, text, ("a.csv", b"1,2,3\n4\n")) == [["3", 1], ["", 4]]
    other = read("a.csv", "a:string", ingestionMapping="""'[{"Column":"zz","Properties":{"Ordinal":2}}]'""")
    assert "'zz', which is not declared" in failure(evaluator, other, ("a.csv", b"1\n"))


def test_it_stands_where_tables_stand(evaluator: Evaluator) -> None:
    users = f"externaldata(name:string, team:string)['{FOLDER}users.csv']"
    file = ("users.csv", b"ann,red\nbob,blue\n")
    known = "datatable(name:string)['ann', 'eve']"
    assert rows(evaluator, f"{known} | where name in (({users} | project name))", file) == [["ann"]]
    assert rows(evaluator, f"let u = {users}; {known} | lookup u on name", file) == [
        ["ann", "red"],
        ["eve", ""],
    ]
    assert rows(evaluator, f"let u = {users}; u | join u on name | summarize count()", file) == [[2]]
    assert rows(evaluator, f"print n = toscalar({users} | count)", file) == [[2]]
    assert rows(evaluator, f"let at = '{FOLDER}users.csv'; externaldata(n:string)[at] | count", file) == [[2]]
    bags = read("a.json", "a:dynamic") + " | evaluate bag_unpack(a)"
    assert rows(evaluator, bags, ("a.json", b'{"a":{"p":1,"q":"w"}}')) == [[1, "w"]]


def test_files_that_are_missing_are_asked_for(evaluator: Evaluator) -> None:
    text = f"union (externaldata(a:string)['{FOLDER}a', h'{FOLDER}b?sig=1']), (externaldata(a:long)['{FOLDER}a'])"
    answer = ask(evaluator, text)
    assert (answer.outcome, answer.wanted) == (Outcome.FILES, (f"{FOLDER}a", f"{FOLDER}b?sig=1"))
    assert ask(evaluator, text, ("a", b"")).wanted == (f"{FOLDER}b?sig=1",)


def test_nothing_stays(evaluator: Evaluator) -> None:
    assert rows(evaluator, read("a.csv"), ("a.csv", b"1\n")) == [["1"]]
    assert ask(evaluator, read("a.csv")).outcome is Outcome.FILES
    assert ask(evaluator, "['external 1']").outcome is Outcome.INVALID


@pytest.mark.parametrize(
    ("name", "body", "what"),
    [
        ("a.csv", b'1,"2\n', "Line 1"),
        ("a.csv", b"\xff", "not UTF-8"),
        ("a.json", b'{"a":', "not JSON"),
        ("a.json", b"[1]", "Row 1 is no JSON object"),
        ("a.singlejson", b"{}{}", "one object, not 2"),
        ("a.csv.gz", b"\x1f\x8bnot", "no sound gzip"),
        ("a.csv.gz", gzip.compress(b"0" * 64_000_001, mtime=0), "larger than 64,000,000 bytes"),
    ],
)
def test_what_is_not_sound_is_said_without_secrets(
    evaluator: Evaluator, name: str, body: bytes, what: str
) -> None:
    said = failure(
        evaluator, read(f"{name}?sig=very", format=f"'{name.split('.')[1]}'"), (f"{name}?sig=very", body)
    )
    assert what in said
    assert f"{FOLDER}{name} (externaldata)" in said
    assert "very" not in said


def test_a_packed_answer_is_unpacked(evaluator: Evaluator) -> None:
    packed = gzip.compress(b"1\n", mtime=0)
    assert rows(evaluator, read("a.csv"), ("a.csv", packed), encoding="gzip") == [["1"]]
    assert rows(evaluator, read("a.csv.gz"), ("a.csv.gz", packed), encoding="gzip") == [["1"]]


def refusal(evaluator: Evaluator, text: str, **more: Any) -> Any:
    answer = ask(evaluator, text, **more)
    assert answer.outcome is Outcome.INVALID, answer
    return answer.errors[0]


def test_without_leave_it_says_who_can_give_it(evaluator: Evaluator) -> None:
    text = "externaldata(a:string)[h'https://other.example/x.csv?sig=very']"
    said = refusal(evaluator, text)
    assert "'https://other.example/x.csv' is not allowed" in said.message
    assert "`externalData` of the workspace 'lab'" in said.message
    assert text[said.start : said.end].startswith("h'https://other")
    assert "very" not in said.message + said.token
    # Each of the workspaces that are asked has to allow it.
    both = (("lab", (FOLDER,)), ("other", ()))
    assert "workspace 'other'" in refusal(evaluator, read("a.csv"), external=both).message
    assert "a workspace of a running system" in refusal(evaluator, read("a.csv"), external=()).message


def test_the_function_of_another_workspace_reads_by_its_leave(evaluator: Evaluator) -> None:
    functions = {"F": f"() {{ {read('a.csv')} }}"}
    text = "workspace('two').F"
    there = OtherWorkspace("id-two", ("two",), functions, (FOLDER,))
    more: dict[str, Any] = {"external": (("lab", ()),), "readable": {"w": (), "id-two": ()}}
    assert rows(evaluator, text, ("a.csv", b"1\n"), others=(there,), **more) == [["1"]]
    none = OtherWorkspace("id-two", ("two",), functions)
    more["external"] = (("lab", (FOLDER,)),)
    assert "workspace 'two'" in refusal(evaluator, text, others=(none,), **more).message


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (read("a.parquet"), "the format 'parquet' is not supported"),
        (read("a.csv.zip", format="csv"), "the format 'zip' is not supported"),
        (read("a.csv", format="'avro'"), "the format 'avro' is not supported"),
        (read("a.csv", format="'xls'"), "there is no format 'xls'"),
        (read("a.csv", encoding="'utf8'"), "the property 'encoding'"),
        (read("a.csv", ignoreFirstRecord="7"), "ignoreFirstRecord must be"),
        (read("a.csv", "a:string, a:long"), "there twice"),
        ("externaldata(a:string)[]", "at least one file"),
        ("externaldata(a:string)[strcat('https://x/', tostring(now()))]", "must be a constant"),
        ("externaldata(a:string)['http://files.example/lists/a.csv']", "not listed"),
        ("externaldata(a:string)['file:///etc/passwd']", "only https"),
        (f"externaldata(a:string)['{FOLDER}a.csv;accountkey==']", "semicolon"),
        (f"externaldata(a:string)['{FOLDER}../private']", "up and down"),
        (
            f"externaldata(a:string)[{', '.join(repr(FOLDER + str(i)) for i in range(101))}]",
            "at most 100 files",
        ),
    ],
)
def test_mistakes(evaluator: Evaluator, text: str, what: str) -> None:
    said = refusal(evaluator, text)
    assert what in said.message
    assert "accountkey" not in said.message + said.token
