"""JSON Schema (drafts 4 to 2019-09, and what OpenAPI 3.0 writes beside it) over parsed JSON. It knows no policy.

Written here because what validates is hostile: each step is counted, patterns run against the clock, nothing is fetched.
A keyword that would change the outcome and is not known is refused by name; annotations are not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from ipaddress import IPv4Address, IPv6Address
from time import perf_counter
from typing import Any, Final
from uuid import UUID

import regex

DEEPEST: Final = 200
MOST_ERRORS: Final = 10
STEPS: Final = 500_000
TIME_S: Final = 1.0
_SHOWN: Final = 80
# What would have to be followed to tell whether a value fits.
_UNKNOWN: Final = ("$dynamicRef", "$recursiveRef", "unevaluatedProperties", "unevaluatedItems")
_COMPOSED: Final = ("allOf", "anyOf", "oneOf")


class NoSchema(Exception):  # noqa: N818 - raised to whoever asked, with what is wrong
    """The schema cannot be used: a reference leads nowhere, a pattern is none, a keyword is not known here."""


class _Enough(Exception):  # noqa: N818 - ends the look at the rest
    pass


def at(document: Any, pointer: str) -> Any:
    """What a local reference (`#/components/schemas/a`) means; NoSchema when it leads nowhere."""
    found = document
    if not pointer.startswith("#"):
        raise NoSchema(f"the reference '{pointer}' leads to another document")
    for step in pointer[1:].split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping) and key in found:
            found = found[key]
        elif isinstance(found, list) and key.isascii() and key.isdigit() and int(key) < len(found):
            found = found[int(key)]
        else:
            raise NoSchema(f"the reference '{pointer}' leads nowhere")
    return found


def mistakes(
    document: Any, schema: Any, value: Any, *, additional: bool | None = None, fold_case: bool = False
) -> list[str]:
    """What does not fit, the first ten of it; nothing when the value is valid. `document` is what references are
    local to. `additional` overrides what schemas say of additional properties; `fold_case` ignores the case of names."""
    look = _Look(document, additional, fold_case)
    try:
        look.check(schema, value, "", 0, composed=False)
    except _Enough:
        pass
    except RecursionError as error:
        raise NoSchema("its parts refer to each other without end") from error
    return look.found


class _Look:
    def __init__(self, document: Any, additional: bool | None, fold_case: bool) -> None:
        self.document = document
        self.additional = additional
        self.fold = fold_case
        self.found: list[str] = []
        self.steps = 0
        self.began = perf_counter()

    def say(self, path: str, what: str) -> None:
        self.found.append(f"{what} Path '{path.removeprefix('.')[:200]}'." if path else what)
        if len(self.found) >= MOST_ERRORS:
            raise _Enough

    def step(self, depth: int) -> None:
        self.steps += 1
        if depth > DEEPEST:
            raise NoSchema(f"it is nested more than {DEEPEST} times")
        if self.steps > STEPS or (self.steps % 256 == 0 and perf_counter() - self.began > TIME_S):
            raise NoSchema("validating took too long")

    def fits(self, schema: Any, value: Any, depth: int) -> bool:
        """Whether a value fits a branch; its mistakes are nobody's."""
        kept, self.found = self.found, []
        try:
            self.check(schema, value, "", depth, composed=True)
            return not self.found
        except _Enough:
            return False
        finally:
            self.found = kept

    def check(self, schema: Any, value: Any, path: str, depth: int, *, composed: bool) -> None:
        self.step(depth)
        if schema is True or schema is None:
            return
        if schema is False:
            self.say(path, "No value is allowed here.")
            return
        if not isinstance(schema, Mapping):
            raise NoSchema("a schema is an object")
        for name in _UNKNOWN:
            if name in schema:
                raise NoSchema(f"the keyword '{name}' is not known here")
        if value is None and schema.get("nullable") is True:
            return
        if isinstance(schema.get("$ref"), str):
            self.check(at(self.document, schema["$ref"]), value, path, depth + 1, composed=composed)
        if "type" in schema and not _is_type(schema["type"], value):
            wanted = schema["type"]
            self.say(
                path,
                f"Expected {wanted if isinstance(wanted, str) else ' or '.join(wanted)} but got {_type(value)}.",
            )
            return
        if "enum" in schema and not any(_same(value, e) for e in schema["enum"]):
            self.say(path, "Value is not one of the allowed values.")
        if "const" in schema and not _same(value, schema["const"]):
            self.say(path, "Value is not the only allowed one.")
        if isinstance(value, str):
            self.text(schema, value, path)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            self.number(schema, value, path)
        elif isinstance(value, list):
            self.items(schema, value, path, depth)
        elif isinstance(value, dict):
            self.members(schema, value, path, depth, composed=composed)
        self.branches(schema, value, path, depth)

    def text(self, schema: Mapping[str, Any], value: str, path: str) -> None:
        if "maxLength" in schema and len(value) > schema["maxLength"]:
            self.say(path, f"String is longer than {schema['maxLength']} characters.")
        if "minLength" in schema and len(value) < schema["minLength"]:
            self.say(path, f"String is shorter than {schema['minLength']} characters.")
        if "pattern" in schema and not _matches(schema["pattern"], value):
            self.say(path, "String does not match the pattern.")
        form = _FORMATS.get(str(schema.get("format")))
        if form is not None:
            try:
                form(value)
            except ValueError:
                self.say(path, f"String is not of the format {schema['format']}.")

    def number(self, schema: Mapping[str, Any], value: float, path: str) -> None:
        low, high = schema.get("minimum"), schema.get("maximum")
        under, over = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
        # Draft 4 says by a truth value what later drafts say by a number.
        if under is True:
            under, low = low, None
        if over is True:
            over, high = high, None
        if low is not None and value < low:
            self.say(path, f"Number is less than {low}.")
        if high is not None and value > high:
            self.say(path, f"Number is greater than {high}.")
        if under is not None and under is not False and value <= under:
            self.say(path, f"Number is not greater than {under}.")
        if over is not None and over is not False and value >= over:
            self.say(path, f"Number is not less than {over}.")
        factor = schema.get("multipleOf")
        if factor:
            rest = value / factor
            if isinstance(value, int) and isinstance(factor, int):
                fits = value % factor == 0
            else:
                fits = abs(rest) < 2**53 and abs(rest - round(rest)) < 1e-9
            if not fits:
                self.say(path, f"Number is not a multiple of {factor}.")
        limit = _INTEGERS.get(str(schema.get("format")))
        if limit is not None and not -limit <= value < limit:
            self.say(path, f"Number is not an {schema['format']}.")

    def items(self, schema: Mapping[str, Any], value: list[Any], path: str, depth: int) -> None:
        if "maxItems" in schema and len(value) > schema["maxItems"]:
            self.say(path, f"Array has more than {schema['maxItems']} items.")
        if "minItems" in schema and len(value) < schema["minItems"]:
            self.say(path, f"Array has fewer than {schema['minItems']} items.")
        if schema.get("uniqueItems") is True:
            texts = [json.dumps(v, sort_keys=True) for v in value]
            self.steps += len(texts)
            if len(set(texts)) != len(texts):
                self.say(path, "Array items are not unique.")
        rest = schema.get("items", True)
        first: Sequence[Any] = schema.get("prefixItems", ())
        if isinstance(rest, list):
            first, rest = rest, schema.get("additionalItems", True)
        for index, item in enumerate(value):
            self.check(
                first[index] if index < len(first) else rest,
                item,
                f"{path}[{index}]",
                depth + 1,
                composed=False,
            )
        if "contains" in schema and not any(self.fits(schema["contains"], v, depth + 1) for v in value):
            self.say(path, "Array has no item of the kind that it must contain.")

    def members(
        self, schema: Mapping[str, Any], value: dict[str, Any], path: str, depth: int, *, composed: bool
    ) -> None:
        names = {self.name(n): n for n in value}
        if "maxProperties" in schema and len(value) > schema["maxProperties"]:
            self.say(path, f"Object has more than {schema['maxProperties']} properties.")
        if "minProperties" in schema and len(value) < schema["minProperties"]:
            self.say(path, f"Object has fewer than {schema['minProperties']} properties.")
        required = schema.get("required", ())
        missing = (
            [r for r in required if self.name(r) not in names] if isinstance(required, (list, tuple)) else []
        )
        if missing:
            self.say(path, f"Required properties are missing from object: {', '.join(missing)[:200]}.")
        known: set[str] = set()
        for name, inner in schema.get("properties", {}).items():
            has = names.get(self.name(name))
            if has is not None:
                known.add(has)
                self.check(inner, value[has], f"{path}.{has}", depth + 1, composed=False)
        for pattern, inner in schema.get("patternProperties", {}).items():
            for name in [n for n in value if _matches(pattern, n)]:
                known.add(name)
                self.check(inner, value[name], f"{path}.{name}", depth + 1, composed=False)
        if "propertyNames" in schema:
            for name in value:
                self.check(schema["propertyNames"], name, f"{path}.{name}", depth + 1, composed=False)
        self.additionals(schema, value, known, path, depth, composed=composed)
        for name, needs in {**schema.get("dependencies", {}), **schema.get("dependentRequired", {})}.items():
            if self.name(name) not in names:
                continue
            if isinstance(needs, list):
                for need in (n for n in needs if self.name(n) not in names):
                    self.say(path, f"Property '{name[:_SHOWN]}' needs property '{need[:_SHOWN]}'.")
            else:
                self.check(needs, value, path, depth + 1, composed=True)
        for name, inner in schema.get("dependentSchemas", {}).items():
            if self.name(name) in names:
                self.check(inner, value, path, depth + 1, composed=True)

    def additionals(
        self,
        schema: Mapping[str, Any],
        value: dict[str, Any],
        known: set[str],
        path: str,
        depth: int,
        *,
        composed: bool,
    ) -> None:
        rule = schema.get("additionalProperties", True)
        if self.additional is False:
            # What any part of a composed schema knows is no addition; the whole is asked, not its parts.
            if composed or not self.describes(schema, 0):
                return
            known = known | {n for n in value if self.knows(schema, n, 0)}
            rule = False
        elif self.additional is True and rule is False:
            return
        for name in value:
            if name in known:
                continue
            if rule is False:
                self.say(
                    path,
                    f"Property '{name[:_SHOWN]}' has not been defined and the schema does not allow additional properties.",
                )
            elif rule is not True:
                self.check(rule, value[name], f"{path}.{name}", depth + 1, composed=False)

    def parts(self, schema: Any, depth: int) -> list[Any]:
        """The schemas that speak of the same value."""
        self.step(depth)
        if not isinstance(schema, Mapping):
            return []
        out = [part for word in _COMPOSED for part in schema.get(word, ())]
        if isinstance(schema.get("$ref"), str):
            out.append(at(self.document, schema["$ref"]))
        return out + [schema[w] for w in ("then", "else") if w in schema]

    def describes(self, schema: Any, depth: int) -> bool:
        """Whether it says anything of properties; a schema that does not allows all of them."""
        return isinstance(schema, Mapping) and (
            "properties" in schema or any(self.describes(p, depth + 1) for p in self.parts(schema, depth))
        )

    def knows(self, schema: Any, name: str, depth: int) -> bool:
        if not isinstance(schema, Mapping):
            return False
        own = (self.name(p) == self.name(name) for p in schema.get("properties", {}))
        return (
            any(own)
            or any(_matches(p, name) for p in schema.get("patternProperties", {}))
            or any(self.knows(p, name, depth + 1) for p in self.parts(schema, depth))
        )

    def branches(self, schema: Mapping[str, Any], value: Any, path: str, depth: int) -> None:
        for part in schema.get("allOf", ()):
            self.check(part, value, path, depth + 1, composed=True)
        if "anyOf" in schema and not any(self.fits(p, value, depth + 1) for p in schema["anyOf"]):
            self.say(path, "Value does not match any of the schemas of 'anyOf'.")
        if "oneOf" in schema:
            count = sum(self.fits(p, value, depth + 1) for p in schema["oneOf"])
            if count != 1:
                self.say(path, f"Value matches {count} of the schemas of 'oneOf', not exactly one.")
        if "not" in schema and self.fits(schema["not"], value, depth + 1):
            self.say(path, "Value matches the schema of 'not'.")
        if "if" in schema:
            word = "then" if self.fits(schema["if"], value, depth + 1) else "else"
            if word in schema:
                self.check(schema[word], value, path, depth + 1, composed=True)

    def name(self, name: str) -> str:
        return name.lower() if self.fold else name


