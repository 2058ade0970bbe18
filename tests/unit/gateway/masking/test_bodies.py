"""Bodies as they are kept: JSON, streams cut anywhere, plain texts, what is no text, what was cut off."""

from __future__ import annotations

import itertools
import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aforo.gateway.masking.bodies import BodyRules
from aforo.gateway.masking.detectors import DETECTORS
from aforo.gateway.masking.marks import Marks
from aforo.gateway.masking.written import Finder
from aforo.llm.catalog import WIRES
from aforo.llm.digest import assemble
from aforo.model.field_path import read_path

MARKS = Marks(b"k" * 32)
NONE = Finder({}, MARKS)
ALL = Finder(dict.fromkeys(DETECTORS, "Mask"), MARKS)
SAID = "Write to alice@example.com or pay with 4111 1111 1111 1111, key sk-abcdefghijklmnop1234. Bye"
MASKED = "Write to ***** or pay with *****, key *****. Bye"


def rules(finder: Finder = NONE, **fields: str) -> BodyRules:
    return BodyRules([(read_path(path), mode) for path, mode in fields.items()], finder, MARKS)


def by_path(finder: Finder, *fields: tuple[str, str]) -> BodyRules:
    return BodyRules([(read_path(path), mode) for path, mode in fields], finder, MARKS)


def kept(of: BodyRules, body: bytes, *, cut: bool = False) -> bytes:
    return of.mask(body, cut=cut, told=[])[0]


def test_json_stays_as_it_was_written_but_for_what_was_found() -> None:
    body = b'{ "a" : 1.50, "m": "alice@example.com", "big": 12345678901234567890123 }'
    assert kept(rules(ALL), body) == b'{ "a" : 1.50, "m": "*****", "big": 12345678901234567890123 }'


def test_a_body_without_a_find_is_the_same_bytes() -> None:
    body = b'\xef\xbb\xbf{"a" : "nothing",\r\n"b":[1,2]}'
    assert kept(rules(ALL), body) is body


def test_numbers_that_are_cards_become_texts() -> None:
    assert json.loads(kept(rules(ALL), b'{"card":4111111111111111,"s":"see 4111111111111111, ok"}')) == {
        "card": "*****",
        "s": "see *****, ok",
    }


def test_a_name_that_stands_twice_hides_nothing() -> None:
    for of in (rules(ALL), by_path(ALL, ("$.x", "Mask"))):
        assert b"alice" not in kept(of, b'{"m":"alice@example.com","m":"bob"}')


def test_fields_by_their_modes() -> None:
    body = orjson.dumps(
        {
            "user": "Alice",
            "messages": [{"content": "one"}, {"content": "two", "name": "bob@example.com"}],
            "deep": {"password": "x1"},
            "card": 12,
            "keep": "kept@example.com",
        }
    )
    of = by_path(
        ALL,
        ("$.user", "Hash"),
        ("$.messages[*].content", "Mask"),
        ("$..password", "Hide"),
        ("$['card']", "Mask"),
        ("$.keep", "Keep"),
    )
    assert json.loads(kept(of, body)) == {
        "user": MARKS.hashed("alice"),
        "messages": [{"content": "*****"}, {"content": "*****", "name": "*****"}],
        "deep": {},
        "card": "*****",
        "keep": "kept@example.com",
    }


def test_texts_of_masked_fields_are_told() -> None:
    told: list[str] = []
    by_path(NONE, ("$.user", "Mask"), ("$.card", "Hide")).mask(
        b'{"user":{"n":"Alice"},"card":77}', cut=False, told=told
    )
    assert sorted(told) == ["77", "Alice"]


@pytest.mark.parametrize(
    "body", [b'{"user":"Alice","x', b'{"user":"Alice"}{"user":"Bob"}', b'[{"user":"Alice"}']
)
def test_where_fields_cannot_be_found_nothing_is_kept(body: bytes) -> None:
    assert by_path(NONE, ("$.user", "Mask")).mask(body, cut=True, told=[]) == (b"", True)


@pytest.mark.parametrize("body", [b"\x1f\x8b\x08alice@example.com", b"\xff\xfealice", bytes(range(256))])
def test_what_is_no_text_is_not_kept(body: bytes) -> None:
    assert rules(ALL).mask(body, cut=False, told=[])[0] in (b"", body[:0])


def test_other_encodings_are_read() -> None:
    body = '{"m":"alice@example.com"}'.encode("utf-16")
    assert b"a\0l\0i\0c\0e" not in kept(rules(ALL), body)


def test_the_end_of_a_body_that_was_cut_is_left_out_as_far_as_it_could_be_a_part_of_something() -> None:
    text = "word " * 40 + SAID
    for size in range(200, len(text)):
        for form in (text, json.dumps({"m": text})):
            masked = kept(rules(ALL), form[:size].encode(), cut=True).decode()
            for part in ("alice", "4111", "abcdefgh"):
                assert part not in masked, (size, masked)
    assert kept(rules(ALL), text.encode(), cut=True).startswith(b"word word")


