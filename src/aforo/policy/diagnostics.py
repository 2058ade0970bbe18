"""All wording of the policy compiler: codes and messages. It decides nothing.

POL00xx: the text as XML; POL01xx: the shape of the document; POL02xx: policies and their attributes; POL03xx:
named values and fragments; POL04xx: limits; POL05xx: warnings.
"""

from __future__ import annotations

from collections.abc import Iterable

from aforo.csharp.diagnostics import hint
from aforo.source import Diagnostic, Severity, Span


def not_xml(span: Span, what: str, *hints: str) -> Diagnostic:
    return Diagnostic("POL0001", what, span, hints=hints)


def unclosed_element(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "POL0002", f"`<{name}>` is not closed", span, hints=(f"add `</{name}>`, or end it with `/>`",)
    )


def stray_end(span: Span, name: str) -> Diagnostic:
    return Diagnostic("POL0003", f"`</{name}>` closes nothing that is open here", span)


def unclosed_expression(span: Span, what: str) -> Diagnostic:
    return Diagnostic("POL0004", f"the expression does not end: this {what} is never closed", span)


def after_expression(span: Span) -> Diagnostic:
    return Diagnostic(
        "POL0005",
        "text follows the expression; an expression is the whole value",
        span,
        hints=('put the text inside: @("..." + value)',),
    )


def with_secret(inner: Diagnostic) -> Diagnostic:
    """A diagnostic of an expression that a secret was put into: its words could hold a part of it."""
    message = "the expression is wrong here; a secret named value stands in it, so no more is said"
    return Diagnostic(inner.code, message, inner.span, inner.severity)


def duplicate_attribute(span: Span, name: str) -> Diagnostic:
    return Diagnostic("POL0006", f"the attribute `{name}` is given twice", span)


def entity(span: Span, text: str) -> Diagnostic:
    return Diagnostic(
        "POL0007",
        f"`{text}` is not an entity of policy documents",
        span,
        hints=("write &amp; for an ampersand; only amp, lt, gt, quot, apos and numbers are known",),
    )


def doctype(span: Span) -> Diagnostic:
    return Diagnostic("POL0008", "document types and processing instructions are refused in policies", span)


def no_root(span: Span) -> Diagnostic:
    return Diagnostic("POL0101", "there is no `<policies>` element", span)


def second_root(span: Span, name: str) -> Diagnostic:
    return Diagnostic("POL0102", f"`<{name}>` stands beside the root element; a document has one", span)


def wrong_root(span: Span, name: str, wanted: str) -> Diagnostic:
    return Diagnostic("POL0103", f"the root element is `<{name}>`, it must be `<{wanted}>`", span)


def unknown_section(span: Span, name: str, names: Iterable[str]) -> Diagnostic:
    known = ("sections are inbound, backend, outbound and on-error",)
    return Diagnostic("POL0104", f"`<{name}>` is not a section", span, hints=hint(name, names) or known)


def second_section(span: Span, name: str) -> Diagnostic:
    return Diagnostic("POL0105", f"there is a second `<{name}>` section", span)


def stray_text(span: Span, where: str) -> Diagnostic:
    return Diagnostic("POL0106", f"text has no place directly in `<{where}>`", span)


def unknown_policy(span: Span, name: str, names: Iterable[str]) -> Diagnostic:
    return Diagnostic("POL0201", f"`{name}` is not a policy", span, hints=hint(name, names))


def never(span: Span, name: str, reason: str) -> Diagnostic:
    return Diagnostic("POL0203", f"`{name}` is refused: {reason}", span)


def wrong_section(span: Span, name: str, section: str, allowed: Iterable[str]) -> Diagnostic:
    where = ", ".join(allowed)
    return Diagnostic(
        "POL0204", f"`{name}` cannot stand in `{section}`", span, hints=(f"it belongs into {where}",)
    )


def wrong_scope(span: Span, name: str, scope: str, allowed: Iterable[str]) -> Diagnostic:
    where = ", ".join(allowed)
    return Diagnostic(
        "POL0205", f"`{name}` cannot be used at {scope} scope", span, hints=(f"it belongs to {where}",)
    )


def twice(span: Span, name: str, section: str) -> Diagnostic:
    return Diagnostic("POL0206", f"`{name}` may stand once in `{section}`", span)


