"""`context` and what hangs on it, as expressions see it: declarations over the exchange. Labels: `request-body` and
`response-body` say that a body must be at hand before the expression runs, `variable`, `header` and `query` which one is
read, `header-name` and `query-name` that only names are, `headers` and `queries` that they are used in some way; `url`
that a URL is used, `url-part` that a part without its query, `query-text` all of its query; `secret` a credential.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from aforo.csharp.catalog import TYPES as NET
from aforo.csharp.compile import World
from aforo.csharp.runtime import dates
from aforo.csharp.runtime.collections import Dictionary
from aforo.csharp.runtime.dates import DateTime
from aforo.csharp.runtime.exceptions import (
    ArgumentNullException,
    InvalidCastException,
    KeyNotFoundException,
    NullReferenceException,
    given,
)
from aforo.csharp.runtime.guids import Guid
from aforo.csharp.runtime.json import wrap
from aforo.csharp.runtime.json_parse import as_array, as_object, parse_bytes
from aforo.csharp.runtime.limits import made, nodes, room
from aforo.csharp.runtime.objects import TypeInfo
from aforo.csharp.runtime.spans import TimeSpan
from aforo.csharp.runtime.text import url_encode
from aforo.csharp.runtime.xml_read import read_document, read_element
from aforo.csharp.types import MISSING, Type, TypeDecl, Universe, declare, member
from aforo.policy.context.service import APIM, backend, client_certificate, foundry, nothing, plain
from aforo.policy.context.service import TYPES as SERVICE
from aforo.policy.context.tokens import (
    Basic,
    Claims,
    Jwt,
    as_basic,
    as_jwt,
    claim,
    jwt_algorithm,
    jwt_audiences,
    jwt_claims,
    jwt_type,
    moment,
    try_basic,
    try_jwt,
)
from aforo.policy.context.values import (
    HeaderValues,
    QueryValues,
    UrlView,
    original_url,
    request_url,
    url_host,
    url_path,
    url_port,
    url_query,
    url_query_string,
    url_scheme,
    url_text,
    values_at,
    values_count,
    values_get,
    values_has,
    values_lists,
    values_names,
    values_or,
)
from aforo.policy.exchange import Body, Exchange, LastError, ResponseState
from aforo.policy.tracing import records as trace_records

# --- bodies -----------------------------------------------------------------------------------------------------


def request_body(x: Exchange) -> Body | None:
    body = x.request.body
    return None if body.data == b"" else body


def response_body(response: ResponseState) -> Body:
    return response.body


def request_headers(x: Exchange) -> HeaderValues:
    return HeaderValues(x.request.headers)


def request_method(x: Exchange) -> str:
    return x.request.method


def request_ip(x: Exchange) -> str:
    return x.request.ip


def matched_parameters(x: Exchange) -> dict[str, str]:
    return x.request.matched


def response_headers(response: ResponseState) -> HeaderValues:
    return HeaderValues(response.headers)


def _data(body: Body) -> bytes:
    data = body.data if body.view is None else body.shown()
    if data is None:
        # The element awaits the body before the expression runs; a variable's response is complete by contract.
        raise NullReferenceException
    return data


def body_as(body: Body, info: TypeInfo, preserve: bool = False) -> Any:
    """`Body.As<T>()`. The body is kept, whether `preserveContent` asks for it or not (docs/decisions/0012)."""
    del preserve
    data = _data(body)
    name = info.name
    if name in ("string", "[]"):
        # Each reading is a copy of its own.
        room(len(data))
        return data.decode("utf-8-sig", "replace") if name == "string" else bytearray(data)
    if not data.strip():
        return None
    if name in ("XElement", "XNode"):
        return read_element(data)
    if name == "XDocument":
        return read_document(data)
    value = parse_bytes(data)
    if name == "JObject":
        return as_object(value)
    if name == "JArray":
        return as_array(value)
    if name == "JToken":
        return wrap(value)
    raise InvalidCastException(f"The body cannot be read as {name}.")


def body_form(body: Body, preserve: bool = False) -> Dictionary:
    """`AsFormUrlEncodedContent()`"""
    from urllib.parse import parse_qsl

    del preserve
    form = Dictionary()
    data = _data(body)
    room(len(data))
    nodes(data.count(b"&"))
    for name, value in parse_qsl(data.decode("utf-8", "replace"), keep_blank_values=True):
        form.setdefault(name, []).append(value)
    return form


def form_text(values: dict[str, Any] | None) -> str | None:
    """`ToFormUrlEncodedContent()` and `ToQueryString()`: pairs in their order, a space as `+`."""
    if values is None:
        return None
    return made("&".join(f"{url_encode(name)}={url_encode(each)}" for name, each in _form_pairs(values)))


def _form_pairs(values: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name, each or "") for name, inner in values.items() for each in inner or ()]


# --- variables ---------------------------------------------------------------------------------------------------


def variable(variables: dict[str, Any], name: str | None) -> Any:
    try:
        return variables[name]  # type: ignore[index]
    except KeyError:
        if name is None:
            raise ArgumentNullException("Value cannot be null.\r\nParameter name: key") from None
        raise KeyNotFoundException from None


def variable_get(variables: dict[str, Any], name: str | None) -> tuple[bool, Any]:
    return given(name, "key") in variables, variables.get(given(name, "key"))


def variable_get_or(variables: dict[str, Any], name: str | None) -> Any:
    return variables.get(given(name, "key"))


def variable_values(variables: dict[str, Any]) -> list[Any]:
    return list(variables.values())


def lists_or(values: Any, name: str | None, default: str | None) -> str | None:
    found = values.get(given(name, "key"))
    return ",".join(found) if found else default


def variable_or(variables: dict[str, Any], info: TypeInfo, name: str | None, default: Any = MISSING) -> Any:
    """`GetValueOrDefault<T>`: absent gives the default, another type is an InvalidCastException."""
    value = variables.get(given(name, "key"), MISSING)
    if value is MISSING:
        return info.default if default is MISSING else default
    if value is None:
        return info.default
    return info.cast(value)


# --- the rest of context -------------------------------------------------------------------------------------------


def request_id(x: Exchange) -> Guid:
    return Guid(int(x.call_id, 16))


def elapsed(x: Exchange) -> TimeSpan:
    return TimeSpan(x.elapsed_us * 10)


def timestamp(x: Exchange) -> DateTime:
    return DateTime(dates.EPOCH + x.started_ns // 100, 1)


def tracing(x: Exchange) -> bool:
    return x.trace is not None


def trace(x: Exchange, message: str) -> None:
    """`context.Trace`: only while a call is traced."""
    if x.trace is not None:
        trace_records.write(x, trace_records.Record("context.Trace", "verbose", message or "", {}))


def status_code(response: ResponseState | None) -> int:
    """0 while there is no response (docs/decisions/0013)."""
    return 0 if response is None else response.status


def status_reason(response: ResponseState | None) -> str | None:
    return None if response is None else response.reason


def deployment(x: Exchange) -> Any:
    return x.services.deployment


# --- declarations ----------------------------------------------------------------------------------------------------


def _values(name: str, python: type, effects: tuple[str, ...] = (), names: tuple[str, ...] = ()) -> TypeDecl:
    return declare(
        name,
        member("string[] this[string key]", values_at, effects=effects),
        member("bool ContainsKey(string key)", values_has, effects=names),
        member("bool TryGetValue(string key, out string[] value)", values_get, effects=effects),
        member("string? GetValueOrDefault(string name)", values_or, effects=effects),
        member("string? GetValueOrDefault(string name, string defaultValue)", values_or, effects=effects),
        member("IEnumerable<string> Keys", values_names, effects=names),
        member("IEnumerable<string[]> Values", values_lists, effects=effects),
        member("int Count", values_count, effects=names),
        namespace=APIM,
        kind="interface",
        bases=("IReadOnlyDictionary<string, string[]>",),
        python=python,
    )


_TYPES: Final[tuple[TypeDecl, ...]] = (
    _values("IHeaders", HeaderValues, ("header",), ("header-name",)),
    _values("IQuery", QueryValues, ("query",), ("query-name",)),
    _values("IClaims", Claims),
    declare(
        "IContext",
        member("IApi Api", attr="api"),
        member("IOperation Operation", attr="operation"),
        member("IProduct? Product", attr="product"),
        member("ISubscription? Subscription", attr="subscription"),
        member("IUser? User", attr="user"),
        member("IRequest Request", attr=""),
        member("IContextResponse? Response", attr="response"),
        member("ILastError? LastError", attr="last_error"),
        member("IVariables Variables", attr="variables"),
        member("IDeployment Deployment", deployment),
        member("Guid RequestId", request_id),
        member("TimeSpan Elapsed", elapsed),
        member("DateTime Timestamp", timestamp),
        member("IBackend? Backend", backend),
        member("IWorkspace? Workspace", nothing),
        member("IGraphQL? GraphQL", nothing),
        member("bool Tracing", tracing),
        member("void Trace(string message)", trace),
        namespace=APIM,
        python=Exchange,
    ),
    declare(
        "IRequest",
        member("string Method", request_method),
        member("IHeaders Headers", request_headers, effects=("headers",)),
        member("IUrl Url", request_url, effects=("url",)),
        member("IUrl OriginalUrl", original_url, effects=("url",)),
        member("string IpAddress", request_ip),
        member("IMessageBody? Body", request_body, effects=("request-body",)),
        member("IReadOnlyDictionary<string, string> MatchedParameters", matched_parameters),
        member("X509Certificate2? Certificate", client_certificate),
        member("IFoundry? Foundry", foundry),
        member("IPrivateEndpointConnection? PrivateEndpointConnection", nothing),
        namespace=APIM,
    ),
    declare(
        "IResponse",
        member("int StatusCode", status_code),
        member("string? StatusReason", status_reason),
        member("IHeaders Headers", response_headers, effects=("headers",)),
        member("IMessageBody Body", response_body),
        namespace=APIM,
        python=ResponseState,
    ),
    declare(
        "IContextResponse",
        member("int StatusCode", status_code, null_ok=True),
        member("string? StatusReason", status_reason, null_ok=True),
        member("IMessageBody Body", response_body, effects=("response-body",)),
        namespace=APIM,
        bases=("IResponse",),
        python=ResponseState,
    ),
    declare(
        "IMessageBody",
        member("T? As<T>()", body_as, typed=True),
        member("T? As<T>(bool preserveContent)", body_as, typed=True),
        member("IDictionary<string, IList<string>> AsFormUrlEncodedContent()", body_form),
        member("IDictionary<string, IList<string>> AsFormUrlEncodedContent(bool preserveContent)", body_form),
        namespace=APIM,
        python=Body,
    ),
    declare(
        "IVariables",
        member("object? this[string key]", variable, effects=("variable",)),
        member("bool TryGetValue(string key, out object value)", variable_get, effects=("variable",)),
        member("object? GetValueOrDefault(string key)", variable_get_or, effects=("variable",)),
        member("IEnumerable<object> Values", variable_values, effects=("variable",)),
        member("T? GetValueOrDefault<T>(string variableName)", variable_or, typed=True, effects=("variable",)),
        member("T? GetValueOrDefault<T>(string variableName, T defaultValue)", variable_or, typed=True, effects=("variable",)),
        namespace=APIM,
        kind="interface",
        bases=("IReadOnlyDictionary<string, object>",),
        python=dict,
    ),
    declare(
        "IUrl",
        member("string Host", url_host, effects=("url-host",)),
        member("string Path", url_path, effects=("url-path",)),
        member("int Port", url_port, effects=("url-part",)),
        member("string Scheme", url_scheme, effects=("url-part",)),
        member("IQuery Query", url_query, effects=("queries",)),
        member("string QueryString", url_query_string, effects=("query-text",)),
        member("string ToString()", url_text, effects=("query-text", "url-path", "url-text")),
        namespace=APIM,
        kind="interface",
        python=UrlView,
    ),
    declare(
        "ILastError",
        *plain(
            ("string Source", "source"), ("string Reason", "reason"), ("string Message", "message"), ("string Scope", "scope"),
            ("string Section", "section"), ("string Path", "path"), ("string PolicyId", "policy_id"),
            ("int HttpErrorCode", "http_status"),
        ),
        namespace=APIM,
        python=LastError,
    ),
    declare(
        "Jwt",
        member("IClaims Claims", jwt_claims),
        member("IEnumerable<string> Audiences", jwt_audiences),
        member("string? Algorithm", jwt_algorithm),
        member("string? Type", jwt_type),
        member("string? Issuer", claim("iss")),
        member("string? Subject", claim("sub")),
        member("string? Id", claim("jti")),
        member("DateTime? ExpirationTime", moment("exp")),
        member("DateTime? NotBefore", moment("nbf")),
        member("DateTime? IssuedAt", moment("iat")),
        namespace=APIM,
        python=Jwt,
    ),
    declare("BasicAuthCredentials", *plain(("string UserId", "user_id"), ("string Password", "password")), namespace=APIM, python=Basic),
    declare(
        "Forms",
        *(
            member(f"static string? {name}(this IDictionary<string, IList<string>> dictionary)", form_text)
            for name in ("ToQueryString", "ToFormUrlEncodedContent")
        ),
        namespace=APIM,
        kind="static",
    ),
    # Of context's dictionaries where an expression holds them by their interface.
    declare(
        "Dictionaries",
        member("static string? GetValueOrDefault(this IReadOnlyDictionary<string, string[]> dictionary, string name, string defaultValue)", lists_or),
        member("static T? GetValueOrDefault<T>(this IReadOnlyDictionary<string, object> dictionary, string name)", variable_or, typed=True),
        member("static T? GetValueOrDefault<T>(this IReadOnlyDictionary<string, object> dictionary, string name, T defaultValue)", variable_or, typed=True),
        namespace=APIM,
        kind="static",
    ),
    declare(
        "Credentials",
        member("static Jwt? AsJwt(this string input)", as_jwt, effects=("claims",)),
        member("static bool TryParseJwt(this string input, out Jwt result)", try_jwt, effects=("claims",)),
        member("static BasicAuthCredentials? AsBasic(this string input)", as_basic),
        member("static bool TryParseBasic(this string input, out BasicAuthCredentials result)", try_basic),
        namespace=APIM,
        kind="static",
    ),
)  # fmt: skip


@lru_cache(maxsize=1)
def world() -> World:
    """The world of policy expressions, made once."""
    return World(Universe((*NET, *SERVICE, *_TYPES)), {"context": ("x", Type("IContext"))}, ("x",))


# What a variable may hold without a remark (facts: set-variable).
KEPT: Final = frozenset(
    (
        "JArray", "JContainer", "JProperty", "JObject", "JToken", "JValue", "bool", "sbyte", "byte", "ushort",
        "uint", "ulong", "short", "int", "long", "decimal", "float", "double", "Guid", "string", "char", "DateTime",
        "TimeSpan", "Nullable", "object", "null",
    )
)  # fmt: skip
