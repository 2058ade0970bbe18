"""API descriptions (OpenAPI 3, Swagger 2; JSON or YAML) made into operations. It fetches through what it is given.

What is taken over: server, title, operations with their parameters, representations and responses. A wrong URL
is told as what came back from it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import orjson
import yaml

from aforo.control import samples
from aforo.errors import Invalid, Refusal, Upstream
from aforo.model.kinds.schema import MAX_BYTES as MAX_SCHEMA_BYTES
from aforo.model.kinds.schema import references
from aforo.nearest import nearest

# (method, url, headers, body, timeout in seconds) -> (status, headers, body)
Fetch = Callable[[str, str, Mapping[str, str], bytes, float], Awaitable[tuple[int, Mapping[str, str], bytes]]]

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
FORMATS = {
    "openapi": False,
    "openapi+json": False,
    "swagger-json": False,
    "openapi-link": True,
    "openapi+json-link": True,
    "swagger-link-json": True,
}
# The API schema that an import makes.
SCHEMA_ID = "imported"
CARRIED = ("azure-openai-2023-05-15", "azure-openai-v1")
MAX_BYTES = 16 * 1024 * 1024
_TIMEOUT_S = 30.0
_MAX_DEPTH = 64
_DEEPEST = 1000  # as deep as orjson reads JSON


@dataclass(frozen=True, slots=True)
class Description:
    """What an API description says. `operations` maps operation ids to bodies of ARM operations."""

    title: str
    description: str
    server: str  # "" when there is none
    operations: dict[str, dict[str, Any]] = field(default_factory=dict)
    # The document of the API's schema SCHEMA_ID, which the operations' representations name; empty when none does.
    schemas: dict[str, Any] = field(default_factory=dict)


def carried(name: str) -> str:
    """The text of a description that the product carries; Invalid names those that exist."""
    if name not in CARRIED:
        close = nearest(name, list(CARRIED))
        hint = f"did you mean {close[0]!r}?" if close else f"carried are: {', '.join(CARRIED)}"
        raise Invalid(f"no API description called {name!r} is carried; {hint}", code="DescriptionNotFound")
    return (resources.files("aforo.control.carried") / f"{name}.yaml").read_text(encoding="utf-8")


async def fetch_text(url: str, fetch: Fetch) -> str:
    """The text at a URL; Upstream says what came instead when it is no 200 with a text."""
    try:
        status, headers, body = await fetch(
            "GET", url, {"accept": "application/json, application/yaml, */*"}, b"", _TIMEOUT_S
        )
    except Refusal as refusal:
        raise Upstream(
            f"the API description at {url} cannot be fetched: {refusal.message}", code="DescriptionNotFetched"
        ) from refusal
    if status in (301, 302, 303, 307, 308):
        where = headers.get("location", "elsewhere")
        raise Upstream(f"{url} redirects to {where}; give that URL", code="DescriptionNotFetched")
    if status != 200:
        raise Upstream(
            f"{url} answered {status}, so there is no API description to import", code="DescriptionNotFetched"
        )
    if len(body) > MAX_BYTES:
        raise Upstream(
            f"what {url} answers is larger than {MAX_BYTES // 2**20} MB", code="DescriptionTooLarge"
        )
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Upstream(f"what {url} answers is no UTF-8 text", code="NotOpenApi") from error


def read_description(text: str, where: str, *, query_in_template: bool = True) -> Description:
    """The description in a text; Invalid says in which way it is none. `where` names it in messages.

    `query_in_template`: required query parameters become part of the URL template, as API Management does.
    """
    document = _parse(text, where)
    version = document.get("openapi", document.get("swagger"))
    if version is None:
        keys = ", ".join(list(map(str, document))[:5]) or "nothing"
        raise Invalid(
            f"{where} is not an OpenAPI description: it has neither 'openapi' nor 'swagger', but {keys}",
            code="NotOpenApi",
        )
    if not str(version).startswith(("3.", "2.")):
        raise Invalid(f"{where}: OpenAPI {version} is not supported, 2.0 and 3.x are", code="NotOpenApi")
    reader = _Reader(document, where, query_in_template)
    paths = document.get("paths")
    if not isinstance(paths, Mapping) or not paths:
        raise Invalid(f"{where} describes no paths, so there is nothing to import", code="NotOpenApi")
    info = document.get("info") if isinstance(document.get("info"), Mapping) else {}
    assert isinstance(info, Mapping)
    return Description(
        str(info.get("title", "")),
        str(info.get("description", "")),
        _server(document),
        reader.operations(paths),
        reader.schemas(),
    )


def _parse(text: str, where: str) -> Mapping[str, Any]:
    start = text.lstrip("\ufeff \t\r\n")
    if not start:
        raise Invalid(f"{where} is empty", code="NotOpenApi")
    if start.startswith("<"):
        what = "an HTML page" if re.match(r"<(!doctype html|html)", start, re.IGNORECASE) else "XML"
        hint = "; on a code host, take the link to the raw file" if what == "an HTML page" else ""
        raise Invalid(f"{where} is {what}, not an OpenAPI description{hint}", code="NotOpenApi")
    try:
        document = orjson.loads(text) if start[0] in "{[" else _yaml(text)
    except (orjson.JSONDecodeError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else getattr(error, "lineno", None)
        problem = getattr(error, "problem", None) or str(error).partition(":")[0]
        at = f" (line {line})" if line else ""
        raise Invalid(f"{where} is neither JSON nor YAML: {problem}{at}", code="NotOpenApi") from error
    if not isinstance(document, Mapping):
        raise Invalid(f"{where} is not an OpenAPI description: it holds no object", code="NotOpenApi")
    return document


def _yaml(text: str) -> Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.AliasEvent):
            # An alias of an alias of an alias is a small file that becomes a large one.
            raise yaml.YAMLError("aliases (*name) are not accepted in an API description")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise yaml.YAMLError(f"it is nested deeper than {_DEEPEST} levels")
    return yaml.load(text, Loader=loader)  # noqa: S506 - it is a safe loader


def _server(document: Mapping[str, Any]) -> str:
    servers = document.get("servers")
    if isinstance(servers, list) and servers and isinstance(servers[0], Mapping):
        url = str(servers[0].get("url", ""))
        variables = servers[0].get("variables")
        if isinstance(variables, Mapping):
            for name, variable in variables.items():
                default = variable.get("default") if isinstance(variable, Mapping) else None
                url = url.replace(f"{{{name}}}", str(default))
        return url if url.startswith(("http://", "https://")) else ""
    if document.get("swagger") and document.get("host"):
        schemes = document.get("schemes") or ["https"]
        scheme = "https" if "https" in schemes else str(schemes[0])
        return f"{scheme}://{document['host']}{document.get('basePath', '')}".rstrip("/")
    return ""


class _Reader:
    def __init__(self, document: Mapping[str, Any], where: str, query_in_template: bool) -> None:
        self.document = document
        self.where = where
        self.query_in_template = query_in_template
        self.definitions = _definitions(document)
        self.inline: dict[bytes, str] = {}  # schemas that stand in operations, by their text
        self.named = False

    def operations(self, paths: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        taken: set[str] = set()
        for path, raw in paths.items():
            item = self.deref(raw)
            if not isinstance(item, Mapping):
                raise Invalid(f"{self.where}: the path {path!r} is no object", code="NotOpenApi")
            shared = self.parameters(item.get("parameters"))
            for method in METHODS:
                operation = item.get(method)
                if not isinstance(operation, Mapping):
                    continue
                name = _operation_name(operation, method, str(path))
                if name.lower() in taken:
                    raise Invalid(
                        f"{self.where}: the operationId {name!r} is there twice; every operation needs its own",
                        code="NotOpenApi",
                    )
                taken.add(name.lower())
                found[name] = self.operation(str(path), method, operation, shared)
        if not found:
            raise Invalid(f"{self.where} describes no operations", code="NotOpenApi")
        return found

    def operation(
        self, path: str, method: str, operation: Mapping[str, Any], shared: list[Mapping[str, Any]]
    ) -> dict[str, Any]:
        own = self.parameters(operation.get("parameters"))
        replaced = {(p.get("in"), p.get("name")) for p in own}
        parameters = [p for p in shared if (p.get("in"), p.get("name")) not in replaced] + own
        in_path = [_contract(p) for p in parameters if p.get("in") == "path"]
        queries = [p for p in parameters if p.get("in") == "query"]
        wanted = [p for p in queries if p.get("required")] if self.query_in_template else []
        template = path
        if wanted:
            template += "?" + "&".join(f"{p['name']}={{{p['name']}}}" for p in wanted)
        request: dict[str, Any] = {}
        optional = [_contract(p) for p in queries if p not in wanted]
        headers = [_contract(p) for p in parameters if p.get("in") == "header"]
        representations = self.representations(operation, parameters)
        if optional:
            request["queryParameters"] = optional
        if headers:
            request["headers"] = headers
        if representations:
            request["representations"] = representations
        body: dict[str, Any] = {
            "displayName": _title(operation, method, path),
            "method": method.upper(),
            "urlTemplate": template,
            "templateParameters": in_path + [_contract(p) for p in wanted],
            "responses": self.responses(operation.get("responses"), self.produces(operation)),
        }
        description = str(operation.get("description") or "")
        if description:
            body["description"] = description
        if request:
            body["request"] = request
        return {name: value for name, value in body.items() if value not in ([], {})}

    def parameters(self, raw: Any) -> list[Mapping[str, Any]]:
        if not isinstance(raw, list):
            return []
        resolved = [self.deref(p) for p in raw]
        return [p for p in resolved if isinstance(p, Mapping) and p.get("name")]

    def representations(
        self, operation: Mapping[str, Any], parameters: list[Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        body = self.deref(operation.get("requestBody"))
        if isinstance(body, Mapping) and isinstance(body.get("content"), Mapping):
            return [
                self.typed(
                    samples.representation(str(kind), _examples_alone(self.deref(c)), self.deref),
                    self.deref(c),
                )
                for kind, c in body["content"].items()
            ]
        if any(p.get("in") in ("body", "formData") for p in parameters):
            consumes = operation.get("consumes") or self.document.get("consumes") or ["application/json"]
            sent = next((p for p in parameters if p.get("in") == "body"), {})
            return [self.typed({"contentType": str(kind)}, sent) for kind in consumes]
        return []

    def typed(self, representation: dict[str, Any], content: Any) -> dict[str, Any]:
        """The representation with the name of its schema, where it has one and is JSON."""
        schema = content.get("schema") if isinstance(content, Mapping) else None
        json = "json" in representation["contentType"].lower()
        if self.definitions is None or not isinstance(schema, Mapping) or not schema or not json:
            return representation
        reference = schema.get("$ref")
        place = "#/definitions/" if "swagger" in self.document else "#/components/schemas/"
        if isinstance(reference, str) and reference.startswith(place) and "/" not in reference[len(place) :]:
            name = reference[len(place) :].replace("~1", "/").replace("~0", "~")
        else:
            try:
                text = orjson.dumps(schema, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
            except TypeError:
                return representation
            if _leads_away(schema):
                return representation
            name = self.inline.setdefault(text, f"inline-{len(self.inline) + 1}")
        self.named = True
        return {**representation, "schemaId": SCHEMA_ID, "typeName": name}

    def schemas(self) -> dict[str, Any]:
        """What the named schemas are, and what they refer to."""
        if not self.named or self.definitions is None:
            return {}
        found = {**self.definitions, **{name: orjson.loads(text) for text, name in self.inline.items()}}
        return {"definitions": found} if "swagger" in self.document else {"components": {"schemas": found}}

    def produces(self, operation: Mapping[str, Any]) -> list[Any]:
        given = operation.get("produces") or self.document.get("produces")
        return given if isinstance(given, list) else ["application/json"]

    def responses(self, raw: Any, produces: list[Any]) -> list[dict[str, Any]]:
        found = []
        for status, answer in (raw or {}).items() if isinstance(raw, Mapping) else ():
            if not str(status).isdigit():
                continue
            content = self.deref(answer)
            entry: dict[str, Any] = {"statusCode": int(status)}
            if isinstance(content, Mapping):
                if content.get("description"):
                    entry["description"] = str(content["description"])
                shown = self.answers(content, produces)
                if shown:
                    entry["representations"] = shown
            found.append(entry)
        return found

    def answers(self, content: Mapping[str, Any], produces: list[Any]) -> list[dict[str, Any]]:
        """The representations of a response: of OpenAPI 3, or of Swagger 2, which tells its media types elsewhere."""
        if isinstance(content.get("content"), Mapping):
            return [
                self.typed(samples.representation(str(kind), self.deref(c), self.deref), self.deref(c))
                for kind, c in content["content"].items()
            ]
        examples = content.get("examples")
        known = examples if isinstance(examples, Mapping) else {}
        kinds = [str(k) for k in known] or ([str(k) for k in produces] if content.get("schema") else [])
        return [
            self.typed(
                samples.representation(
                    kind, {"example": known.get(kind), "schema": content.get("schema")}, self.deref
                ),
                content,
            )
            for kind in kinds
        ]

    def deref(self, node: Any, depth: int = 0) -> Any:
        """The node that a `$ref` within the document means."""
        if not isinstance(node, Mapping) or not isinstance(node.get("$ref"), str):
            return node
        ref = node["$ref"]
        if depth > _MAX_DEPTH:
            raise Invalid(f"{self.where}: the reference {ref!r} leads in a circle", code="NotOpenApi")
        if not ref.startswith("#/"):
            raise Invalid(
                f"{self.where}: the reference {ref!r} leads to another file; bundle the description into one",
                code="NotOpenApi",
            )
        target: Any = self.document
        for step in ref[2:].split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(target, Mapping) or key not in target:
                raise Invalid(f"{self.where}: the reference {ref!r} leads nowhere", code="NotOpenApi")
            target = target[key]
        return self.deref(target, depth + 1)


def _definitions(document: Mapping[str, Any]) -> dict[str, Any] | None:
    """The named schemas of a description; None when gateways could not use them: too large, or parts lie elsewhere."""
    place = document.get("components") if "swagger" not in document else document
    known = (
        place.get("schemas" if place is not document else "definitions")
        if isinstance(place, Mapping)
        else None
    )
    if not isinstance(known, Mapping):
        return {}
    try:
        text = orjson.dumps(known, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        return None
    if len(text) > MAX_SCHEMA_BYTES // 2 or _leads_away(known):
        return None
    found: dict[str, Any] = orjson.loads(text)
    return found


def _leads_away(schema: Any) -> bool:
    return any(not reference.startswith("#") for reference in references(schema))


def _operation_name(operation: Mapping[str, Any], method: str, path: str) -> str:
    given = str(operation.get("operationId") or "")
    if not given:
        given = f"{method}-{path.strip('/')}".lower()
    return re.sub(r"[^A-Za-z0-9._-]+", "-", given).strip("-")[:80] or method


def _title(operation: Mapping[str, Any], method: str, path: str) -> str:
    summary = str(operation.get("summary") or "").strip()
    title = summary or str(operation.get("operationId") or f"{method.upper()} {path}")
    return title[:300]


def _contract(parameter: Mapping[str, Any]) -> dict[str, Any]:
    schema = parameter.get("schema") if isinstance(parameter.get("schema"), Mapping) else parameter
    assert isinstance(schema, Mapping)
    out: dict[str, Any] = {"name": str(parameter["name"]), "type": str(schema.get("type", "string"))}
    description = parameter.get("description") or schema.get("description")
    if description:
        out["description"] = str(description)
    if parameter.get("required"):
        out["required"] = True
    if isinstance(schema.get("enum"), list):
        out["values"] = [str(v) for v in schema["enum"]]
    if schema.get("default") is not None:
        out["defaultValue"] = str(schema["default"])
    return out


def _examples_alone(content: Any) -> Any:
    """A request's media type: what callers send is not made up."""
    return {k: v for k, v in content.items() if k != "schema"} if isinstance(content, Mapping) else content