def unknown_attribute(span: Span, element: str, name: str, names: Iterable[str]) -> Diagnostic:
    return Diagnostic("POL0207", f"`{element}` has no attribute `{name}`", span, hints=hint(name, names))


def missing_attribute(span: Span, element: str, name: str) -> Diagnostic:
    return Diagnostic("POL0208", f"`{element}` needs the attribute `{name}`", span)


def bad_value(span: Span, name: str, wanted: str) -> Diagnostic:
    return Diagnostic("POL0209", f"`{name}` must be {wanted}", span)


def no_expression(span: Span, name: str, reason: str = "") -> Diagnostic:
    why = f": {reason}" if reason else ""
    return Diagnostic(
        "POL0210", f"`{name}` must be written out, an expression is not allowed here{why}", span
    )


def unknown_child(span: Span, element: str, name: str, names: Iterable[str]) -> Diagnostic:
    return Diagnostic("POL0211", f"`<{name}>` has no place in `{element}`", span, hints=hint(name, names))


def missing_child(span: Span, element: str, name: str) -> Diagnostic:
    return Diagnostic("POL0212", f"`{element}` needs a `<{name}>`", span)


def wrong_order(span: Span, element: str, name: str, before: str) -> Diagnostic:
    return Diagnostic("POL0236", f"in `{element}`, `<{name}>` has to stand before `<{before}>`", span)


def one_child(span: Span, element: str, name: str) -> Diagnostic:
    return Diagnostic("POL0213", f"`{element}` takes one `<{name}>`", span)


def missing_text(span: Span, element: str) -> Diagnostic:
    return Diagnostic("POL0214", f"`{element}` needs a value between its tags", span)


def one_of(span: Span, element: str, names: Iterable[str]) -> Diagnostic:
    return Diagnostic(
        "POL0215", f"`{element}` needs exactly one of " + ", ".join(f"`{n}`" for n in names), span
    )


def base_inside(span: Span) -> Diagnostic:
    return Diagnostic("POL0216", "`<base />` stands directly in a section, nowhere else", span)


def unsupported(span: Span, what: str) -> Diagnostic:
    return Diagnostic("POL0217", f"{what} is not run by this version", span)


def needs_liquid(span: Span) -> Diagnostic:
    return Diagnostic(
        "POL0234",
        "Liquid templates need a part of Aforo that is not installed",
        span,
        hints=("pip install 'aforo[liquid]'",),
    )


def wrong_template(span: Span, reason: str) -> Diagnostic:
    return Diagnostic("POL0235", f"the Liquid template is not well-formed: {reason}", span)


def restricted_header(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "POL0531",
        f"the header `{name}` belongs to the connection: policies cannot change it, and this one does nothing",
        span,
        Severity.WARNING,
    )


def no_header_name(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "POL0532",
        f"`{name}` cannot be the name of a header: a call fails when it comes here",
        span,
        Severity.WARNING,
    )


def one_in_backend(span: Span) -> Diagnostic:
    return Diagnostic(
        "POL0219",
        "the backend section holds one policy",
        span,
        hints=("usually <base /> or <forward-request />; a wrapper such as choose may hold more",),
    )


def unknown_named_value(span: Span, name: str, names: Iterable[str]) -> Diagnostic:
    return Diagnostic("POL0301", f"there is no named value `{name}`", span, hints=hint(name, names))


def unknown_fragment(span: Span, name: str, names: Iterable[str]) -> Diagnostic:
    return Diagnostic("POL0302", f"there is no policy fragment `{name}`", span, hints=hint(name, names))


def fragment_circle(span: Span, name: str) -> Diagnostic:
    return Diagnostic("POL0303", f"the policy fragment `{name}` includes itself", span)


def unknown_backend(span: Span, name: str, names: Iterable[str]) -> Diagnostic:
    return Diagnostic("POL0304", f"there is no backend `{name}`", span, hints=hint(name, names))


def in_fragment(span: Span, name: str, line: int, column: int, inner: Diagnostic) -> Diagnostic:
    message = f"in the policy fragment `{name}`, line {line}, column {column}: {inner.message}"
    return Diagnostic(inner.code, message, span, inner.severity, inner.hints)


def too_large(span: Span, what: str) -> Diagnostic:
    return Diagnostic("POL0401", f"the document has too much of this: {what}", span)