def _is_type(wanted: Any, value: Any) -> bool:
    names = [wanted] if isinstance(wanted, str) else wanted
    found = _type(value)
    whole = isinstance(value, float) and value.is_integer()
    return any(
        n == found or (n == "number" and found == "integer") or (n == "integer" and whole) for n in names
    )


def _type(value: Any) -> str:
    for kind, name in (
        (bool, "boolean"),
        (str, "string"),
        (int, "integer"),
        (float, "number"),
        (list, "array"),
        (dict, "object"),
    ):
        if isinstance(value, kind):
            return name
    return "null"


def _same(a: Any, b: Any) -> bool:
    """JSON equality: 1 and 1.0 are one number, true is none."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(v, b[k]) for k, v in a.items())
    return bool(a == b)


def _matches(pattern: Any, text: str) -> bool:
    try:
        return regex.search(str(pattern), text, timeout=TIME_S) is not None
    except regex.error as error:
        raise NoSchema(f"'{str(pattern)[:_SHOWN]}' is no pattern") from error
    except TimeoutError as error:
        raise NoSchema("a pattern took too long") from error


def _moment(text: str) -> None:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", text, re.ASCII):
        raise ValueError
    datetime.fromisoformat(re.sub(r"\.\d+", "", text).upper().replace("Z", "+00:00"))


def _day(text: str) -> None:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        raise ValueError
    date.fromisoformat(text)


def _mail(text: str) -> None:
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", text):
        raise ValueError


# The others are annotations.
_FORMATS: Final[dict[str, Callable[[str], object]]] = {
    "date-time": _moment, "date": _day, "uuid": UUID, "ipv4": IPv4Address, "ipv6": IPv6Address, "email": _mail,
}  # fmt: skip
_INTEGERS: Final = {"int32": 2**31, "int64": 2**63}