def stream(pieces: list[str], *, ending: str = "\n") -> bytes:
    """A chat stream as a model's provider sends it, one piece of the text in each event."""
    lines = []
    for piece in pieces:
        chunk = {"id": "chatcmpl-1", "choices": [{"index": 0, "delta": {"content": piece}}]}
        lines.append(f"data: {json.dumps(chunk)}{ending}{ending}")
    lines.append(f"data: [DONE]{ending}{ending}")
    return "".join(lines).encode()


def said(body: bytes) -> Any:
    answer, complete = assemble(WIRES["chat"], body)
    assert complete
    return answer["choices"][0]["message"]["content"]


@given(st.sets(st.integers(1, len(SAID) - 1)), st.sampled_from(["\n", "\r\n", "\r"]))
def test_a_stream_split_anywhere_is_masked_as_the_whole(cuts: set[int], ending: str) -> None:
    places = [0, *sorted(cuts), len(SAID)]
    pieces = [SAID[a:b] for a, b in itertools.pairwise(places)]
    masked = kept(rules(ALL), stream(pieces, ending=ending))
    assert said(masked) == MASKED
    assert masked.count(b"data:") == len(pieces) + 1


def test_each_letter_in_an_event_of_its_own() -> None:
    assert said(kept(rules(ALL), stream(list(SAID)))) == MASKED


def test_tool_arguments_and_choices_are_put_together_each_by_itself() -> None:
    events = []
    for number in range(0, len("alice@example.com"), 3):
        part = "alice@example.com"[number : number + 3]
        other = "bob@example.org"[number : number + 3]
        call = {"index": 0, "function": {"arguments": part}}
        events.append({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]})
        events.append({"choices": [{"index": 1, "delta": {"content": other}}]})
    body = "".join(f"data: {json.dumps(e)}\n\n" for e in events).encode()
    masked = kept(rules(ALL), body)
    texts: dict[str, str] = {"a": "", "b": ""}
    for line in masked.decode().split("\n\n")[:-1]:
        delta = json.loads(line.removeprefix("data: "))["choices"][0]["delta"]
        if "content" in delta:
            texts["b"] += delta["content"]
        else:
            texts["a"] += delta["tool_calls"][0]["function"]["arguments"]
    assert texts == {"a": "*****", "b": "*****"}


def test_the_responses_wire_by_detector_and_by_field() -> None:
    deltas = ["my mail is ali", "ce@example", ".com"]
    events: list[dict[str, Any]] = [
        {
            "type": "response.output_text.delta",
            "item_id": "m1",
            "output_index": 0,
            "content_index": 0,
            "delta": d,
        }
        for d in deltas
    ]
    whole = "".join(deltas)
    item = {"type": "message", "content": [{"type": "output_text", "text": whole}]}
    events.append({"type": "response.output_text.done", "item_id": "m1", "text": whole})
    events.append({"type": "response.content_part.done", "part": {"type": "output_text", "text": whole}})
    events.append({"type": "response.output_item.done", "item": item})
    events.append({"type": "response.completed", "response": {"output": [item]}})
    body = "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events).encode()
    masked = kept(rules(ALL), body)
    assert b"example" not in masked
    assert masked.count(b"my mail is") == 5
    hidden = kept(by_path(NONE, ("$.output[*].content[*].text", "Mask")), body)
    assert b"mail" not in hidden
    assert b"example" not in hidden
    assert hidden.count(b"event: ") == len(events)


def test_fields_of_a_stream_are_those_of_the_whole_answer() -> None:
    of = by_path(NONE, ("$.choices[*].message.content", "Hash"))
    assert said(kept(of, stream(["Al", "ice"]))) == MARKS.hashed("alice")


def test_an_event_that_was_cut_off_is_left_out() -> None:
    body = stream(["hello alice@exa"])[:-14] + b'data: {"choices":[{"index":0,"delta":{"content":"mple.com'
    assert kept(rules(ALL), body, cut=True).count(b"data:") == 1


def test_events_that_are_no_json() -> None:
    assert (
        kept(rules(ALL), b"data: mail alice@example.com\n\ndata: (x)\n\n")
        == b"data: mail *****\n\ndata: (x)\n\n"
    )
    assert b"alice" not in kept(rules(ALL), b": alice@example.com\n\ndata: 1\n\n")


def test_a_large_body_is_masked_text_by_text() -> None:
    body = orjson.dumps({"messages": [{"content": "word " * 20_000 + SAID}], "model": "m"})
    masked = json.loads(kept(rules(ALL), body))
    assert masked["messages"][0]["content"].endswith(MASKED)


@given(st.recursive(st.none() | st.integers() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c), max_leaves=20), st.integers(0, 3))  # fmt: skip
def test_no_json_makes_it_fail_and_what_stays_is_json(value: Any, times: int) -> None:
    body = json.dumps({"v": value, "m": "alice@example.com"}, indent=times or None).encode()
    masked = kept(rules(ALL), body)
    assert b"alice" not in masked
    assert json.loads(masked)["m"] == "*****"


@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_make_it_fail(body: bytes, cut: bool) -> None:
    for of in (rules(ALL), by_path(ALL, ("$..a", "Hide"), ("$[0]", "Hash"))):
        for each in (body, b"data: " + body, b"{" + body):
            of.mask(each, cut=cut, told=[])
