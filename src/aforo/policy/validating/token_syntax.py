"""What `validate-jwt` and `validate-azure-ad-token` have in common in a document: attributes, children, their code.

It stands beside token_check.py, which runs, and loads it only when a document has such a policy: the library for tokens
takes 11 MB and most gateways never need it.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aforo.csharp.runtime.exceptions import FormatException
from aforo.policy import diagnostics as say
from aforo.policy.emit import Emitter, Use, Value
from aforo.policy.running import header_name
from aforo.policy.spec import Attribute, Child, Text

if TYPE_CHECKING:
    from aforo.policy.validating.token_check import TokenCheck

PLACES = ("header-name", "query-parameter-name", "token-value")

ATTRIBUTES = (
    Attribute("header-name", "The header that holds the token.", "name"),
    Attribute("query-parameter-name", "The query parameter that holds the token.", "name"),
    Attribute("token-value", "The token itself, without a scheme in front."),
    Attribute("failed-validation-httpcode", "The status code of a refusal.", "int", default="401"),
    Attribute(
        "failed-validation-error-message",
        "The message of a refusal; `JWT not present.` or `Invalid JWT.` without it.",
    ),
    Attribute(
        "output-token-variable-name",
        "A variable that gets the validated token as a `Jwt`.",
        "name",
        expressions=False,
    ),
)
AUDIENCES = Child(
    "audiences",
    "The audiences that are allowed; one of them has to be in the token's `aud`.",
    children=(Child("audience", "An audience.", many=True, text=Text("The audience.")),),
)
REQUIRED_CLAIMS = Child(
    "required-claims",
    "Claims that the token must have.",
    children=(
        Child(
            "claim",
            "A claim; without values it only has to be there.",
            many=True,
            attributes=(
                Attribute("name", "The claim's name.", "name", required=True),
                Attribute(
                    "match",
                    "all: every value has to be in the token; any: one of them.",
                    default="all",
                    values=("all", "any"),
                ),
                Attribute("separator", "What parts the values within the claim's text."),
            ),
            children=(Child("value", "A value.", many=True, text=Text("The value.")),),
        ),
    ),
)
_KEY_ATTRIBUTES = (
    Attribute("id", "The key id (`kid`) that the key is meant for; any without it."),
    Attribute("certificate-id", "A certificate of the service that holds the key."),
)
_NUMBERS = (
    Attribute("n", "The modulus of an RSA key, base64url.", expressions=False),
    Attribute("e", "Its exponent, base64url.", expressions=False),
)
SIGNING_KEYS = Child(
    "issuer-signing-keys",
    "Keys that tokens may be signed with.",
    children=(
        Child(
            "key",
            "A shared secret in base64, a certificate's key, or an RSA key by its numbers.",
            many=True,
            attributes=(*_KEY_ATTRIBUTES, *_NUMBERS),
            text=Text("The shared secret."),
        ),
    ),
)
DECRYPTION_KEYS = Child(
    "decryption-keys",
    "Keys that tokens may be encrypted with: A128KW to A256KW and dir by a shared secret, RSA-OAEP by a certificate.",
    children=(
        Child(
            "key",
            "A shared secret in base64, or a certificate with its key.",
            many=True,
            attributes=(*_KEY_ATTRIBUTES, *_NUMBERS),
            text=Text("The shared secret."),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Made:
    """An object to be made of parts: now, when all of them are known, or by the code."""

    type: Any
    parts: Mapping[str, Any]


def write_check(
    use: Use,
    emit: Emitter,
    check: TokenCheck,
    token: tuple[ast.expr, list[Value]],
    asked: Made | ast.expr,
    values: list[Value],
) -> None:
    """The call of the check; `token` is where it comes from, with the values that this takes. It is evaluated first."""
    code = emit.value(use, "failed-validation-httpcode")
    message = emit.value(use, "failed-validation-error-message")
    output = emit.value(use, "output-token-variable-name")
    if code is None:
        return
    site = emit.site(use, code, message, *token[1], *values)
    emit.do(
        "await RUN(x, SITE, TOKEN, ASKED, CODE, MESSAGE, OUTPUT)",
        RUN=check.run,
        SITE=site,
        TOKEN=token[0],
        ASKED=built(asked, emit),
        CODE=emit.number(code, "failed-validation-httpcode", 100, 999),
        MESSAGE=message,
        OUTPUT=(output.const or "").strip() if output is not None else None,
    )


def token_of(use: Use, emit: Emitter, default_header: str = "") -> tuple[ast.expr, list[Value]] | None:
    """Where the token comes from: exactly one attribute says it. None after a mistake."""
    from aforo.policy.validating.token_check import from_header, from_query

    given = [name for name in PLACES if name in use.attributes]
    if len(given) > 1 or not (given or default_header):
        emit.report(say.one_of(use.span, use.name, PLACES))
        return None
    value = emit.value(use, given[0]) if given else emit.constant(default_header, use.span)
    if value is None:
        return None
    if given and given[0] == "token-value":
        return value.code, [value]
    if given and given[0] == "query-parameter-name":
        return emit.expr("F(x, N)", F=from_query, N=value), [value]
    scheme = (
        emit.value(use, "require-scheme")
        if any(a.name == "require-scheme" for a in use.spec.attributes)
        else None
    )
    if value.const is None:
        name: Any = emit.expr("F(N)", F=header_name, N=value)
    else:
        try:
            name = header_name(value.const.strip())
        except FormatException:
            emit.report(say.bad_value(value.span, "header-name", "the name of a header"))
            return None
    code = emit.expr("F(x, N, S)", F=from_header, N=name, S=scheme)
    return code, [v for v in (value, scheme) if v is not None]


def texts_of(use: Use, emit: Emitter, group: str, item: str, attribute: str = "") -> list[Value]:
    """The texts (or one attribute) of a group's items."""
    parent = use.child(group)
    items = parent.children.get(item, ()) if parent is not None else ()
    found = [emit.value(i, attribute) if attribute else emit.text(i) for i in items]
    return [v for v in found if v is not None]