def expression_inside_text(span: Span) -> Diagnostic:
    return Diagnostic(
        "POL0501",
        "`@(` inside a longer text is plain text; only a value that begins with it is an expression",
        span,
        Severity.WARNING,
    )


def variable_type(span: Span, type_name: str) -> Diagnostic:
    return Diagnostic(
        "POL0502",
        f"API Management does not promise to keep a `{type_name}` in a variable; here it is kept as it is",
        span,
        Severity.INFO,
    )


def http_version(span: Span) -> Diagnostic:
    return Diagnostic("POL0503", "the backend is called with HTTP/1.1", span, Severity.WARNING)


def holds_streams(span: Span, element: str, why: str) -> Diagnostic:
    return Diagnostic(
        "POL0530",
        f"event streams are held back for `{element}` until they have ended: {why}",
        span,
        Severity.INFO,
    )


def no_external_cache(span: Span) -> Diagnostic:
    return Diagnostic(
        "POL0510",
        "the service has no external cache: nothing is found in it and nothing is stored",
        span,
        Severity.WARNING,
        hints=(
            "make one (`caches` of the service), or write `prefer-external`, which uses the gateway's own memory until then",
        ),
    )


def distance_threshold(span: Span, given: str) -> Diagnostic:
    return Diagnostic(
        "POL0511",
        f"`score-threshold` is a distance: with {given} answers to quite different questions are served",
        span,
        Severity.WARNING,
        hints=("0 asks for the same meaning, 0.05 is a good start; above 0.2 mismatches are likely",),
    )


def name_case(span: Span, name: str) -> Diagnostic:
    return Diagnostic("POL0104", f"element names are lower case: `<{name}>`", span)


def at_least_one_of(span: Span, element: str, names: Iterable[str]) -> Diagnostic:
    return Diagnostic("POL0231", f"`{element}` needs " + " or ".join(f"`{n}`" for n in names), span)


def goes_with(span: Span, name: str, other: str) -> Diagnostic:
    return Diagnostic("POL0232", f"`{name}` says nothing without `{other}`", span)


def default_dimension(span: Span, name: str, names: Iterable[str]) -> Diagnostic:
    known = ("without a value a dimension is one of " + ", ".join(names),)
    return Diagnostic(
        "POL0233", f"the dimension `{name}` needs a `value`", span, hints=hint(name, names) or known
    )


def longer_than_azure(span: Span, name: str, most: int) -> Diagnostic:
    return Diagnostic(
        "POL0520",
        f"`{name}` is more than {most}, which is the most that API Management takes; it is kept as it is",
        span,
        Severity.WARNING,
    )


def shorter_than_azure(span: Span, name: str, least: int) -> Diagnostic:
    return Diagnostic(
        "POL0520",
        f"`{name}` is less than {least}, which is the least that API Management takes; it is kept as it is",
        span,
        Severity.WARNING,
    )


def no_revocation(span: Span) -> Diagnostic:
    return Diagnostic(
        "POL0504",
        "revocation lists are not read: a certificate that its CA has revoked passes until it ends",
        span,
        Severity.WARNING,
        hints=('say validate-revocation="false" if that is meant',),
    )


def handshake_decides(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "POL0505",
        f"`{name}` makes no difference: certificates out of their time are refused in the handshake",
        span,
        Severity.WARNING,
    )


def broken_schema(span: Span, what: str, line: int, column: int) -> Diagnostic:
    """`line` and `column` count from 1."""
    message = f"the XML schema is broken in line {line}, column {column}: {what}"
    return Diagnostic("POL0540", message, span)


def no_xml_schemas(what: str) -> Diagnostic:
    return Diagnostic("POL0541", what, Span(0, 0), Severity.WARNING)


def says_nothing(span: Span, element: str, name: str) -> Diagnostic:
    return Diagnostic(
        "POL0521", f"`{name}` says nothing in `{element}`: it is left out of account", span, Severity.WARNING
    )


def no_values(span: Span, element: str) -> Diagnostic:
    return Diagnostic(
        "POL0522",
        f"`{element}` without a `<value>` sets nothing, and with `override` removes what is there",
        span,
        Severity.WARNING,
    )


def unusable_key(span: Span, wanted: str) -> Diagnostic:
    return Diagnostic(
        "POL0506", f"`key` must be {wanted}; no token passes by this one", span, Severity.WARNING
    )
