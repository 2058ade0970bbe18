"""Patterns as .NET writes them, written for `regex`; and .NET's numbers of their groups: those with names come last."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from aforo.csharp.runtime.exceptions import ArgumentException

_COUNT: Final = re.compile(r"\{\d+(?:,\d*)?\}")
_NAMED: Final = re.compile(r"\(\?(?:<(\w+)>|'(\w+)')")
_BALANCING: Final = re.compile(r"\(\?[<'](?:\w+)?-\w+[>']")
_FLAGS: Final = re.compile(r"\(\?([imnsx]*)(?:-([imnsx]*))?([:)])")
_CONDITION: Final = re.compile(r"\(\?\((\w+)\)")
_REFERENCE: Final = re.compile(r"\\k(?:<(\w+)>|'(\w+)')")
_DIGITS: Final = re.compile(r"\\([1-9]\d*)")
_OCTAL: Final = re.compile(r"\\([0-7]{1,3})")
_HEX: Final = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4})")
_CATEGORY: Final = re.compile(r"\\[pP]\{[\w-]+\}")
_BLOCK: Final = re.compile(r"(?<=\{)Is([\w-]+)")
_KEPT: Final = "dDsSwWtrnf"
_CODES: Final = {"a": "\\x07", "e": "\\x1b", "v": "\\x0b"}
_ANCHORS: Final = {"z": r"\Z", "Z": r"(?=\n?\Z)", "A": r"\A", "G": r"\G", "b": r"\b", "B": r"\B"}
_DEEPEST: Final = 50


@dataclass(frozen=True, slots=True)
class Numbering:
    """`slots`: .NET's number of a group to the one it has in Python, in order; `names`: those that have a name."""

    slots: dict[int, int]
    names: dict[int, str]

    def name(self, number: int) -> str:
        return self.names.get(number, str(number))

    def number(self, name: str) -> int:
        """-1 where there is none."""
        if name.isdecimal():
            return int(name) if int(name) in self.slots else -1
        return next((number for number, own in self.names.items() if own == name), -1)


def wrong(reason: str) -> ArgumentException:
    return ArgumentException(f"parsing the pattern failed - {reason}")


def translated(pattern: str, options: int) -> tuple[str, Numbering]:
    """Raises ArgumentException for what .NET does not take, and for balancing groups."""
    if _BALANCING.search(pattern):
        raise wrong("balancing groups do not exist in our regular expressions")
    reader = _Reader(pattern, options)
    reader.all()
    return reader.finished()


