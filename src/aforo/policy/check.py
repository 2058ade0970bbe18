"""Elements of a document against their declarations: places, attributes, children, texts. It generates nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from aforo.policy import diagnostics as say
from aforo.policy import limits
from aforo.policy.authored import Authored, joined
from aforo.policy.document import XmlElement, XmlText
from aforo.policy.emit import Use
from aforo.policy.named_values import NamedValue, fill
from aforo.policy.scopes import Scope, Section
from aforo.policy.spec import Attribute, Child, Element
from aforo.source import Diagnostic

_ID = Attribute("id", "An identifier of your own; `context.LastError.PolicyId` shows it.", expressions=False)


@dataclass(slots=True)
class Checker:
    """Checks what stands in one section; `known` are the policies that run, `never` those that do not, with the reason."""

    section: Section
    scope: Scope
    known: Mapping[str, Element]
    never: Mapping[str, str]
    values: Mapping[str, NamedValue]
    report: Callable[[Diagnostic], None]
    backends: Collection[str] | None = None  # None: nobody knows which there are
    seen: dict[str, int] = field(default_factory=dict)
    budget: int = limits.EXPANDED_ELEMENTS

    def policies(
        self, elements: list[XmlElement], path: str, parent: Use | None, *, top: bool
    ) -> tuple[Use, ...]:
        """Elements in statement position."""
        out: list[Use] = []
        counts: dict[str, int] = {}
        for element in elements:
            if self.budget < 0:
                break
            counts[element.name] = counts.get(element.name, 0) + 1
            use = self.policy(element, f"{path}{element.name}[{counts[element.name]}]", parent, top=top)
            if use is not None:
                out.append(use)
        return tuple(out)

    def policy(self, element: XmlElement, path: str, parent: Use | None, *, top: bool) -> Use | None:
        name, span = element.name, element.name_span
        spec = self.known.get(name)
        if spec is None:
            if name in self.never:
                self.report(say.never(span, name, self.never[name]))
            elif name != name.lower() and name.lower() in self.known:
                self.report(say.name_case(span, name.lower()))
            else:
                self.report(say.unknown_policy(span, name, self.known))
            return None
        if self.section not in spec.sections:
            self.report(
                say.wrong_section(
                    span, name, self.section.value, [s.value for s in Section if s in spec.sections]
                )
            )
        if self.scope not in spec.scopes:
            self.report(
                say.wrong_scope(span, name, self.scope.value, [s.value for s in Scope if s in spec.scopes])
            )
        if name == "base" and not top:
            self.report(say.base_inside(span))
            return None
        self.seen[name] = self.seen.get(name, 0) + 1
        if spec.once and self.seen[name] == 2:
            self.report(say.twice(span, name, self.section.value))
        return self.use(element, spec, path, parent)

    def use(self, element: XmlElement, spec: Element | Child, path: str, parent: Use | None) -> Use:
        self.budget -= 1
        attributes = self.attributes(element, spec)
        text = self.text(element, spec)
        children: dict[str, tuple[Use, ...]] = {}
        policies: tuple[Use, ...] = ()
        made = Use(element, spec, attributes, text, children, policies, path, parent)
        if self.budget < 0:
            if self.budget == -1:
                self.report(say.too_large(element.span, f"more than {limits.EXPANDED_ELEMENTS} elements"))
            return made
        if spec.policies:
            inside = element.elements
            if isinstance(spec, Element) and spec.only:
                for each in inside:
                    if each.name not in spec.only:
                        self.report(say.unknown_child(each.name_span, element.name, each.name, spec.only))
                inside = [each for each in inside if each.name in spec.only]
            inner = self.policies(inside, f"{path}/", made, top=False)
            return Use(element, spec, attributes, text, children, inner, path, parent)
        children.update(self.children(element, spec, path, made))
        return made

    def attributes(self, element: XmlElement, spec: Element | Child) -> dict[str, Authored]:
        known = {a.name: a for a in spec.attributes}
        if isinstance(spec, Element) or spec.policies:
            known.setdefault("id", _ID)
        out: dict[str, Authored] = {}
        for attribute in element.attributes.values():
            if attribute.name not in known:
                never = spec.never if isinstance(spec, Element) else ()
                reason = next((why for start, why in never if attribute.name.startswith(start)), None)
                if reason is not None:
                    self.report(say.never(attribute.name_span, attribute.name, reason))
                elif not attribute.name.startswith("xmlns"):
                    self.report(
                        say.unknown_attribute(attribute.name_span, element.name, attribute.name, known)
                    )
                continue
            value = out[attribute.name] = fill(attribute.value, self.values, self.report)
            if known[attribute.name].backend and self.backends is not None:
                self.backend(value.stripped(), self.backends)
        for each in known.values():
            if each.required and each.name not in out:
                self.report(say.missing_attribute(element.span, element.name, each.name))
        return out

    def backend(self, value: Authored, backends: Collection[str]) -> None:
        """Reports an id that no backend has; what an expression gives is known in the call."""
        name = value.text
        if name and not name.startswith(("@", "{{")) and name.lower() not in (b.lower() for b in backends):
            self.report(say.unknown_backend(value.whole, name, backends))

    def text(self, element: XmlElement, spec: Element | Child) -> Authored | None:
        if spec.text is not None and spec.text.markup and element.elements:
            return self.filled(element.markup, element)
        texts = [c.value for c in element.children if isinstance(c, XmlText)]
        live = [t for t in texts if t.text.strip()]
        if spec.text is None:
            for each in live:
                self.report(say.stray_text(each.stripped().whole, element.name))
            return None
        if element.elements and spec.text.kind != "text":
            child = element.elements[0]
            self.report(say.unknown_child(child.name_span, element.name, child.name, ()))
        if not live:
            if spec.text.required:
                self.report(say.missing_text(element.span, element.name))
            return texts[0] if texts and spec.text.kind == "text" else None
        parts = [
            (t.text[p.start : p.start + p.size], p.origin, p.same, p.secret) for t in texts for p in t.pieces
        ]
        whole = self.filled(joined(parts), element)
        return whole if spec.text.kind == "text" else whole.stripped()

    def filled(self, text: Authored, element: XmlElement) -> Authored:
        """The text with its named values. In a template what looks like one and is none is the template's own."""
        template = element.attributes.get("template")
        if template is not None and template.value.text.strip().lower() == "liquid":
            return fill(text, self.values, lambda _: None)
        return fill(text, self.values, self.report)

    def children(
        self, element: XmlElement, spec: Element | Child, path: str, parent: Use
    ) -> dict[str, tuple[Use, ...]]:
        if spec.text is not None and spec.text.markup:
            return {}
        known = {c.name: c for c in spec.children}
        found: dict[str, list[Use]] = {}
        for child in element.elements:
            declared = known.get(child.name)
            if declared is None:
                self.unknown_child(child, element, spec, known)
                continue
            group = found.setdefault(child.name, [])
            if group and not declared.many:
                self.report(say.one_child(child.span, element.name, child.name))
                continue
            target: Element | Child = self.known[declared.same_as] if declared.same_as else declared
            group.append(self.use(child, target, f"{path}/{child.name}[{len(group) + 1}]", parent))
        for each in spec.children:
            if each.required and each.name not in found:
                self.report(say.missing_child(element.span, element.name, each.name))
        return {name: tuple(uses) for name, uses in found.items()}

    def unknown_child(
        self, child: XmlElement, element: XmlElement, spec: Element | Child, known: Mapping[str, Child]
    ) -> None:
        if isinstance(spec, Element) and spec.text is not None and not known:
            # Markup as the text of set-body: it must be escaped or put into CDATA.
            self.report(say.unknown_child(child.name_span, element.name, child.name, ()))
            return
        self.report(say.unknown_child(child.name_span, element.name, child.name, known))
