"""What detectors find in texts, what they leave, and that no text makes them slow."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aforo.gateway.masking.detectors import DETECTORS, is_card, luhn
from aforo.gateway.masking.marks import Marks
from aforo.gateway.masking.written import Finder
from aforo.model.kinds import data_masking

MARKS = Marks(b"k" * 32)
ALL = Finder(dict.fromkeys(DETECTORS, "Mask"), MARKS)

FOUND = {
    "email": [
        "alice@example.com",
        "o'brien.x+tag@sub.example.co.uk",
        "józef@przykład.pl",
        "a_b%c@example.museum",
    ],
    "phone": [
        "+49 170 1234567",
        "+1 (206) 555-0100",
        "0049 30 901820",
        "206-555-0100",
        "(206) 555-0100",
        "020 7946 0958",
        "01 23 45 67 89",
        "0170/1234567",
    ],
    "card": [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "378282246310005",
        "3782 822463 10005",
        "5555555555554444",
        "2223003122003222",
        "30569309025904",
        "6011111111111117",
    ],
    "iban": [
        "DE89370400440532013000",
        "DE89 3704 0044 0532 0130 00",
        "GB29 NWBK 6016 1331 9268 19",
        "fr1420041010050500013m02606",
        "NO9386011117947",
    ],
    "key": [
        "sk-proj-abcdefghijklmnop1234",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_" + "a1B2" * 9,
        "0123456789abcdef0123456789ABCDEF",
        "A" * 30 + "b1" * 11 + "JQQJ9" + "9BAC" * 6 + "xyz",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
        "A1b+" * 21 + "xy==",
        # Put together here: no file of the repository may hold one.
        "-----BEGIN {0}-----\nMIIE\nabc\n-----END {0}-----".format("RSA PRIVATE" + " KEY"),
    ],
}
LEFT = [
    "at 10:45 on 2024-05-01, 01/02/2024 and 01.02.2024",
    "it cost 1234.50 of 100,000,000 and pi is 3.14159265358979",
    "1700000000 1700000000123 1700000000123456789",
    "192.168.100.200 and 2001:db8::1",
    "user@localhost, @alice, a @ b, foo@",
    "4111111111111112",
    "1234 5678 9012 3456",
    "DE00370400440532013000",
    "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
    "sk-short, AKIA, eyJ.a.b, Bearer",
    '{"created":1700000000,"max_tokens":128,"prompt_tokens":12}',
    "gpt-4o-2024-08-06 chatcmpl-9AbCdEf",
]


@pytest.mark.parametrize(("detector", "text"), [(d, t) for d, texts in FOUND.items() for t in texts])
@pytest.mark.parametrize(
    ("before", "behind"), [("", ""), ("call ", ", please"), ('"', '"'), ("(", ")."), ("x: ", "\n")]
)
def test_found_as_a_whole(detector: str, text: str, before: str, behind: str) -> None:
    finder = Finder({detector: "Mask"}, MARKS)
    assert finder.mask(f"{before}{text}{behind}") == f"{before}*****{behind}"


@pytest.mark.parametrize("text", LEFT)
def test_left_as_it_is(text: str) -> None:
    assert ALL.mask(text) == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("2024 4111 1111 1111 1111", "2024 *****"),
        ("4111 1111 1111 1111 123", "***** 123"),
        ("IBAN DE89 3704 0044 0532 0130 00 BANK", "IBAN ***** BANK"),
        ("AccountName=x;AccountKey=abcdefgh==;Suffix=y", "AccountName=x;AccountKey=*****;Suffix=y"),
        ('"password": "hunter2!"', '"password": "*****"'),
        ("mailto:a@b.co?x", "mailto:*****?x"),
    ],
)
def test_neighbours_stay(text: str, left: str) -> None:
    assert ALL.mask(text) == left


@pytest.mark.parametrize(
    "text",
    [
        r'{"m":"a\u006cice\u0040example.com"}',
        r'{"m":"say\nalice@example.com\tnow"}',
        r'{"arguments":"{\"m\":\"alice@example.com\",\"n\":\"\\u0061lice\\u0040example.com\"}"}',
        "q=alice%40example.com&n=1",
        "n=1&card=4111+1111+1111+1111",
        "q=alice%2540example.com",
        "<m>alice&#64;example.com</m><m>alice&#x40;example.com</m>",
        r'"alice\u0040example.com',  # cut off
    ],
)
def test_found_where_it_is_escaped(text: str) -> None:
    masked = ALL.mask(text)
    assert "*****" in masked
    assert "example" not in masked
    assert "1111" not in masked


def test_escapes_stay_what_they_were() -> None:
    assert ALL.mask(r'{"m":"one\ntwo \"x\" alice@example.com","n":"a\\b"}') == (
        r'{"m":"one\ntwo \"x\" *****","n":"a\\b"}'
    )


def test_hashes_join_values_however_they_are_written() -> None:
    finder = Finder(dict.fromkeys(DETECTORS, "Hash"), MARKS)

    def of(text: str) -> str:
        return finder.mask(text)

    assert of("Alice@Example.com") == of("alice@example.com") == MARKS.hashed(" ALICE@example.com")
    assert of("4111 1111 1111 1111") == of("4111-1111-1111-1111") == of("4111111111111111")
    assert of("DE89 3704 0044 0532 0130 00") == of("de89370400440532013000")
    assert of("alice@example.com") != of("bob@example.com")
    assert of("alice@example.com") != Finder({"email": "Hash"}, Marks(b"o" * 32)).mask("alice@example.com")
    assert of(of("alice@example.com")) == of("alice@example.com")


def test_the_detectors_that_can_be_asked_for_are_those_that_there_are() -> None:
    assert set(data_masking.DETECTORS) == set(DETECTORS)


@given(st.integers(0, 10**15 - 1))
def test_luhn_agrees_with_its_definition(number: int) -> None:
    digits = f"4{number:015d}"
    total = 0
    for place, c in enumerate(reversed(digits)):
        value = int(c) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    assert luhn(digits) == is_card(digits) == (total % 10 == 0)


@given(
    st.text(max_size=60),
    st.sampled_from([t for texts in FOUND.values() for t in texts if "PRIVATE" not in t]),
)
def test_found_after_any_text_that_ends_in_a_blank(text: str, secret: str) -> None:
    assert secret not in ALL.mask(f"{text} {secret} ")


HOSTILE = ["@", "a@", "a.", "1", "4111 ", "1 ", "eyJ", "eyJ.", "sk-", "+1", "00", "+(", '"\\', '\\"', "%41", "DE89 ",
           "QUJD", "password=", "&#6", "a@b.co ", "-----BEGIN ", "a1b2", "password", "0", "(2", "%", "\\u0040"]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_time_grows_with_the_length_and_no_faster(piece: str) -> None:
    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        best = 9.0
        for _ in range(3):
            began = time.process_time()
            Finder(dict.fromkeys(DETECTORS, "Mask"), MARKS).edits(text)
            best = min(best, time.process_time() - began)
        return best

    # Four times the text: a quadratic search takes sixteen times as long.
    assert seconds(16_000) < 10 * seconds(4_000) + 0.005


def test_what_takes_too_long_is_masked_as_a_whole() -> None:
    now = [0.0]
    finder = Finder({"email": "Mask"}, MARKS, clock=lambda: now[0])
    finder.begin()
    assert finder.mask("nothing here") == "nothing here"
    now[0] = 10.0
    assert finder.mask("nothing here") == "*****"
    finder.begin()
    assert finder.mask("nothing here") == "nothing here"


def test_long_texts_are_looked_at_in_pieces_that_cut_nothing() -> None:
    text = "".join(f"word{i}@example.com, 4111 1111 1111 1111\n" for i in range(3_000))
    assert len(text) > 100_000
    assert ALL.mask(text) == "*****, *****\n" * 3_000
    one = "x" * 70_000 + "@example.com"
    assert ALL.mask(one + " y") == "***** y"
