"""Writes docs/reference from the declarations: commands, resource kinds, policies, log tables, KQL.

`python docs/generate.py` writes, `--check` says what is out of date and changes nothing. A page belongs to a
catalog; a catalog that does not exist yet has no page.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"
CASES = ROOT / "tests" / "golden" / "policy"
# What the pages of KQL are made with stands beside this file and in the tests.
sys.path.insert(0, str(ROOT))
HEAD = "<!-- Written by docs/generate.py from {source}; change that and run `make docs`. -->\n\n"


def cell(text: object) -> str:
    """Text as a cell of a Markdown table."""
    return " ".join(str(text).split()).replace("|", "\\|")


def table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> list[str]:
    """A Markdown table, or nothing without rows."""
    body = ["| " + " | ".join(cell(c) for c in row) + " |" for row in rows]
    names = list(columns)
    return ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names), *body, ""] if body else []


def commands() -> str:
    """Every command with its arguments and options."""
    import typer

    from aforo.cli.exits import Exit
    from aforo.cli.main import app

    out = ["# Commands", "", "Every command explains itself with `--help`. Exit codes:", ""]
    meanings = {
        Exit.OK: "done",
        Exit.FAILED: "what was asked for failed",
        Exit.USAGE: "the command line is wrong",
        Exit.UNREACHABLE: "the system is not running, or does not answer",
        Exit.DIAGNOSTICS: "a text (policy, query, desired state) has errors; they are printed with their places",
    }
    out += table(("code", "meaning"), ((code.value, meanings[code]) for code in Exit))

    def page(command: Any, path: str) -> None:
        children = getattr(command, "commands", None)
        if children:
            for name, child in children.items():
                page(child, f"{path} {name}")
            return
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        options = [
            p for p in command.params if p.param_type_name == "option" and not p.hidden and p.name != "help"
        ]
        shown = " ".join(_placeholder(p) for p in arguments)
        out.extend([f"## `{f'{path} {shown}'.strip()}`", "", command.help or "", ""])
        out.extend(
            table(("argument", "meaning"), ((f"`{_placeholder(p)}`", p.help or "") for p in arguments))
        )
        out.extend(table(("option", "default", "meaning"), (_option(p) for p in options)))

    page(typer.main.get_command(app), "aforo")
    return "\n".join(out)


def _placeholder(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _option(parameter: Any) -> tuple[str, str, str]:
    names = ", ".join(f"`{name}`" for name in parameter.opts)
    plain = parameter.default is None or parameter.default is False or callable(parameter.default)
    meaning = parameter.help or ""
    if parameter.envvar:
        meaning += f" Environment: `{parameter.envvar}`."
    return names, "" if plain else f"`{parameter.default}`", meaning.strip()


def kinds() -> str:
    """Every resource kind with its properties."""
    from aforo.model.catalog import KINDS

    out = [
        "# Resources",
        "",
        "In `aforo.yaml` a resource stands below its parent, under the key that is named here. Property names, types "
        "and rules are Azure Resource Manager's. A property that is not named here is refused by name.",
        "",
    ]
    for kind in KINDS:
        out += [
            f"## {kind.name[0].upper()}{kind.name[1:]}",
            "",
            *([kind.doc, ""] if kind.doc else []),
            f"`{kind.type}`, key `{kind.key}`.",
            "",
        ]
        rows = list(_properties((*kind.envelope, *kind.properties), ""))
        out += table(("property", "type", "default", "meaning"), rows)
        for action in kind.actions:
            out += [
                f"- `POST .../{action.name}`: {action.effect.value}s {', '.join(n for n, _ in action.fields)}.",
                "",
            ]
    return "\n".join(out)


def _properties(properties: Iterable[Any], before: str) -> Iterable[tuple[str, str, str, str]]:
    for declared in properties:
        kind = declared.type.value
        if declared.item is not None:
            kind += f" of {declared.item.type.value}"
        notes = [declared.doc] if declared.doc else []
        notes += ["Required."] if declared.required else []
        notes += ["Read-only."] if declared.readonly else []
        notes += ["Secret."] if declared.secret else []
        notes += [f"Secret when `{declared.sealed_by}` is set."] if declared.sealed_by else []
        notes += [f"One of {', '.join(f'`{v}`' for v in declared.values)}."] if declared.values else []
        notes += [f"Refused: {declared.refused}"] if declared.refused else []
        default = "" if declared.default is None else f"`{declared.default}`"
        yield f"`{before}{declared.name}`", kind, default, " ".join(notes)
        yield from _properties(declared.properties, f"{before}{declared.name}.")
        if declared.item is not None:
            yield from _properties(declared.item.properties, f"{before}{declared.name}[].")


def tables() -> str:
    """Every log table with its columns."""
    from aforo.tables.catalog import TABLES

    out = [
        "# Log tables",
        "",
        "Columns carry Azure's names and types. Those that Azure does not have stand last and are marked.",
        "",
    ]
    for declared in TABLES.values() if isinstance(TABLES, dict) else TABLES:
        out += [f"## {declared.name}", "", declared.doc, ""]
        shown = [c for c in declared.columns if not c.hidden]
        out += table(
            ("column", "type", "meaning"),
            ((f"`{c.name}`", c.type.value, c.doc + (" Not in Azure." if c.ours else "")) for c in shown),
        )
        for promotion in declared.promotions:
            path = "".join(f"[{part!r}]" for part in promotion.path)
            out += [f"- `parse_json({promotion.column}){path}` is answered from a plain column."]
        out += [""] if declared.promotions else []
    return "\n".join(out)


def policies() -> str:
    """The table of support: every policy that runs, with where it may stand, and those that are refused by name."""
    from aforo.policy.catalog import ELEMENTS, NEVER
    from aforo.policy.scopes import Scope, Section

    def mark(there: bool) -> str:
        return "yes" if there else ""

    out = [
        "# Policies",
        "",
        "What runs, and where it may stand. A document that uses anything else is refused when it is saved, with line "
        "and column. How bodies, streams and traces behave is told in [policies](../policies.md).",
        "",
    ]
    out += table(
        ("policy", *(s.value for s in Section), *(s.value for s in Scope), "meaning"),
        (
            (
                f"[`{e.name}`](policies/{e.name}.md)",
                *(mark(s in e.sections) for s in Section),
                *(mark(s in e.scopes) for s in Scope),
                e.doc.partition(". ")[0].rstrip(".") + ".",
            )
            for e in sorted(ELEMENTS, key=lambda e: e.name)
        ),
    )
    out += ["## Refused by name", ""]
    out += table(("policy", "reason"), ((f"`{name}`", f"{why}.") for name, why in sorted(NEVER.items())))
    return "\n".join(out)


def policy_pages() -> dict[str, str]:
    """A page for each policy: its declaration, and the golden cases that show it at work."""
    from aforo.policy.catalog import ELEMENTS
    from aforo.policy.scopes import ALL_SCOPES, Scope, Section

    cases = {path: path.read_text() for path in sorted(CASES.glob("*.policy"))}
    made = {}
    for element in ELEMENTS:
        sections = ", ".join(s.value for s in Section if s in element.sections)
        scopes = ", ".join(s.value for s in Scope if s in element.scopes)
        where = f"Sections: {sections}." + ("" if element.scopes == ALL_SCOPES else f" Scopes: {scopes}.")
        out = [f"# `{element.name}`", "", element.doc, "", where, ""]
        out += table(
            ("attribute or element", "kind", "default", "meaning"),
            _parts(element.attributes, element.children, element.text, ""),
        )
        shown = [p for p, text in cases.items() if f"<{element.name}" in text.partition("=== result")[0]]
        out += ["Shown by these cases, each with its request and what came of it:", ""]
        out += [f"- [{p.stem.replace('_', ' ')}](../../../tests/golden/policy/{p.name})" for p in shown]
        made[f"policies/{element.name}.md"] = "\n".join(out)
    return made


def _parts(
    attributes: Iterable[Any], children: Iterable[Any], text: Any, before: str
) -> Iterable[tuple[str, str, str, str]]:
    for a in attributes:
        notes = (
            [a.doc] + (["Required."] if a.required else []) + ([] if a.expressions else ["No expression."])
        )
        notes += [f"One of {', '.join(f'`{v}`' for v in a.values)}."] if a.values else []
        default = "" if a.default is None else f"`{a.default}`"
        yield f"`{before}@{a.name}`", a.kind, default, " ".join(n for n in notes if n)
    if text is not None:
        yield f"`{before}text`", text.kind, "", text.doc + (" Required." if text.required else "")
    for child in children:
        notes = (
            [child.doc]
            + (["Required."] if child.required else [])
            + (["May be repeated."] if child.many else [])
        )
        kind = "policies" if child.policies else "element"
        yield f"`{before}<{child.name}>`", kind, "", " ".join(n for n in notes if n)
        yield from _parts(child.attributes, child.children, child.text, f"{before}<{child.name}> ")


def queries() -> str:
    """The index of KQL; its pages are in `docs/kql_pages.py`."""
    from docs import kql_pages

    return kql_pages.index(table)


# Page, the module that must exist for it, and how it is made.
PAGES: tuple[tuple[str, str, Callable[[], str]], ...] = (
    ("cli.md", "aforo.cli.main", commands),
    ("resources.md", "aforo.model.catalog", kinds),
    ("policies.md", "aforo.policy.catalog", policies),
    ("tables.md", "aforo.tables.catalog", tables),
    ("kql.md", "aforo.kql.functions.catalog", queries),
)


def _pages() -> dict[str, str]:
    made = {
        name: HEAD.format(source=source) + make().rstrip() + "\n"
        for name, source, make in PAGES
        if find_spec(source)
    }
    index = [
        "# Reference",
        "",
        *(f"- [{text.splitlines()[2].lstrip('# ')}]({name})" for name, text in made.items()),
    ]
    for name, text in policy_pages().items():
        made[name] = HEAD.format(source="aforo.policy.elements") + text.rstrip() + "\n"
    from docs import kql_pages

    for name, text in kql_pages.made(table).items():
        made[name] = HEAD.format(source="the examples beside the declarations") + text.rstrip() + "\n"
    made["README.md"] = HEAD.format(source="the list of pages") + "\n".join(index) + "\n"
    return made


def main() -> int:
    """Writes the pages, or compares them."""
    check = "--check" in sys.argv[1:]
    stale = []
    made = _pages()
    REFERENCE.mkdir(exist_ok=True)
    for name, text in made.items():
        path = REFERENCE / name
        if not path.is_file() or path.read_text() != text:
            stale.append(name)
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
    gone = [path for path in REFERENCE.rglob("*.md") if str(path.relative_to(REFERENCE)) not in made]
    if check:
        for name in [*stale, *(str(path.relative_to(REFERENCE)) for path in gone)]:
            print(f"docs/reference/{name} is out of date: run `make docs`", file=sys.stderr)
        return 1 if stale or gone else 0
    for path in gone:
        path.unlink()
    print(f"docs/reference: {len(made)} pages, {len(stale)} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
