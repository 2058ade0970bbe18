"""`validate-content`: holds a body to a size and to a schema, JSON or XML."""

from __future__ import annotations

import ast
from dataclasses import dataclass

import orjson

from aforo.policy import diagnostics as say
from aforo.policy.emit import Emitter, Use, Value
from aforo.policy.exchange import Exchange
from aforo.policy.pipeline import Effects
from aforo.policy.running import answer, header_text, truth, whole_number
from aforo.policy.scopes import Section
from aforo.policy.spec import Attribute, Child, Element
from aforo.policy.subject import Representation, Schema
from aforo.policy.validating import contract_syntax as syntax
from aforo.policy.validating import json_schema, xml_reading, xml_schema
from aforo.policy.validating.contract_check import INTERNAL, Mistake, definition, schema_text, settle

_NAME = "validate-content"


@dataclass(frozen=True, slots=True)
class Rule:
    """One `content`. `kind` is json, xml or soap."""

    type: str | None
    kind: str | None
    schema_id: str | None
    schema_ref: str | None
    action: str
    additional: str | None
    fold_case: str | None


@dataclass(frozen=True, slots=True)
class Map:
    """`content-type-map`: (from, when, to) in order, and the two general answers."""

    whatever: str | None
    missing: str | None
    types: tuple[tuple[str | None, bool, str | None], ...]


def validate(
    x: Exchange,
    unlisted: str,
    max_size: int,
    too_large: str,
    mapped: Map | None,
    rules: tuple[Rule, ...],
    variable: str | None,
) -> None:
    """Size first, then the content type, then the body against each rule for that type."""
    inbound = x.section == "inbound"
    message = x.request if inbound else answer(x)
    side, kind = ("Request", "RequestBody") if inbound else ("Response", "ResponseBody")
    data = message.body.shown() or b""
    raw = message.headers.get(b"content-type")
    media = header_text(raw).partition(";")[0].strip().lower() if raw is not None else ""
    if not data and not media:
        return
    found: list[Mistake] = []

    def mistake(rule: str, details: str, action: str, public: str = "", name: str = "") -> Mistake:
        return Mistake(name, kind, rule, details, public if inbound and public else INTERNAL, action)

    if too_large != "ignore" and len(data) > max_size:
        size = f"{side}'s body is {len(data)} bytes long and it exceeds the"
        details = f"{size} configured limit of {max_size} bytes."
        found.append(mistake("SizeLimit", details, too_large, f"{size} limit of {max_size} bytes."))
        settle(x, _NAME, found, variable)
        return
    if mapped is not None:
        media = _mapped(mapped, media)
    declared = _declared(x, inbound)
    meant = [r for r in rules if (r.type or "").strip().lower() in ("", media)]
    meant = [r for r in meant if (r.type or "").strip() or any(d.content_type == media for d in declared)]
    if not meant and unlisted != "ignore" and not any(d.content_type == media for d in declared):
        details = f"Unspecified content type {media[:256]} is not allowed."
        found.append(mistake("Unspecified", details, unlisted, details, media))
    for rule in meant:
        if rule.action == "ignore":
            continue
        word = "request" if inbound else "response"
        try:
            name, wrong = _checked(x, rule, media, declared, data)
        except json_schema.NoSchema as error:
            found.append(Mistake("", "ApiSchema", "", str(error), INTERNAL, rule.action))
            continue
        about = f"the definition {name}, which is associated with " if name else ""
        for each in wrong:
            details = f"Body of the {word} does not conform to {about}the content type {media}. {each}"
            found.append(mistake("IncorrectMessage", details, rule.action, details, media))
    settle(x, _NAME, found, variable)


def _mapped(mapped: Map, media: str) -> str:
    for start, holds, to in mapped.types:
        if holds or (start is not None and start.strip().lower() == media):
            return (to or "").strip().lower()
    if not media and mapped.missing:
        return mapped.missing.strip().lower()
    return mapped.whatever.strip().lower() if mapped.whatever else media


def _declared(x: Exchange, inbound: bool) -> tuple[Representation, ...]:
    if x.operation is None:
        return ()
    contract = x.operation.contract
    if inbound:
        return contract.bodies
    status = answer(x).status
    return next((a.bodies for a in contract.answers if a.status == status), ())


