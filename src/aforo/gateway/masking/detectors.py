"""Built-in detectors: mail addresses, phone numbers, payment cards, bank accounts, keys. It changes no text.

Every search is linear in the text: each expression begins at a place where no other of its matches could, and repeats
possessively or within a small bound; what needs arithmetic (Luhn, ISO 7064) is computed for candidates alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from aforo.gateway.masking.keys import find_keys

# Begin and end of a match in a text.
Place = tuple[int, int]

# Between the groups of a number: blanks of all kinds, hyphens, and the plus sign that forms write for a blank.
_GAP: Final = "[ +\u00a0\u2009\u202f\u2011-]"

# Each expression begins with a set of characters, which the engine looks for fast; what must not stand before is asked
# behind that first character.
_MAIL = re.compile(r"(?<![\w.%+'-])[\w.%+'-]++@(?:[\w-]++\.)+[^\W\d_][\w-]*+")
_PHONE = re.compile(
    r"[0-9+(](?<![\w+].)(?:"
    # +49 (170) 123-4567, and with 00 instead of the plus sign
    r"(?:(?<=\+)|(?<=0)0(?=[1-9]))(?:[ ./()\u00a0-]{0,2}[0-9]){8,15}(?![0-9])"
    # (206) 555-0100, 206-555-0100
    r"|(?<=\()[2-9][0-9]{2}\)[ .-]?[0-9]{3}[ .-][0-9]{4}(?![\w-])"
    r"|(?<=[2-9])(?<![.-].)[0-9]{2}[ .-][0-9]{3}[ .-][0-9]{4}(?![\w-])"
    # 020 7946 0958, 01 23 45 67 89, 0170/1234567, (030) 123456
    r"|(?:(?<=0)(?<![.,-].)[1-9][0-9]{0,4}[ /\u00a0-]|(?<=\()0[1-9][0-9]{0,4}\)[ /\u00a0-]?)"
    rf"[0-9](?:{_GAP}?[0-9]){{5,9}}(?![\w-]))"
)
_CARD = re.compile(
    r"[0-9](?<![0-9].)(?:[0-9]{12,18}"
    rf"|[0-9]{{3}}({_GAP})[0-9]{{4}}\1[0-9]{{4}}\1[0-9]{{1,4}}(?:\1[0-9]{{1,3}})?"
    rf"|[0-9]{{3}}({_GAP})[0-9]{{6}}\2[0-9]{{4,5}})(?![0-9])"
)
_IBAN_START = re.compile(r"[0-9](?<=[A-Za-z]{2}.)(?<![A-Za-z0-9][A-Za-z]{2}.)[0-9]")
# Lengths by country (the SWIFT registry).
_IBAN_LENGTHS: Final = {
    country: int(length)
    for group in (
        "15 NO", "16 BE", "18 DK FI FO GL NL SD FK", "19 MK SI", "20 AT BA EE KZ LT LU XK MN", "21 CH HR LI LV",
        "22 BG BH CR DE GB GE IE ME RS VA", "23 AE GI IL IQ TL OM SO", "24 AD CZ ES MD PK RO SA SE SK TN VG",
        "25 LY PT ST", "26 IS TR", "27 BI DJ FR GR IT MC MR SM", "28 AL AZ BY CY DO GT HU LB NI PL SV",
        "29 BR EG PS QA UA", "30 JO KW MU", "31 MT SC", "32 LC", "33 RU",
    )
    for length, *countries in (group.split(),)
    for country in countries
}  # fmt: skip
_IBAN_REST: Final = {
    length: re.compile(rf"(?:{_GAP}?[A-Za-z0-9]){{{length - 4}}}(?![A-Za-z0-9])")
    for length in set(_IBAN_LENGTHS.values())
}
_ZERO: Final = ord("0")
_DOUBLED: Final = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))
_MOST_DOUBTS: Final = 1_000  # numbers of a text that looked like a card's and were none
_NOT_ALPHANUMERIC: Final = re.compile(r"[^A-Z0-9]")


def find_mails(text: str) -> Iterator[Place]:
    if "@" not in text:
        return
    for found in _MAIL.finditer(text):
        start, end = found.span()
        # Quotes and hyphens before it are the sentence's.
        while start < end and not (text[start].isalnum() or text[start] == "_"):
            start += 1
        if text[start] != "@":
            yield start, end


def find_phones(text: str) -> Iterator[Place]:
    for found in _PHONE.finditer(text):
        yield found.span()


def find_cards(text: str) -> Iterator[Place]:
    at = doubts = 0
    while found := _CARD.search(text, at):
        start, end = found.span()
        gap = found[1] or found[2]
        # The last group may belong to what follows: 4111 1111 1111 1111 123.
        for upto in (end, start + 19) if end > start + 19 else (end,):
            digits = text[start:upto].replace(gap, "") if gap else text[start:upto]
            # Made of nothing but numbers in groups of four, a text is taken at its worst instead of computed for ever.
            if doubts > _MOST_DOUBTS or (is_card(digits) and not text[upto : upto + 1].isdigit()):
                yield start, upto
                at = upto
                break
        else:
            doubts += 1
            # Its first group may belong to what stands before: 2024 4111 1111 1111 1111.
            at = start + 5 if gap else end


def is_card(digits: str) -> bool:
    """Whether a scheme gives out such numbers, and the check digit is right."""
    size = len(digits)
    first, two = digits[:1], digits[:2]
    scheme = (
        (first == "4" and size in (13, 16, 19))
        or (size == 16 and ("51" <= two <= "55" or "2221" <= digits[:4] <= "2720"))
        or (size == 15 and two in ("34", "37"))
        or (14 <= size <= 19 and (two in ("36", "38", "39") or "300" <= digits[:3] <= "305"))
        or (16 <= size <= 19 and (two in ("35", "62", "64", "65", "81") or digits[:4] == "6011"))
        or (13 <= size <= 19 and two in ("50", "56", "57", "58", "63", "67"))
    )
    return scheme and luhn(digits)


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    data = digits.encode()
    return (
        sum(data[-1::-2]) - _ZERO * ((len(data) + 1) // 2) + sum(data[-2::-2].translate(_DOUBLED))
    ) % 10 == 0


def find_ibans(text: str) -> Iterator[Place]:
    at = 0
    while found := _IBAN_START.search(text, at):
        start, at = found.start() - 2, found.end()
        length = _IBAN_LENGTHS.get(text[start : start + 2].upper())
        rest = _IBAN_REST[length].match(text, at) if length is not None else None
        if rest is not None and is_iban(text[start : rest.end()]):
            at = rest.end()
            yield start, at


def is_iban(text: str) -> bool:
    """Whether the check digits are right (ISO 7064, MOD 97-10)."""
    plain = _NOT_ALPHANUMERIC.sub("", text.upper())
    return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


# In the order in which they claim a text: what is surest first.
DETECTORS: Final[dict[str, Callable[[str], Iterator[Place]]]] = {
    "key": find_keys,
    "email": find_mails,
    "iban": find_ibans,
    "card": find_cards,
    "phone": find_phones,
}