@dataclass(slots=True)
class _Reader:
    pattern: str
    options: int
    at: int = 0
    # What is written; a number or name is a reference to a group, which is not known before the end.
    out: list[str | tuple[str, str]] = field(default_factory=list)
    groups: int = 0
    plain: list[int] = field(default_factory=list)
    named: dict[str, int] = field(default_factory=dict)
    explicit: bool = False
    verbose: bool = False
    open: list[tuple[bool, bool]] = field(default_factory=list)

    def all(self) -> None:
        self.explicit, self.verbose = bool(self.options & 4), bool(self.options & 32)
        while self.at < len(self.pattern):
            c = self.pattern[self.at]
            if c == "\\":
                self.escape()
            elif c == "[":
                self.out.append(self.char_class(0))
            elif c == "(":
                self.group()
            elif c == ")":
                if self.open:
                    self.explicit, self.verbose = self.open.pop()
                self.take(1)
            elif c == "#" and self.verbose:
                end = self.pattern.find("\n", self.at)
                self.take((len(self.pattern) if end < 0 else end) - self.at)
            elif c in "*+?{":
                self.repetition()
            else:
                self.take(1)

    def take(self, size: int) -> None:
        self.out.append(self.pattern[self.at : self.at + size])
        self.at += size

    def put(self, text: str, size: int) -> None:
        self.out.append(text)
        self.at += size

    def repetition(self) -> None:
        found = _COUNT.match(self.pattern, self.at)
        if self.pattern[self.at] == "{" and found is None:
            self.put("\\{", 1)
            return
        self.take(len(found[0]) if found else 1)
        if self.pattern.startswith("?", self.at):
            self.take(1)
        if self.pattern[self.at : self.at + 1] in ("*", "+", "?") or _COUNT.match(self.pattern, self.at):
            raise wrong("a quantifier behind a quantifier")

    # --- groups ----------------------------------------------------------------------------------------------------

    def group(self) -> None:
        if self.pattern.startswith("(?#", self.at):
            end = self.pattern.find(")", self.at)
            self.at = len(self.pattern) if end < 0 else end + 1
            return
        flags = _FLAGS.match(self.pattern, self.at)
        if flags is not None and flags[0] != "(?)":
            self.flags(flags)
            return
        state = (self.explicit, self.verbose)
        named = _NAMED.match(self.pattern, self.at)
        if named is not None:
            name = named[1] or named[2]
            if name not in self.named:
                self.groups += 1
                self.named[name] = self.groups
            self.put(f"(?P<{_own(name)}>", len(named[0]))
        elif self.pattern.startswith("(?(", self.at):
            self.condition()
        elif self.pattern.startswith("(?", self.at):
            head = next(
                (
                    h
                    for h in ("(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>")
                    if self.pattern.startswith(h, self.at)
                ),
                None,
            )
            if head is None:
                raise wrong("an unknown kind of group")
            self.take(len(head))
        elif self.pattern.startswith("(*", self.at):
            raise wrong("a quantifier behind nothing")
        elif self.explicit:
            self.put("(?:", 1)
        else:
            self.groups += 1
            self.plain.append(self.groups)
            self.take(1)
        self.open.append(state)

    def flags(self, found: re.Match[str]) -> None:
        on, off, last = found[1], found[2] or "", found[3]
        if last == ":":
            self.open.append((self.explicit, self.verbose))
        self.explicit = (self.explicit or "n" in on) and "n" not in off
        self.verbose = (self.verbose or "x" in on) and "x" not in off
        on, off = on.replace("n", ""), off.replace("n", "")
        written = on + (f"-{off}" if off else "")
        self.put(f"(?{written}{last}" if written or last == ":" else "", len(found[0]))

    def condition(self) -> None:
        """`(?(1)a|b)`, `(?(name)a|b)`, `(?(?=x)a|b)` and `(?(x)a|b)`, which looks ahead for x."""
        found = _CONDITION.match(self.pattern, self.at)
        if found is not None and (
            found[1].isdecimal() or re.search(rf"\(\?[<']{found[1]}[>']", self.pattern)
        ):
            self.out += ["(?(", ("number", found[1]), ")"]
            self.at += len(found[0])
        elif self.pattern.startswith("(?(?", self.at):
            self.put("(?", 2)
        else:
            self.put("(?(?=", 3)
            self.open.append((self.explicit, self.verbose))

    # --- escapes ---------------------------------------------------------------------------------------------------

    def escape(self) -> None:
        reference = _REFERENCE.match(self.pattern, self.at)
        digits = _DIGITS.match(self.pattern, self.at)
        following = self.pattern[self.at + 1 : self.at + 2]
        if reference is not None:
            self.out.append(("reference", reference[1] or reference[2]))
            self.at += len(reference[0])
        elif digits is not None:
            self.out.append(("digits", digits[1]))
            self.at += len(digits[0])
        elif following in _ANCHORS:
            self.put(_ANCHORS[following], 2)
        else:
            self.out.append(self.char())

    def char(self) -> str:
        """What a backslash begins, in a class or outside."""
        following = self.pattern[self.at + 1 : self.at + 2]
        if not following:
            raise wrong("a backslash at the end")
        for kind in (_HEX, _CATEGORY):
            found = kind.match(self.pattern, self.at)
            if found is not None:
                self.at += len(found[0])
                return _BLOCK.sub(_block, found[0])
        octal = _OCTAL.match(self.pattern, self.at)
        if octal is not None:
            self.at += len(octal[0])
            return f"\\x{int(octal[1], 8) & 0xFF:02x}"
        if following == "c":
            letter = self.pattern[self.at + 2 : self.at + 3].upper()
            if not "@" <= letter <= "_":
                raise wrong("an unknown control character")
            self.at += 3
            return f"\\x{ord(letter) - 64:02x}"
        if following.isalnum() and following not in _KEPT and following not in _CODES and following != "b":
            raise wrong(f"the unknown escape \\{following}")
        self.at += 2
        if following == "_" or not following.isascii():
            return following
        return _CODES.get(following, "\\" + following)

    def char_class(self, depth: int) -> str:
        if depth > _DEEPEST:
            raise wrong("classes that are nested too deeply")
        out = ["["]
        self.at += 1
        if self.pattern.startswith("^", self.at):
            out.append("^")
            self.at += 1
        first = True
        while self.at < len(self.pattern):
            c = self.pattern[self.at]
            if c == "]" and not first:
                self.at += 1
                return "".join((*out, "]"))
            if self.pattern.startswith("-[", self.at) and not first:
                self.at += 1
                without = self.char_class(depth + 1)
                if not self.pattern.startswith("]", self.at):
                    raise wrong("a subtraction that does not end its class")
                self.at += 1
                base = "".join((*out, "]"))
                back = self.options & 64
                return f"(?:{base}(?<!{without}))" if back else f"(?:(?!{without}){base})"
            first = False
            if c == "\\":
                out.append(self.char())
            else:
                out.append("\\" + c if c in "[]" else c)
                self.at += 1
        raise wrong("a class without its end")

    # --- numbers ---------------------------------------------------------------------------------------------------

    def finished(self) -> tuple[str, Numbering]:
        slots = {0: 0, **dict(enumerate(self.plain, 1))}
        for name, group in self.named.items():
            if name.isdecimal():
                slots.setdefault(int(name), group)
        names: dict[int, str] = {}
        following = len(self.plain)
        for name, group in self.named.items():
            if not name.isdecimal():
                following += 1
                while following in slots:
                    following += 1
                slots[following] = group
                names[following] = name
        numbering = Numbering(dict(sorted(slots.items())), names)
        return "".join(p if isinstance(p, str) else _reference(*p, numbering) for p in self.out), numbering


def _block(found: re.Match[str]) -> str:
    """`IsLatin-1Supplement` is a block of characters in .NET."""
    return "In" + found[1].replace("-", "")


def _own(name: str) -> str:
    """A group with a number for a name has another one in Python, where names are no numbers."""
    return f"_number_{name}" if name.isdecimal() else name


def _reference(kind: str, written: str, numbering: Numbering) -> str:
    number = numbering.number(written)
    if number >= 0:
        group = numbering.slots[number]
        return str(group) if kind == "number" else f"\\g<{group}>"
    octal = re.match(r"[0-7]{1,3}", written)
    if kind != "digits" or len(written) == 1 or octal is None:
        raise wrong(f"a reference to the group {written}, which is not there")
    return f"\\x{int(octal[0], 8) & 0xFF:02x}" + written[len(octal[0]) :]