def _checked(
    x: Exchange, rule: Rule, media: str, declared: tuple[Representation, ...], data: bytes
) -> tuple[str, list[str]]:
    """(name of the definition, what does not fit it)."""
    kind = (rule.kind or "").strip().lower()
    schema_id = (rule.schema_id or "").strip()
    of_type = next((d for d in declared if d.content_type == media), None)
    if kind in ("xml", "soap"):
        return schema_id, _xml(x, schema_id, of_type, data, soap=kind == "soap")
    if kind != "json":
        raise json_schema.NoSchema(f"'{kind[:64]}' is no way to validate; json, xml and soap are.")
    name = (rule.schema_ref or "").strip()
    if schema_id:
        text = _of_service(x, schema_id, "json").text
    else:
        if of_type is None or not of_type.schema_id:
            raise json_schema.NoSchema("API's schema does not exist or it could not be resolved.")
        text = schema_text(x.api, of_type.schema_id)
        name = name or of_type.type_name
    document, schema = definition(text, name)
    try:
        value = orjson.loads(data)
    except ValueError:
        return name, ["The body is not JSON."]
    additional = None if rule.additional is None else truth(rule.additional, "allow-additional-properties")
    fold = rule.fold_case is not None and truth(rule.fold_case, "case-insensitive-property-names")
    return name, json_schema.mistakes(document, schema, value, additional=additional, fold_case=fold)


def _xml(
    x: Exchange, schema_id: str, of_type: Representation | None, data: bytes, *, soap: bool
) -> list[str]:
    """Whether it is XML without a document type, for SOAP an envelope, and fits its schema where it has one."""
    schema = None
    if schema_id:
        schema = _of_service(x, schema_id, "xml")
    elif of_type is not None and of_type.schema_id and x.api is not None:
        # The whole description of a SOAP API may stand there in words that are no schema of ours.
        held = (s for s in x.api.schemas if s.id == of_type.schema_id and s.kind == "xml")
        schema = next(held, None)
    try:
        root = xml_reading.look(data).root
    except xml_reading.NotXml as error:
        return [f"The body cannot be read: {error}. Line: {error.line}, Position: {error.column}."]
    if soap and root not in [f"{space} Envelope" for space in xml_schema.SOAP]:
        return ["The body is no SOAP envelope."]
    if schema is None:
        return []
    try:
        return xml_schema.compiled(schema.text).mistakes(data, soap=soap)
    except xml_schema.BrokenSchema as error:
        raise json_schema.NoSchema(f"The schema cannot be used: {error.message}.") from error


def _of_service(x: Exchange, schema_id: str, kind: str) -> Schema:
    held = next((s for s in x.services.deployment.schemas if s.id.lower() == schema_id.lower()), None)
    if held is None or held.kind != kind:
        raise json_schema.NoSchema("API's schema does not exist or it could not be resolved.")
    return held


def write(use: Use, emit: Emitter) -> None:
    values: list[Value] = []
    unlisted = syntax.action_code(use, emit, "unspecified-content-type-action", values)
    too_large = syntax.action_code(use, emit, "size-exceeded-action", values)
    size = emit.value(use, "max-size")
    rules = [_rule(each, emit, values) for each in use.children.get("content", ())]
    mapped = _map(use.child("content-type-map"), emit, values)
    if unlisted is None or too_large is None or size is None:
        return
    inbound = emit.unit.section is Section.INBOUND
    emit.site(use, size, *values)
    emit.await_effects(Effects(reads_request_body=inbound, reads_response_body=not inbound))
    words = [a.text for c in use.children.get("content", ()) if (a := c.attributes.get("action")) is not None]
    actions = (unlisted, too_large, *(word.strip().lower() for word in words))
    if emit.unit.section is Section.OUTBOUND and any(a not in ("ignore", "detect") for a in actions):
        emit.facts.effects |= Effects(holds_response=True)
        emit.report(say.holds_streams(use.span, use.name, "it may refuse the answer"))
    limit = emit.number(size, "max-size", 0, 2**40) if size.const is not None else emit.expr(
        "F(V, 'max-size', 0, L)", F=whole_number, V=size, L=2**40
    )  # fmt: skip
    emit.do(
        "VALIDATE(x, UNLISTED, SIZE, LARGE, MAP, RULES, VARIABLE)",
        VALIDATE=validate,
        UNLISTED=unlisted,
        SIZE=limit,
        LARGE=too_large,
        MAP=mapped,
        RULES=ast.Tuple([r for r in rules if r is not None], ast.Load()),
        VARIABLE=syntax.variable(use, emit),
    )


