"""`llm-content-safety`: prompts and answers that a content safety service finds something in are refused."""

from __future__ import annotations

import ast
from typing import Any

from aforo.policy import diagnostics as say
from aforo.policy.content_safety import CATEGORIES, OUTPUT_TYPES, SOURCE, check_answer, check_prompt, rules
from aforo.policy.counting.telling import number
from aforo.policy.emit import Emitter, Use
from aforo.policy.pipeline import Effects
from aforo.policy.scopes import Section
from aforo.policy.spec import Attribute, Child, Element, Text

_LONGEST_WINDOW = 10_000
_PROMPT = Effects(reads_request_body=True)
_ANSWER = Effects(reads_response_body=True, holds_response=True)


def write(use: Use, emit: Emitter) -> None:
    backend, output_type = emit.value(use, "backend-id"), _output_type(use, emit)
    shield, on_answer = emit.value(use, "shield-prompt"), emit.value(use, "enforce-on-completions")
    window, overlap = emit.value(use, "window-size"), emit.value(use, "window-overlap-size")
    group = use.child("categories")
    categories = [
        (emit.value(c, "name"), emit.value(c, "threshold"))
        for c in (*use.children.get("category", ()), *(group.children.get("category", ()) if group else ()))
    ]
    lists = use.child("blocklists")
    blocklists = [emit.text(i) for i in (lists.children.get("id", ()) if lists else ())]
    if backend is None or output_type is None or window is None or overlap is None:
        return
    if window.const is not None and overlap.const is not None and int(window.const) <= int(overlap.const):
        emit.report(say.bad_value(overlap.span, "window-overlap-size", "less than `window-size`"))
    site: list[Any] = [backend, output_type, shield, on_answer, window, overlap]
    emit.site(use, *site, *(v for pair in categories for v in pair), *blocklists)
    pairs: list[ast.expr] = []
    for name, threshold in categories:
        if name is None or threshold is None:
            return
        limit = emit.part(number(emit, threshold, "threshold", 0, 7))
        pairs.append(ast.Tuple([name.code, limit], ast.Load()))
    asked = emit.expr(
        "RULES(BACKEND, SHIELD, OUTPUT, CATEGORIES, LISTS, WINDOW, OVERLAP)",
        RULES=rules,
        BACKEND=backend,
        SHIELD=emit.flag(use, "shield-prompt"),
        OUTPUT=output_type,
        CATEGORIES=ast.Tuple(pairs, ast.Load()),
        LISTS=ast.Tuple([b.code for b in blocklists if b is not None], ast.Load()),
        WINDOW=number(emit, window, "window-size", 1, _LONGEST_WINDOW),
        OVERLAP=number(emit, overlap, "window-overlap-size", 0, _LONGEST_WINDOW),
    )
    if emit.unit.section is Section.OUTBOUND:
        emit.facts.effects |= _ANSWER
        emit.do("await CHECK(x, RULES)", CHECK=check_answer, RULES=asked)
        return
    also = emit.flag(use, "enforce-on-completions")
    emit.facts.effects |= _PROMPT if also is False else _PROMPT | _ANSWER
    emit.do("await CHECK(x, RULES, ALSO)", CHECK=check_prompt, RULES=asked, ALSO=also)


def _output_type(use: Use, emit: Emitter) -> Any:
    group = use.child("categories")
    if group is None:
        return emit.constant("FourSeverityLevels", use.span)
    return emit.value(group, "output-type")


_CATEGORY = Child(
    "category",
    "A category of harm.",
    many=True,
    attributes=(
        Attribute(
            "name",
            "Hate, SelfHarm, Sexual or Violence.",
            required=True,
            values=tuple(CATEGORIES),
        ),
        Attribute("threshold", "The severity (0 to 7) from which on it is refused.", "int", required=True),
    ),
)

ELEMENT = Element(
    SOURCE,
    "Asks a content safety service about the prompt (in inbound) or the answer (in outbound); what it finds is "
    "refused with 403. An answer is held back until it has been looked at; a stream ends before the finding.",
    write,
    sections=frozenset((Section.INBOUND, Section.OUTBOUND)),
    attributes=(
        Attribute(
            "backend-id", "The backend of the content safety service.", "name", required=True, backend=True
        ),
        Attribute("shield-prompt", "Whether the prompt is looked at for attacks.", "bool", default="false"),
        Attribute(
            "enforce-on-completions",
            "In inbound: whether the answer is looked at as well.",
            "bool",
            default="false",
        ),
        Attribute(
            "window-size", "In how many characters at a time an answer is looked at.", "int", default="1000"
        ),
        Attribute(
            "window-overlap-size",
            "How many characters of a window stand at the start of the next one again.",
            "int",
            default="0",
        ),
    ),
    children=(
        Child(
            "categories",
            "The categories of harm that are refused.",
            attributes=(
                Attribute(
                    "output-type",
                    "FourSeverityLevels (0, 2, 4, 6) or EightSeverityLevels (0 to 7).",
                    default="FourSeverityLevels",
                    values=tuple(OUTPUT_TYPES),
                ),
            ),
            children=(_CATEGORY,),
        ),
        _CATEGORY,
        Child(
            "blocklists",
            "Blocklists of the service whose words are refused.",
            children=(Child("id", "A blocklist.", many=True, text=Text("Its name.", required=True)),),
        ),
    ),
)