def claims_of(use: Use, emit: Emitter) -> tuple[tuple[Made, ...], list[Value]]:
    """The required claims, and the values that they take."""
    from aforo.policy.validating.token_check import Wanted

    parent = use.child("required-claims")
    made: list[Made] = []
    values: list[Value] = []
    for claim in parent.children.get("claim", ()) if parent is not None else ():
        name, match, separator = (emit.value(claim, a) for a in ("name", "match", "separator"))
        if name is None or match is None:
            continue
        wanted = [v for v in (emit.text(c) for c in claim.children.get("value", ())) if v is not None]
        every: Any = (
            match.const.strip().lower() != "any"
            if match.const is not None
            else emit.expr("V != 'any'", V=match)
        )
        parts = {"name": name, "every": every, "separator": separator, "values": tuple(wanted)}
        made.append(Made(Wanted, parts))
        values += [v for v in (name, match, separator, *wanted) if v is not None]
    return tuple(made), values


def keys_of(use: Use, emit: Emitter, group: str) -> tuple[tuple[tuple[Any, ...], ...], list[Value]]:
    """The keys of a group as (kind, kid, ...), and the values that they take."""
    from aforo.policy.validating.token_check import made_key

    parent = use.child(group)
    specs: list[tuple[Any, ...]] = []
    values: list[Value] = []
    for key in parent.children.get("key", ()) if parent is not None else ():
        kid, certificate, n, e = (emit.value(key, a) for a in ("id", "certificate-id", "n", "e"))
        text = emit.text(key) if key.text is not None and key.text.text.strip() else None
        given = [v for v in (text, certificate, n or e) if v is not None]
        if len(given) != 1 or (n is None) != (e is None):
            emit.report(say.one_of(key.span, "key", ("a value", "certificate-id", "n and e")))
            continue
        if n is not None and group == "decryption-keys":
            emit.report(say.unsupported(key.span, "decrypting with `n` and `e`, which are a public key,"))
            continue
        spec: tuple[Any, ...]
        wanted = "a key in base64 with at least 16 bytes"
        if text is not None:
            spec = ("secret", kid, text)
        elif certificate is not None:
            spec = ("certificate", kid, certificate)
        else:
            spec = ("numbers", kid, n, e)
            wanted = "an RSA key of at least 2048 bits in base64url"
        parts: list[Value] = [p for p in spec[1:] if p is not None]
        if certificate is None and all(p.const is not None for p in parts):
            try:
                made_key(str(spec[0]), "", [p.const or "" for p in spec[2:] if p is not None])
            except ValueError:
                # Samples have placeholders there, and tools check documents without the named values that they name.
                emit.report(say.unusable_key(given[0].span, wanted))
        specs.append(spec)
        values += parts
    return tuple(specs), values


def built(node: Any, emit: Emitter) -> ast.expr:
    """A structure as code: one object that is there already, when everything in it is known."""
    if isinstance(node, Made):
        if _is_known(node):
            return emit.part(_made(node))
        call = ast.Call(
            emit.part(node.type),
            [],
            [ast.keyword(name, built(part, emit)) for name, part in node.parts.items()],
        )
        made: ast.expr = emit.place(call)
        return made
    if isinstance(node, tuple):
        placed: ast.expr = emit.place(ast.Tuple([built(n, emit) for n in node], ast.Load()))
        return placed
    return emit.expr("V", V=node)


def _is_known(node: Any) -> bool:
    if isinstance(node, Made):
        return all(_is_known(part) for part in node.parts.values())
    if isinstance(node, tuple):
        return all(_is_known(part) for part in node)
    return node.const is not None if isinstance(node, Value) else not isinstance(node, ast.AST)


def _made(node: Any) -> Any:
    if isinstance(node, Made):
        return node.type(**{name: _made(part) for name, part in node.parts.items()})
    if isinstance(node, tuple):
        return tuple(_made(part) for part in node)
    return node.const if isinstance(node, Value) else node


def flat(*groups: Sequence[Value]) -> list[Value]:
    return [v for group in groups for v in group]
