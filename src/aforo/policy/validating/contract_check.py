"""What the four validation policies have in common when they run: errors, what is done about them, values against what
an operation declares. The texts are API Management's: `Details` for the log and the variable, another for the client.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import orjson

from aforo.csharp.runtime.json_parse import as_array, parse_bytes
from aforo.policy.answers import answer
from aforo.policy.exchange import Exchange, LastError, PolicyFailure
from aforo.policy.running import word
from aforo.policy.subject import Api, Parameter
from aforo.policy.tracing import records as trace_records
from aforo.policy.validating import json_schema

ACTIONS: Final = frozenset(("ignore", "prevent", "detect"))
INTERNAL: Final = "The request could not be processed due to an internal error. Contact the API owner."
_SHOWN: Final = 256
_WHOLE: Final = re.compile(r"[+-]?\d{1,19}\Z", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that does not fit. `public` is what the client is told of it."""

    name: str
    type: str
    rule: str
    details: str
    public: str
    action: str

    def row(self) -> dict[str, str]:
        return {
            "Name": self.name,
            "Type": self.type,
            "ValidationRule": self.rule,
            "Details": self.details,
            "Action": self.action,
        }


def action_of(text: str | None, name: str) -> str:
    return word(text, name, ACTIONS)


def settle(x: Exchange, source: str, found: list[Mistake], variable: str | None) -> None:
    """Puts mistakes where the author wants them, tells a trace, and refuses when one of them is to be prevented: 400 for
    a request, 502 for a response."""
    if not found:
        return
    if variable:
        x.variables[variable] = as_array(parse_bytes(orjson.dumps([m.row() for m in found])))
    for each in found:
        severity = "error" if each.action == "prevent" else "information"
        trace_records.write(x, trace_records.Record(source, severity, each.details, each.row()))
    prevented = [m for m in found if m.action == "prevent"]
    if not prevented:
        return
    inbound = x.section == "inbound"
    status, reason = (400, "Bad request") if inbound else (502, "Response not allowed")
    public = " ".join(dict.fromkeys(m.public for m in prevented))
    details = " ".join(dict.fromkeys(m.details for m in prevented))
    raise PolicyFailure(LastError(source, reason, details, http_status=status), answer(status, public))


def unspecified(kind: str, what: str, name: str, action: str) -> Mistake:
    """A parameter or header that the operation does not declare."""
    details = f"Unspecified {what} {name[:_SHOWN]} is not allowed."
    return Mistake(
        name, kind, "Unspecified", details, INTERNAL if kind == "ResponseHeader" else details, action
    )


def value_mistakes(
    api: Api | None, kind: str, what: str, declared: Parameter, values: list[str], action: str
) -> Iterable[Mistake]:
    """What is wrong with the values of a declared parameter or header; `values` empty: it is not there."""
    hidden = kind == "ResponseHeader"
    name = declared.name

    def mistake(details: str, rule: str = "IncorrectMessage") -> Mistake:
        return Mistake(
            name, kind, rule, details, INTERNAL if hidden or rule != "IncorrectMessage" else details, action
        )

    wrong = f"Value of the {what} {name} does not conform to the definition."
    if not values:
        if declared.required:
            yield mistake(f"{wrong} It is required.")
        return
    if len(values) > 1 and declared.type != "array":
        side = "Response" if hidden else "Request"
        yield mistake(f"{side} cannot contain multiple values for the {what} {name}.")
        return
    for text in values:
        if declared.values and text not in declared.values:
            yield mistake(f"{wrong} It is not one of the allowed values.")
        if declared.type_name:
            yield from _by_schema(api, declared, text, mistake, wrong, what)
        elif not _reads_as(declared.type, text):
            yield mistake(
                f"Value of the {what} {name} cannot be parsed according to the definition. It is no {declared.type}."
            )


def _by_schema(
    api: Api | None, declared: Parameter, text: str, mistake: Any, wrong: str, what: str
) -> Iterable[Mistake]:
    try:
        document, schema = definition(schema_text(api, declared.schema_id), declared.type_name)
        wanted = schema.get("type") if isinstance(schema, dict) else None
        for each in json_schema.mistakes(document, schema, _read(text, wanted)):
            yield mistake(f"{wrong} {each}")
    except json_schema.NoSchema as error:
        yield mistake(
            f"API's schema does not contain definition {declared.type_name}, which is associated with the {what} "
            f"{declared.name}. {error}",
            "MissingDefinition",
        )


def _reads_as(kind: str, text: str) -> bool:
    if kind in ("integer", "int", "long"):
        return _WHOLE.match(text) is not None
    if kind in ("number", "float", "double"):
        return _NUMBER.match(text) is not None
    if kind in ("boolean", "bool"):
        return text.lower() in ("true", "false")
    return True


def _read(text: str, wanted: Any) -> Any:
    """A parameter's text as the JSON value that its schema is about."""
    if wanted == "integer" and _WHOLE.match(text):
        return int(text)
    if wanted == "number" and _NUMBER.match(text):
        return float(text)
    if wanted == "boolean" and text in ("true", "false"):
        return text == "true"
    if wanted == "array":
        return text.split(",")
    return text


def schema_text(api: Api | None, schema_id: str) -> str:
    """The API's schema of that id; NoSchema without it."""
    found = next((s for s in api.schemas if s.id == schema_id), None) if api is not None else None
    if found is None or found.kind != "json":
        raise json_schema.NoSchema("API's schema does not exist or it could not be resolved.")
    return found.text


@lru_cache(maxsize=64)
def _document(text: str) -> Any:
    try:
        return orjson.loads(text)
    except ValueError as error:
        raise json_schema.NoSchema("API's schema does not exist or it could not be resolved.") from error


def definition(text: str, name: str) -> tuple[Any, Any]:
    """(document, schema) of a name in a document: a local reference, or the name of a definition; "" is the whole."""
    document = _document(text)
    if not name:
        return document, document
    if name.startswith("#"):
        return document, json_schema.at(document, name)
    for place in (("components", "schemas"), ("definitions",), ("$defs",)):
        found = document
        for step in (*place, name):
            found = found.get(step) if isinstance(found, dict) else None
        if found is not None:
            return document, found
    raise json_schema.NoSchema(f"There is no definition '{name[:_SHOWN]}'.")
