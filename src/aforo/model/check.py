"""A body against its kind's declaration: types, limits, unknown names, references. It knows no file and no REST.

It collects every mistake, and returns the body as it is to be kept: declared spelling, defaults, secrets wrapped,
references as full ids, read-only properties left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aforo.model.ids import BadId, ResourceId, parse_id
from aforo.model.kind import REFERENCE, Kind, Path, Problem, Property, Refers, Type
from aforo.model.roles import role_definition_id, role_named
from aforo.model.secret import MASK, Secret
from aforo.model.unknown import unknown
from aforo.nearest import nearest

SERVICE = "Microsoft.ApiManagement/service"
ROLE_DEFINITION = "Microsoft.Authorization/roleDefinitions"
_WORDS = {
    Type.TEXT: "a text",
    Type.WHOLE: "a whole number",
    Type.NUMBER: "a number",
    Type.FLAG: "true or false",
    Type.RECORD: "an object",
    Type.LIST: "a list",
    Type.MAP: "an object",
    Type.INSTANT: "a date and time (2026-01-31T12:00:00Z)",
}


def check_body(
    kind: Kind, rid: ResourceId, body: Mapping[str, Any], *, may_lack_secrets: bool = False
) -> tuple[dict[str, Any], list[Problem]]:
    """(clean body, problems). The clean body is only meaningful without problems.

    `may_lack_secrets`: a required secret may be absent, since an earlier one stands.
    """
    checker = _Checker(rid, may_lack_secrets)
    checker.name(kind)
    envelope = {
        k: v for k, v in body.items() if k.lower() not in ("properties", "id", "name", "type", "etag")
    }
    clean = checker.fields(kind.envelope, envelope, ())
    properties = next((v for k, v in body.items() if k.lower() == "properties"), None)
    if properties is None:
        properties = {}
    if isinstance(properties, Mapping):
        clean["properties"] = checker.fields(kind.properties, properties, ("properties",))
    else:
        checker.wrong(("properties",), Type.RECORD, properties)
    return clean, checker.problems


class _Checker:
    def __init__(self, rid: ResourceId, may_lack_secrets: bool) -> None:
        self.id = rid
        self.may_lack_secrets = may_lack_secrets
        self.problems: list[Problem] = []

    def say(self, path: Path, message: str, *hints: str) -> None:
        self.problems.append(Problem(path, message, hints))

    def wrong(self, path: Path, wanted: Type, value: object) -> None:
        self.say(path, f"{_WORDS.get(wanted, 'a value')} is expected here, not {_shown(value)}")

    def name(self, kind: Kind) -> None:
        name = self.id.name
        if kind.singleton and name.lower() != kind.singleton:
            self.say((), f"a {kind.name} is always called {kind.singleton!r}, not {name!r}")
        elif len(name) > kind.names.maximum:
            self.say((), f"the name of a {kind.name} has at most {kind.names.maximum} characters")
        elif not re.match(kind.names.pattern, name):
            self.say((), f"{name!r} cannot be the name of a {kind.name}: {kind.names.says}")

    def fields(self, declared: tuple[Property, ...], body: Mapping[str, Any], path: Path) -> dict[str, Any]:
        by_name = {p.name.lower(): p for p in declared}
        out: dict[str, Any] = {}
        for given, value in body.items():
            prop = by_name.get(str(given).lower())
            here = (*path, given)
            if prop is None:
                names = [p.name for p in declared if not p.readonly and not p.refused]
                self.problems.append(unknown("property", str(given), names, here))
            elif prop.name in out:
                self.say(here, f"{given!r} is given twice, differing only in case")
            elif prop.refused:
                if value not in (None, False, [], {}, "None", "Disabled"):
                    self.say(here, f"{prop.name!r} is not supported: {prop.refused}")
            elif value is not None and not prop.readonly:
                out[prop.name] = self.value(prop, value, here)
        for prop in declared:
            if prop.name in out or prop.readonly:
                continue
            if prop.default is not None:
                out[prop.name] = list(prop.default) if isinstance(prop.default, tuple) else prop.default
            elif prop.required and not (
                self.may_lack_secrets and (prop.secret or (prop.sealed_by and _given(body, prop.sealed_by)))
            ):
                secret = " (it is a secret, so an export without --secrets left it out)" if (
                    prop.secret or (prop.sealed_by and _given(body, prop.sealed_by))) else ""  # fmt: skip
                self.say(path, f"{prop.name!r} is required here{secret}")
        for prop in declared:
            hidden = prop.sealed_by and out.get(prop.sealed_by) is True
            if hidden and isinstance(out.get(prop.name), str):
                out[prop.name] = Secret(out[prop.name])
        return out

    def value(self, prop: Property, value: Any, path: Path) -> Any:
        match prop.type:
            case Type.TEXT:
                return self.text(prop, value, path)
            case Type.WHOLE | Type.NUMBER:
                return self.number(prop, value, path)
            case Type.FLAG:
                if not isinstance(value, bool):
                    self.wrong(path, prop.type, value)
                return value
            case Type.RECORD:
                if isinstance(value, Mapping):
                    return self.fields(prop.properties, value, path)
                self.wrong(path, prop.type, value)
                return value
            case Type.LIST:
                return self.listing(prop, value, path)
            case Type.MAP:
                if not isinstance(value, Mapping):
                    self.wrong(path, prop.type, value)
                    return value
                assert prop.item is not None
                return {str(k): self.value(prop.item, v, (*path, k)) for k, v in value.items()}
            case Type.INSTANT:
                return self.instant(prop, value, path)
            case Type.ANY:
                return value

    def text(self, prop: Property, value: Any, path: Path) -> Any:
        if isinstance(value, Secret):
            if not prop.secret and not prop.sealed_by:
                self.say(path, f"{prop.name!r} is no secret")
            return value
        if not isinstance(value, str):
            hints = ("put it in quotes",) if isinstance(value, int | float) else ()
            self.say(path, f"{_WORDS[Type.TEXT]} is expected here, not {_shown(value)}", *hints)
            return value
        if prop.refers is not None:
            return self.reference(prop.refers, value, path)
        if prop.secret and value == MASK:
            if not self.may_lack_secrets:
                self.say(
                    path, "the secret was left out where this was written; give it, or name a {{named value}}"
                )
            return value
        if prop.values:
            chosen = next((v for v in prop.values if v.lower() == value.lower()), None)
            if chosen is None:
                close = nearest(value, list(prop.values))
                hint = f"did you mean {close[0]!r}?" if close else f"one of: {', '.join(prop.values)}"
                self.say(path, f"{value!r} is none of the values that {prop.name!r} may have", hint)
                return value
            return chosen
        if prop.minimum is not None and len(value) < prop.minimum:
            at_least = f"at least {prop.minimum:g} characters" if prop.minimum > 1 else "some text"
            self.say(path, f"{prop.name!r} needs {at_least}")
        if prop.maximum is not None and len(value) > prop.maximum:
            self.say(path, f"{prop.name!r} has at most {prop.maximum:g} characters, not {len(value)}")
        if prop.pattern and not re.search(prop.pattern, value):
            shown = "this value" if prop.secret else repr(value)
            self.say(path, f"{shown} is no {prop.name}", prop.doc) if prop.doc else self.say(
                path, f"{shown} does not have the form of {prop.name!r} ({prop.pattern})"
            )
        if prop.secret and not (prop.by_name and REFERENCE.search(value)):
            return Secret(value)
        return value

    def number(self, prop: Property, value: Any, path: Path) -> Any:
        allowed = (int,) if prop.type is Type.WHOLE else (int, float)
        if isinstance(value, bool) or not isinstance(value, allowed):
            self.wrong(path, prop.type, value)
            return value
        if isinstance(value, float) and not math.isfinite(value):  # JSON readers let NaN and Infinity in
            self.say(path, f"a finite number is expected here, not {value}")
            return value
        if prop.minimum is not None and value < prop.minimum:
            self.say(path, f"{prop.name!r} is at least {prop.minimum:g}, not {value}")
        if prop.maximum is not None and value > prop.maximum:
            self.say(path, f"{prop.name!r} is at most {prop.maximum:g}, not {value}")
        return value

    def listing(self, prop: Property, value: Any, path: Path) -> Any:
        if not isinstance(value, list | tuple):
            self.wrong(path, prop.type, value)
            return value
        assert prop.item is not None
        if prop.maximum is not None and len(value) > prop.maximum:
            self.say(path, f"{prop.name!r} has at most {prop.maximum:g} entries, not {len(value)}")
        if prop.minimum is not None and len(value) < prop.minimum:
            self.say(path, f"{prop.name!r} needs at least {prop.minimum:g} entries")
        return [self.value(prop.item, v, (*path, i)) for i, v in enumerate(value)]

    def instant(self, prop: Property, value: Any, path: Path) -> Any:
        if isinstance(value, datetime):  # YAML reads an unquoted date and time as one
            value = value.isoformat().replace("+00:00", "Z")
        try:
            datetime.fromisoformat(value)
        except (TypeError, ValueError):
            self.wrong(path, prop.type, value)
        return value

    def reference(self, refers: Refers, value: str, path: Path) -> str:
        try:
            target = resolve(refers, value, self.id)
        except BadId as bad:
            self.say(path, str(bad))
            return value
        return target


def resolve(refers: Refers, value: str, owner: ResourceId) -> str:
    """The full id text that a reference in `owner` means. BadId says what cannot be meant."""
    if refers.types == (ROLE_DEFINITION,):
        name = value.rpartition("/")[2]
        role = role_named(name)
        if role is None:
            raise BadId(f"no role is called {name!r}")
        return role_definition_id(owner, role)
    if refers.foreign and _is_foreign(refers, value, owner):
        return value
    lowered = value.lower()
    service = owner.ancestor(SERVICE)
    if not lowered.startswith("/subscriptions/") or lowered.count("/") == 2:
        value = _absolute(refers, value, owner, service)
        lowered = value.lower()
    for collection in refers.collections:
        if service is not None and lowered == f"{service.key}/{collection}":
            return f"{service.text}/{collection}"
    target = parse_id(value)
    if target.type_key not in {t.lower() for t in refers.types}:
        kinds = " or ".join(t.rpartition("/")[2] for t in refers.types)
        raise BadId(f"{value!r} names a resource of type {target.type}; {kinds} is expected here")
    return target.text


def _is_foreign(refers: Refers, value: str, owner: ResourceId) -> bool:
    """Whether that text names something beyond this system: an URL, another type, another subscription."""
    if "/" not in value:
        return False
    try:
        target = parse_id(value)
    except BadId:
        return True
    mine = owner.key.split("/")[2]
    return target.type_key not in {t.lower() for t in refers.types} or target.key.split("/")[2] != mine


def _absolute(refers: Refers, value: str, owner: ResourceId, service: ResourceId | None) -> str:
    """A short reference in full: `/products/gold` within the service, a bare name of the only possible type."""
    if value.startswith("/"):
        if service is None:
            raise BadId(f"{value!r} is relative to an API Management service, and this resource is in none")
        return service.text + (value if value != "/" else "")
    full_type = refers.types[0]
    namespace, *kinds = full_type.split("/")
    names = value.split("/")
    if len(names) > 1 and (len(names) != len(kinds) or full_type.lower().startswith(SERVICE.lower() + "/")):
        raise BadId(f"{value!r} is not a resource id; a short one begins with / (/products/gold)")
    if service is not None and full_type.lower().startswith(SERVICE.lower() + "/"):
        return f"{service.text}/{full_type.rpartition('/')[2]}/{value}"
    group = owner.ancestor("Microsoft.Resources/resourceGroups")
    if group is None:
        raise BadId(f"{value!r} is not a resource id")
    # One name for each part of the type: `hubs/send` is a rule of a namespace.
    pairs = "/".join(f"{kind}/{name}" for kind, name in zip(kinds, names, strict=len(names) > 1))
    return f"{group.text}/providers/{namespace}/{pairs}"


def _given(body: Mapping[str, Any], flag: str) -> bool:
    return any(str(k).lower() == flag.lower() and v is True for k, v in body.items())


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    return f"{value!r}"
