"""The shape of documents: which element is which section, what of a fragment runs, which fragment may be included.

Whoever reads a document reads it with this, so that what is shown is what is compiled. It knows no policy.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from aforo.policy import diagnostics as say
from aforo.policy import limits
from aforo.policy.document import Parsed, XmlElement, XmlText
from aforo.policy.scopes import Section
from aforo.source import Diagnostic, Span

Report = Callable[[Diagnostic], None]
_SECTIONS = {s.value: s for s in Section}


def sections(
    parsed: Parsed, size: int, report: Report, fragment: Section | None = None
) -> dict[Section, XmlElement]:
    """The section elements of `<policies>`; a document may also consist of bare sections. `size` is the text's.

    With `fragment` the text may also be a policy fragment, which stands in that section.
    """
    roots = parsed.roots
    if not roots:
        if not parsed.diagnostics:
            report(say.no_root(Span(0, min(1, size))))
        return {}
    first = roots[0]
    if first.name == "fragment" and fragment is not None:
        for extra in roots[1:]:
            report(say.second_root(extra.name_span, extra.name))
        return {fragment: first}
    if first.name == "policies":
        for extra in roots[1:]:
            report(say.second_root(extra.name_span, extra.name))
        for name, attribute in first.attributes.items():
            if not name.startswith("xmlns"):
                report(say.unknown_attribute(attribute.name_span, "policies", name, ()))
        _no_text(first, report)
        elements = first.elements
    elif first.name in _SECTIONS:
        elements = list(roots)
    else:
        report(say.wrong_root(first.name_span, first.name, "policies"))
        return {}
    out: dict[Section, XmlElement] = {}
    for element in elements:
        section = _SECTIONS.get(element.name)
        if section is None:
            report(say.unknown_section(element.name_span, element.name, _SECTIONS))
        elif section in out:
            report(say.second_section(element.name_span, element.name))
        else:
            out[section] = element
            _no_text(element, report)
            for name, attribute in element.attributes.items():
                report(say.unknown_attribute(attribute.name_span, element.name, name, ()))
    return out


def fragment_root(parsed: Parsed, report: Report) -> XmlElement | None:
    """The `<fragment>` of a fragment's text; None, with the reason reported, when it has none."""
    roots = parsed.roots
    if len(roots) == 1 and roots[0].name == "fragment":
        return roots[0]
    wrong = roots[0] if roots else None
    if wrong is not None and wrong.name == "fragment":
        report(say.second_root(roots[1].name_span, roots[1].name))
    elif wrong is not None:
        report(say.wrong_root(wrong.name_span, wrong.name, "fragment"))
    elif not parsed.diagnostics:
        report(say.wrong_root(Span(0, 0), "", "fragment"))
    return None


def not_includable(
    name: str, known: Mapping[str, str], including: Collection[str], span: Span
) -> Diagnostic | None:
    """Why the fragment cannot be included at `span`, inside of the fragments that are being included."""
    if name not in known:
        return say.unknown_fragment(span, name, known)
    if name in including:
        return say.fragment_circle(span, name)
    if len(including) >= limits.FRAGMENT_NESTING:
        return say.too_large(span, "fragments in fragments")
    return None


def _no_text(element: XmlElement, report: Report) -> None:
    for child in element.children:
        if isinstance(child, XmlText) and child.value.text.strip():
            report(say.stray_text(child.value.stripped().whole, element.name))
