"""`context` and what hangs on it, as expressions see it: declarations over the exchange.

Labels: `request-body` and `response-body` say that a body must be at hand before the expression runs, `variable`,
`header` and `query` which variable, header or parameter is read, `header-name` that only names are, `headers` that
headers are used in some way; `secret` is for members that give a credential.
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
)
from aforo.csharp.runtime.guids import Guid
from aforo.csharp.runtime.json import wrap
from aforo.csharp.runtime.json_parse import as_array, as_object, parse_bytes
from aforo.csharp.runtime.limits import nodes, room
from aforo.csharp.runtime.objects import TypeInfo
from aforo.csharp.runtime.spans import TimeSpan
from aforo.csharp.types import MISSING, Declared, Type, TypeDecl, Universe, declare, member
from aforo.policy.context_tokens import (
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
from aforo.policy.context_values import (
    HeaderValues,
    QueryValues,
    UrlView,
    api_url,
    given,
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
from aforo.policy.subject import Api, Group, Product, User

_APIM: Final = "Microsoft.Azure.ApiManagement"


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
    data = body.data
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
    made = Dictionary()
    data = _data(body)
    room(len(data))
    nodes(data.count(b"&"))
    for name, value in parse_qsl(data.decode("utf-8", "replace"), keep_blank_values=True):
        made.setdefault(name, []).append(value)
    return made


# --- variables ---------------------------------------------------------------------------------------------------


def variable(variables: dict[str, Any], name: str | None) -> Any:
    try:
        return variables[name]  # type: ignore[index]
    except KeyError:
        if name is None:
            raise ArgumentNullException("Value cannot be null.\r\nParameter name: key") from None
        raise KeyNotFoundException from None


def variable_get(variables: dict[str, Any], name: str | None) -> tuple[bool, Any]:
    return given(name) in variables, variables.get(given(name))


def variable_get_or(variables: dict[str, Any], name: str | None) -> Any:
    return variables.get(given(name))


def variable_values(variables: dict[str, Any]) -> list[Any]:
    return list(variables.values())


def variable_or(variables: dict[str, Any], info: TypeInfo, name: str | None, default: Any = MISSING) -> Any:
    """`GetValueOrDefault<T>`: absent gives the default, another type is an InvalidCastException."""
    value = variables.get(given(name), MISSING)
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


def no_trace(x: Exchange, message: str) -> None:
    """`context.Trace`: kept only while a call is traced."""
    if x.trace is not None:
        x.trace_records.append(("trace", message))


def status_code(response: ResponseState | None) -> int:
    """0 while there is no response (docs/decisions/0013)."""
    return 0 if response is None else response.status


def status_reason(response: ResponseState | None) -> str | None:
    return None if response is None else response.reason


def product_state(product: Product) -> str:
    return product.state


def groups(owner: Product | User) -> list[Group]:
    return list(owner.groups)


def protocols(api: Api) -> list[str]:
    return list(api.protocols)


def identities(user: User) -> list[tuple[str, str]]:
    return list(user.identities)


def identity_provider(identity: tuple[str, str]) -> str:
    return identity[0]


def identity_id(identity: tuple[str, str]) -> str:
    return identity[1]


def subscription_created(subscription: Any) -> DateTime:
    return dates.from_unix(subscription.created)


def subscription_start(subscription: Any) -> DateTime | None:
    return None if subscription.start is None else dates.from_unix(subscription.start)


def subscription_end(subscription: Any) -> DateTime | None:
    return None if subscription.end is None else dates.from_unix(subscription.end)


def user_registered(user: User) -> DateTime:
    return dates.from_unix(user.registered)


def deployment(x: Exchange) -> Any:
    return x.services.deployment


def same(value: Any) -> Any:
    return value


def managed(value: Any) -> bool:
    return bool(value.gateway_id == "managed")


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
        namespace=_APIM,
        kind="interface",
        bases=("IReadOnlyDictionary<string, string[]>",),
        python=python,
    )


def _plain(*names: tuple[str, str]) -> tuple[Declared, ...]:
    """Properties that are attributes: (C# declaration, Python attribute)."""
    return tuple(member(signature, attr=attr) for signature, attr in names)


_TYPES: Final[tuple[TypeDecl, ...]] = (
    _values("IHeaders", HeaderValues, ("header",), ("header-name",)),
    _values("IQuery", QueryValues, ("query",)),
    _values("IClaims", Claims),
    declare(
        "IContext",
        member("IApi Api", attr="api"),
        member("IOperation Operation", attr="operation"),
        member("IProduct? Product", attr="product"),
        member("ISubscription? Subscription", attr="subscription"),
        member("IUser? User", attr="user"),
        member("IRequest Request", same),
        member("IContextResponse? Response", attr="response"),
        member("ILastError? LastError", attr="last_error"),
        member("IVariables Variables", attr="variables"),
        member("IDeployment Deployment", deployment),
        member("Guid RequestId", request_id),
        member("TimeSpan Elapsed", elapsed),
        member("DateTime Timestamp", timestamp),
        member("bool Tracing", tracing),
        member("void Trace(string message)", no_trace),
        namespace=_APIM,
        python=Exchange,
    ),
    declare(
        "IRequest",
        member("string Method", request_method),
        member("IHeaders Headers", request_headers, effects=("headers",)),
        member("IUrl Url", request_url),
        member("IUrl OriginalUrl", original_url),
        member("string IpAddress", request_ip),
        member("IMessageBody? Body", request_body, effects=("request-body",)),
        member("IReadOnlyDictionary<string, string> MatchedParameters", matched_parameters),
        namespace=_APIM,
    ),
    declare(
        "IResponse",
        member("int StatusCode", status_code),
        member("string? StatusReason", status_reason),
        member("IHeaders Headers", response_headers, effects=("headers",)),
        member("IMessageBody Body", response_body),
        namespace=_APIM,
        python=ResponseState,
    ),
    declare(
        "IContextResponse",
        member("int StatusCode", status_code, null_ok=True),
        member("string? StatusReason", status_reason, null_ok=True),
        member("IMessageBody Body", response_body, effects=("response-body",)),
        namespace=_APIM,
        bases=("IResponse",),
        python=ResponseState,
    ),
    declare(
        "IMessageBody",
        member("T? As<T>()", body_as, typed=True),
        member("T? As<T>(bool preserveContent)", body_as, typed=True),
        member("IDictionary<string, IList<string>> AsFormUrlEncodedContent()", body_form),
        member("IDictionary<string, IList<string>> AsFormUrlEncodedContent(bool preserveContent)", body_form),
        namespace=_APIM,
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
        namespace=_APIM,
        kind="interface",
        bases=("IReadOnlyDictionary<string, object>",),
        python=dict,
    ),
    declare(
        "IUrl",
        member("string Host", url_host),
        member("string Path", url_path),
        member("int Port", url_port),
        member("string Scheme", url_scheme),
        member("IQuery Query", url_query),
        member("string QueryString", url_query_string),
        member("string ToString()", url_text),
        namespace=_APIM,
        kind="interface",
        python=UrlView,
    ),
    declare(
        "IApi",
        *_plain(
            ("string Id", "id"), ("string Name", "name"), ("string Path", "path"), ("string? Revision", "revision"),
            ("string? Version", "version"), ("bool IsCurrentRevision", "is_current_revision"),
        ),
        member("IUrl? ServiceUrl", api_url),
        member("IEnumerable<string> Protocols", protocols),
        member("ISubscriptionKeyParameterNames SubscriptionKeyParameterNames", same),
        namespace=_APIM,
    ),
    declare("ISubscriptionKeyParameterNames", *_plain(("string Header", "key_header"), ("string Query", "key_query")), namespace=_APIM),
    declare(
        "IOperation",
        *_plain(("string Id", "id"), ("string Name", "name"), ("string Method", "method"), ("string UrlTemplate", "url_template")),
        namespace=_APIM,
    ),
    declare(
        "IProduct",
        *_plain(
            ("string Id", "id"), ("string Name", "name"), ("bool SubscriptionRequired", "subscription_required"),
            ("bool ApprovalRequired", "approval_required"), ("int? SubscriptionsLimit", "subscriptions_limit"),
            ("int? SubscriptionLimit", "subscriptions_limit"),
        ),
        member("string State", product_state),
        member("IEnumerable<IGroup> Groups", groups),
        namespace=_APIM,
    ),
    declare("IGroup", *_plain(("string Id", "id"), ("string Name", "name")), namespace=_APIM),
    declare(
        "ISubscription",
        *_plain(("string Id", "id"), ("string Name", "name")),
        member("DateTime CreatedDate", subscription_created),
        member("DateTime? StartDate", subscription_start),
        member("DateTime? EndDate", subscription_end),
        namespace=_APIM,
    ),
    declare(
        "IUser",
        *_plain(
            ("string Id", "id"), ("string Email", "email"), ("string FirstName", "first_name"),
            ("string LastName", "last_name"), ("string? Note", "note"),
        ),
        member("DateTime RegistrationDate", user_registered),
        member("IEnumerable<IGroup> Groups", groups),
        member("IEnumerable<IUserIdentity> Identities", identities),
        namespace=_APIM,
    ),
    declare("IUserIdentity", member("string Id", identity_id), member("string Provider", identity_provider), namespace=_APIM),
    declare(
        "ILastError",
        *_plain(
            ("string Source", "source"), ("string Reason", "reason"), ("string Message", "message"), ("string Scope", "scope"),
            ("string Section", "section"), ("string Path", "path"), ("string PolicyId", "policy_id"),
        ),
        namespace=_APIM,
        python=LastError,
    ),
    declare(
        "IDeployment",
        *_plain(("string Region", "region"), ("string ServiceId", "service_id"), ("string ServiceName", "service_name"), ("string GatewayId", "gateway_id")),
        member("IGateway Gateway", same),
        namespace=_APIM,
    ),
    declare(
        "IGateway",
        *_plain(("string Id", "gateway_id"), ("string InstanceId", "gateway_id")),
        member("bool IsManaged", managed),
        namespace=_APIM,
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
        namespace=_APIM,
        python=Jwt,
    ),
    declare("BasicAuthCredentials", *_plain(("string UserId", "user_id"), ("string Password", "password")), namespace=_APIM, python=Basic),
    declare(
        "Credentials",
        member("static Jwt? AsJwt(this string input)", as_jwt),
        member("static bool TryParseJwt(this string input, out Jwt result)", try_jwt),
        member("static BasicAuthCredentials? AsBasic(this string input)", as_basic),
        member("static bool TryParseBasic(this string input, out BasicAuthCredentials result)", try_basic),
        namespace=_APIM,
        kind="static",
    ),
)  # fmt: skip


@lru_cache(maxsize=1)
def world() -> World:
    """The world of policy expressions, made once."""
    return World(Universe((*NET, *_TYPES)), {"context": ("x", Type("IContext"))}, ("x",))


# What a variable may hold without a remark (facts: set-variable).
KEPT: Final = frozenset(
    (
        "JArray", "JContainer", "JProperty", "JObject", "JToken", "JValue", "bool", "sbyte", "byte", "ushort",
        "uint", "ulong", "short", "int", "long", "decimal", "float", "double", "Guid", "string", "char", "DateTime",
        "TimeSpan", "Nullable", "object", "null",
    )
)  # fmt: skip