def _rule(use: Use, emit: Emitter, values: list[Value]) -> ast.expr | None:
    names = (
        "type",
        "validate-as",
        "schema-id",
        "schema-ref",
        "allow-additional-properties",
        "case-insensitive-property-names",
    )
    parts = {name: emit.value(use, name) for name in names}
    action = syntax.action_code(use, emit, "action", values)
    kind = parts["validate-as"]
    if kind is None or action is None:
        return None
    if kind.const is not None and kind.const.strip().lower() != "json":
        for name in names[3:]:
            given = parts[name]
            if given is not None:
                emit.report(say.says_nothing(given.span, f"content validate-as={kind.const.strip()}", name))
    values += [v for v in parts.values() if v is not None]
    return emit.expr(
        "RULE(T, K, S, R, A, E, C)",
        RULE=Rule,
        T=parts["type"],
        K=kind,
        S=parts["schema-id"],
        R=parts["schema-ref"],
        A=action,
        E=parts["allow-additional-properties"],
        C=parts["case-insensitive-property-names"],
    )


def _map(use: Use | None, emit: Emitter, values: list[Value]) -> ast.expr | None:
    if use is None:
        return None
    whatever, missing = (
        emit.value(use, "any-content-type-value"),
        emit.value(use, "missing-content-type-value"),
    )
    items: list[ast.expr] = []
    for each in use.children.get("type", ()):
        start, to = emit.value(each, "from"), emit.value(each, "to")
        when = emit.condition(each, "when")
        if ("from" in each.attributes) == ("when" in each.attributes):
            emit.report(say.one_of(each.span, "type", ("from", "when")))
        if to is None:
            continue
        values += [v for v in (start, when, to) if v is not None]
        items.append(emit.expr("(F, W, T)", F=start, W=False if when is None else when, T=to))
    values += [v for v in (whatever, missing) if v is not None]
    return emit.expr(
        "MAP(A, M, T)", MAP=Map, A=whatever, M=missing, T=emit.place(ast.Tuple(items, ast.Load()))
    )


ELEMENT = Element(
    _NAME,
    "Holds a body to a size and, by its content type, to a schema, of JSON or XML: that of the operation's description or "
    "one of the service's. Without a schema, XML and SOAP are looked at for being what they say.",
    write,
    sections=frozenset((Section.INBOUND, Section.OUTBOUND, Section.ON_ERROR)),
    attributes=(
        syntax.action("unspecified-content-type-action", "content types that are not declared"),
        Attribute("max-size", "The largest size of a body, in bytes and decoded.", "int", required=True),
        syntax.action("size-exceeded-action", "larger bodies"),
        syntax.ERRORS,
    ),
    children=(
        Child(
            "content-type-map",
            "Content types that count as others.",
            attributes=(
                Attribute("any-content-type-value", "What every content type counts as."),
                Attribute("missing-content-type-value", "What a missing one counts as."),
            ),
            children=(
                Child(
                    "type",
                    "One content type; it goes before the two above.",
                    many=True,
                    attributes=(
                        Attribute("from", "The content type as it came."),
                        Attribute("when", "Or a condition.", "bool"),
                        Attribute("to", "What it counts as.", required=True),
                    ),
                ),
            ),
        ),
        Child(
            "content",
            "How bodies of a content type are validated.",
            many=True,
            attributes=(
                Attribute("type", "The content type; without it, each that the operation declares."),
                Attribute("validate-as", "json, xml or soap.", required=True, values=("json", "xml", "soap")),
                Attribute(
                    "schema-id", "A schema of the service; without it, the one that the operation declares."
                ),
                Attribute("schema-ref", "A place in that JSON schema (`#/components/schemas/name`)."),
                syntax.action("action", "what does not fit"),
                Attribute(
                    "allow-additional-properties",
                    "Overrides what the schema says of additional properties.",
                    "bool",
                ),
                Attribute("case-insensitive-property-names", "Whether the case of names counts not.", "bool"),
            ),
        ),
    ),
)
