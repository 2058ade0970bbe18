"""Distinguished names as .NET writes them: the most specific part first, Windows' short names, quotes where needed."""

from __future__ import annotations

from typing import Any, Final

_SHORT: Final = {
    "2.5.4.3": "CN", "2.5.4.4": "SN", "2.5.4.5": "SERIALNUMBER", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "S",
    "2.5.4.9": "STREET", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.12": "T", "2.5.4.42": "G", "2.5.4.43": "I",
    "2.5.4.13": "Description", "2.5.4.17": "PostalCode", "2.5.4.20": "Phone",
    "1.2.840.113549.1.9.1": "E", "0.9.2342.19200300.100.1.25": "DC",
}  # fmt: skip
_QUOTED: Final = frozenset(',+="\r\n<>#;')
_SIMPLE: Final = ("2.5.4.3", "2.5.4.11", "2.5.4.10", "1.2.840.113549.1.9.1")
_UPN: Final = "1.3.6.1.4.1.311.20.2.3"


def _value(value: Any) -> str:
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    if text and (text[0].isspace() or text[-1].isspace() or not _QUOTED.isdisjoint(text)):
        return '"' + text.replace('"', '""') + '"'
    return text


def name_text(name: Any) -> str:
    """A `cryptography` Name as text."""
    out = []
    for rdn in reversed(list(name.rdns)):
        parts = []
        for each in rdn:
            oid = each.oid.dotted_string
            parts.append(f"{_SHORT.get(oid, 'OID.' + oid)}={_value(each.value)}")
        out.append(" + ".join(parts))
    return ", ".join(out)


def simple_name(cert: Any, kind: int, for_issuer: bool) -> str:
    """`GetNameInfo`: kinds are those of X509NameType; empty where there is none."""
    name = cert.issuer if for_issuer else cert.subject
    by_oid = {a.oid.dotted_string: str(a.value) for a in name}
    others = _alternatives(cert, for_issuer)
    match kind:
        case 0:
            found = next((by_oid[o] for o in _SIMPLE if o in by_oid), None)
            return found or others["email"] or others["dns"] or next(iter(by_oid.values()), "")
        case 1:
            return others["email"] or by_oid.get("1.2.840.113549.1.9.1", "")
        case 2:
            return others["upn"]
        case 3:
            return others["dns"] or by_oid.get("2.5.4.3", "")
        case 4:
            return others["dns"]
        case _:
            return others["url"]


def _alternatives(cert: Any, for_issuer: bool) -> dict[str, str]:
    """The first alternative name of each kind."""
    from cryptography import x509

    out = {"email": "", "dns": "", "url": "", "upn": ""}
    kind = x509.IssuerAlternativeName if for_issuer else x509.SubjectAlternativeName
    try:
        names = cert.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, ValueError):
        return out
    for each in names:
        key = {x509.RFC822Name: "email", x509.DNSName: "dns", x509.UniformResourceIdentifier: "url"}.get(
            type(each)
        )
        if key is None and isinstance(each, x509.OtherName) and each.type_id.dotted_string == _UPN:
            out["upn"] = out["upn"] or each.value[2:].decode("utf-8", "replace")
        elif key is not None:
            out[key] = out[key] or each.value
    return out
