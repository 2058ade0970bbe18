"""The reference pages of KQL: an index of all names, and a page for each file of examples with the engine's answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from docs.kql_examples import Answer, Engine, Page, Section, asked, pages

Table = Callable[[Iterable[str], Iterable[Iterable[object]]], list[str]]
MOST_ROWS, MOST_CHARACTERS = 12, 400
# Where the pages of the index's tables lie; what is said over each table.
ROOMS = (
    ("Statements and literals", "parser"),
    ("Operators of expressions", "expressions"),
    ("Tabular operators", "operators/"),
    ("Plugins of `evaluate`", "operators/plugins/"),
    ("Scalar functions", "functions/"),
    ("Aggregates", "functions/aggregates"),
    ("Functions over rows in their order", "functions/windows"),
    ("Management commands", "commands"),
    ("Mistakes and remarks", "diagnostics"),
)


def room(path: str) -> str:
    """The most precise room of a page."""
    return max((r for _, r in ROOMS if path == r or (r.endswith("/") and path.startswith(r))), key=len)


def signatures(path: str) -> dict[str, tuple[str, str, str]]:
    """Of each name that the catalogs have for a page: how it is written, what it gives, its meaning."""
    from aforo.kql.functions.catalog import AGGREGATES, SCALARS, SEVERAL, WINDOWS
    from aforo.kql.functions.forms import AGGREGATE_FORMS, FORMS
    from aforo.kql.operators import refused
    from aforo.kql.operators.catalog import OPERATORS
    from aforo.kql.operators.evaluating import PLUGINS

    def declared(functions: Iterable[Any], forms: dict[str, tuple[str, str, str]]) -> dict[str, Any]:
        listed = {f.name: f for f in functions}
        made = {name: _function(f) for name, f in listed.items()}
        for name, f in listed.items():
            first = listed.get(f.operation, f)
            if first is not f and type(first) is type(f) and first.parameters == f.parameters:
                made[name] = (*made[name][:2], f"`{first.name}` by another name.")
        return made | {n: (f"{n}({given})", gives, doc) for n, (given, gives, doc) in forms.items()}

    match room(path):
        case "functions/":
            return declared((*SCALARS.values(), *SEVERAL.values()), FORMS)
        case "functions/aggregates":
            return declared(AGGREGATES.values(), AGGREGATE_FORMS)
        case "functions/windows":
            return declared(WINDOWS.values(), {})
        case "operators/plugins/":
            return {p.name: (p.name, "", p.doc) for p in PLUGINS.values()}
        case "operators/":
            run = [o for o in OPERATORS if o not in refused.OPERATORS]
            return {k: (k, "", o.doc) for o in run for k in o.keywords}
        case _:
            return {}


def _function(declared: Any) -> tuple[str, str, str]:
    from aforo.kql.functions.spec import Several
    from aforo.kql.types import KqlType

    parameters = ", ".join(
        f"{p.name}{'?' if p.optional else ''}: {_types(p.types)}{', ...' if p.repeated else ''}"
        for p in declared.parameters
    )
    gives = declared.result.value if isinstance(declared.result, KqlType) else "by its arguments"
    if isinstance(declared, Several):
        gives = "columns: " + ", ".join(f"{name}: {type_.value}" for name, type_ in declared.columns)
    return f"{declared.name}({parameters})", gives, declared.doc


def _types(types: frozenset[Any]) -> str:
    from aforo.kql.types import INTEGERS, NUMBERS, SCALARS

    classes = {SCALARS: "any", NUMBERS: "number", INTEGERS: "integer"}
    return classes.get(types) or " or ".join(sorted(t.value for t in types))


def index(table: Table) -> str:
    """The page that lists every name."""
    from aforo.kql.compile import MAX_CHARACTERS
    from aforo.kql.functions.unsupported import KNOWN_UNSUPPORTED, REASONS
    from aforo.kql.operators import refused
    from aforo.kql.operators.evaluating import FORBIDDEN, NOT_MADE
    from aforo.kql.size import MOST_PARTS

    out = ["# KQL", "", "The query language of the logs: statements, a table, and operators behind pipes. "]
    out[-1] += (
        "What is not named here is refused, with its place in the query. Every name leads to what it does, "
    )
    out[-1] += "with examples and the answers that this engine gives."
    out += ["", "How the examples are made, limits and differences are told at the [end](#examples).", ""]
    for title, path in ROOMS:
        out += [f"## {title}", ""]
        rows = [row for page in pages().values() if room(page.path) == path for row in _rows(page)]
        if any(gives for _, gives, _ in rows):
            rows.sort(key=lambda row: row[0].casefold())
            out += table(("name", "gives", "meaning"), rows)
        else:
            out += table(("name", "meaning"), ((name, doc) for name, _, doc in rows))
    out += ["## Refused by name", "", "An error says so, with the place in the query.", ""]
    reasons = {
        **{name: REASONS.get(name, "not made yet") for name in KNOWN_UNSUPPORTED},
        **FORBIDDEN,
        **dict.fromkeys(NOT_MADE, "not made yet"),
        **{k: o.doc.removeprefix("Not allowed: ").rstrip(".") for o in refused.OPERATORS for k in o.keywords},
    }
    reasons = {name: "not made yet" if why == "Not supported yet" else why for name, why in reasons.items()}
    groups: dict[str, list[str]] = {}
    for name, why in sorted(reasons.items()):
        groups.setdefault(why, []).append(f"`{name}`")
    out += table(("reason", "names"), ((f"{why}.", ", ".join(names)) for why, names in groups.items()))
    out += [
        "## Limits",
        "",
        f"- A query has at most {MAX_CHARACTERS:,} characters and, with everything in it put in its place, "
        f"{MOST_PARTS:,} parts ([0054](../decisions/0054-limits-of-a-query-before-and-after-it-runs.md)).",
        "- Its time, memory and rows have bounds; one that meets the end of its time stops, not only its answer "
        "([0008](../decisions/0008-queries-run-in-processes-of-their-own.md)).",
        "- An array has at most 1,048,576 elements.",
        "",
        "## Differences by choice",
        "",
        "- Counts of distinct values and percentiles are exact, and `make_set` is sorted "
        "([0075](../decisions/0075-exact-aggregates.md)); digests are our own "
        "([0121](../decisions/0121-digests-are-our-own.md)).",
        "- A decimal has 12 places behind its point; datetimes and timespans are exact to 100 ns "
        "([0070](../decisions/0070-times-are-ticks-in-sql.md)).",
        "- Sums and products beyond a long, a timespan or a decimal end the query; Kusto's go round.",
        "- NaN has no order and equals nothing ([0118](../decisions/0118-order-and-equality-of-nan.md)).",
        "- The earth is a sphere ([0120](../decisions/0120-the-earth-is-a-sphere.md)).",
        "- What the documents leave open is refused, not guessed "
        "([0074](../decisions/0074-kql-is-refused-rather-than-guessed.md)).",
        "",
        "## Examples",
        "",
        "They run when these pages are made and whenever the tests run, on 2024-01-02 at 00:00:00, over the small "
        "workspace of the tests (`tests/support/kql_lab.py`): tables of the gateway with a few of their columns. In "
        'the answers reals have 12 digits at most, dynamic values are JSON, and an empty text is `""`. They stand '
        "in `.kql` files beside what they show, in `src/aforo/kql`.",
    ]
    return "\n".join(out)


def _rows(page: Page) -> Iterator[tuple[str, str, str]]:
    """The names of a page as rows of the index: each one that is declared, else those of a section together."""
    known = signatures(page.path)
    for section in page.sections:
        link = f"kql/{page.path}.md#{anchor(section)}"
        declared = [(name, *known[name][1:]) for name in section.names if name in known]
        for name, gives, doc in declared:
            yield f"[{code(name)}]({link})", gives, doc
        if not declared:
            first = " ".join(section.said.split()).partition(". ")[0].rstrip(".:")
            yield f"[{heading(section)}]({link})", "", f"{first}."


def made(table: Table) -> dict[str, str]:
    """Every page but the index, by its path below the reference."""
    engine = Engine()
    return {f"kql/{name}.md": _page(page, engine, table) for name, page in pages().items()}


def _page(page: Page, engine: Engine, table: Table) -> str:
    known = signatures(page.path)
    out = [f"# {page.title}", ""]
    for example in page.intro:
        out += [example.said, ""]
    for section in page.sections:
        if not heading(section).strip("`*_, "):
            raise ValueError(section.names)
        if symbols(section):
            out += [f'<a id="{anchor(section)}"></a>', ""]
        out += [f"## {heading(section)}", ""]
        for name in section.names:
            written, gives, doc = known.get(name, ("", "", ""))
            if gives:
                meaning = f": {doc}" if len(section.names) > 1 else ""
                out += [f"- `{written}` → {gives}{meaning}"]
        out += [""] if out[-1] else []
        for example, answer in asked(section.examples, engine):
            said = example.said.removesuffix("Refused:").strip()
            out += [said, ""] if said else []
            if answer is not None:
                out += ["```kusto", example.query, "```", "", *_shown(answer, table)]
                out += ["```text", answer.remark, "```", ""] if answer.remark else []
    return "\n".join(out)


def _shown(answer: Answer, table: Table) -> list[str]:
    """The answer as a table, that of a single row from top to bottom; or the message."""
    if answer.message:
        return ["Refused:", "", "```text", answer.message, "```", ""]
    if not answer.rows:
        columns = ", ".join(f"`{name}`: {kind}" for name, kind in answer.columns)
        return [f"No rows. Columns: {columns}.", ""]
    if len(answer.rows) == 1:
        (row,) = answer.rows
        cells = [(f"`{n}`", kind, value(v, kind)) for (n, kind), v in zip(answer.columns, row, strict=True)]
        if not answer.asked:
            return table(("column", "type", "value"), cells)
        shown = [(n, code(t), *rest) for (n, *rest), t in zip(cells, answer.asked, strict=True)]
        return table(("column", "expression", "type", "value"), shown)
    shown = [
        [value(v, kind) for (_, kind), v in zip(answer.columns, row, strict=True)]
        for row in answer.rows[:MOST_ROWS]
    ]
    more = len(answer.rows) - len(shown)
    return [
        *table((f"`{name}`: {kind}" for name, kind in answer.columns), shown),
        *([f"and {more} more rows", ""] if more else []),
    ]


def value(cell: Any, kind: str) -> str:
    """A cell as a person reads it. The last digits of reals differ between machines, so they are left out."""
    if cell is None:
        return "null"
    if isinstance(cell, bool):
        return code("true" if cell else "false")
    if isinstance(cell, float):
        return code(_real(cell))
    text = str(cell)
    if kind == "dynamic":
        text = _rounded(text)
    if not text or text != text.strip() or "\n" in text or "\t" in text:
        text = json.dumps(text, ensure_ascii=False)
    return code(text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + " ...")


def _real(number: float) -> str:
    text = f"{number:.12g}"
    return text if not text.lstrip("-").isdigit() else f"{0 if number == 0 else text}.0"


def _rounded(text: str) -> str:
    """JSON with its reals rounded; another text as it is."""
    try:
        found = json.loads(text, parse_float=lambda digits: _Digits(_real(float(digits))))
    except ValueError:
        return text
    return _json(found) if isinstance(found, list | dict | _Digits) else text


class _Digits(str):
    """A real, already written."""

    __slots__ = ()


def _json(found: Any) -> str:
    match found:
        case _Digits():
            return str(found)
        case list():
            return "[" + ",".join(map(_json, found)) + "]"
        case dict():
            return (
                "{"
                + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{_json(v)}" for k, v in found.items())
                + "}"
            )
        case _:
            return json.dumps(found, ensure_ascii=False)


def code(text: str) -> str:
    """Text between enough backquotes."""
    if "`" not in text:
        return f"`{text}`"
    return f"`` {text} ``"


def heading(section: Section) -> str:
    return ", ".join(code(name) for name in section.names)


def symbols(section: Section) -> bool:
    """Whether a heading of these names would have no usable anchor."""
    return not any(re.search(r"\w", name) for name in section.names)


def anchor(section: Section) -> str:
    """What leads to the section: as Markdown makes it of the heading, or of the characters' numbers."""
    if symbols(section):
        return "op-" + "-".join(f"{ord(c):x}" for c in "".join(section.names))
    return re.sub(r"[^\w\- ]", "", ", ".join(section.names).lower()).replace(" ", "-")


def links(text: str) -> Sequence[str]:
    """Where the links of a page lead."""
    return re.findall(r"\]\(([^)\s]+)\)", text)
