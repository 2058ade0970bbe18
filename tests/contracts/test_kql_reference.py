"""Every name of KQL has a section with a sentence and an example, which the pages show with the engine's answer.

That the pages say what the engine answers today is `test_documentation.py`'s: it makes all of them anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from aforo.kql import expressions
from aforo.kql.functions.unsupported import KNOWN_UNSUPPORTED, REASONS
from aforo.logs import kusto_commands
from aforo.logs.kusto_commands import command_of
from docs.kql_examples import SOURCES, Engine, Page, Section, asked, pages, read
from docs.kql_pages import ROOMS, anchor, links, room, signatures

REFERENCE = SOURCES.parents[1] / "docs" / "reference"
SECTIONS = [(page, section) for page in pages().values() for section in page.sections]
OPERATORS = (
    expressions._COMPARISONS | expressions._TEXT_OPERATORS | expressions._NEGATED_TEXT | expressions._LISTS
) | {"and", "or", "+", "-", "*", "/", "%", "between", "!between", "matches regex", "[]", "."}
# Names that stand for something that is written otherwise.
WRITTEN = {"[]": "["}


def named(path: str) -> list[str]:
    return [name for page, section in SECTIONS if room(page.path) == path for name in section.names]


@pytest.mark.parametrize("path", [path for _, path in ROOMS if signatures(path)])
def test_every_declared_name_has_one_section(path: str) -> None:
    assert sorted(named(path)) == sorted(signatures(path))


def test_every_operator_of_expressions_has_one_section() -> None:
    assert sorted(named("expressions")) == sorted(OPERATORS)


def test_every_management_command_has_an_example() -> None:
    shown = {
        command_of(example.query).name
        for section in pages()["commands"].sections
        for example in section.examples
        if example.query
    }
    assert shown == {name for _, name in (*kusto_commands._SHOWS, *kusto_commands._CHANGES)}


def test_every_section_says_and_shows_its_names() -> None:
    assert [wrong for page, section in SECTIONS for wrong in _wrong(page, section)] == []


def _wrong(page: Page, section: Section) -> Iterator[str]:
    """What a section lacks."""
    if not section.said.endswith((".", ".)")):
        yield f"{page.path}, {section.names}: no sentence"
    queries = "\n".join(example.query for example in section.examples if not example.refused)
    if page.path == "diagnostics":  # `test_kql_mistakes.py` asks more of it
        return
    if page.path == "commands" or section.names[0] in ("literals", "workspace"):
        if not queries.strip():
            yield f"{page.path}, {section.names}: no example"
        return
    for name in section.names:
        if not _shown(WRITTEN.get(name, name), queries):
            yield f"{page.path}, {name}: no example"


def test_what_a_section_lacks_is_seen() -> None:
    (section,) = read("// Title\n\n// # strlen, split\n\nprint strlen('a')", "x").sections
    assert list(_wrong(pages()["functions/text"], section)) == [
        "functions/text, ('strlen', 'split'): no sentence",
        "functions/text, split: no example",
    ]


def _shown(name: str, text: str) -> bool:
    words = re.fullmatch(r"[\w -]+~?", name) is not None
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w~])" if words else re.escape(name), text) is not None


def test_links_between_the_pages_lead_somewhere() -> None:
    anchors = {page.path: [anchor(section) for section in page.sections] for page in pages().values()}
    assert [path for path, listed in anchors.items() if len(set(listed)) < len(listed)] == []
    for path in (REFERENCE / "kql.md", *(REFERENCE / "kql").rglob("*.md")):
        for link in links(path.read_text()):
            target, _, place = link.partition("#")
            found = (path.parent / target).resolve() if target else path
            assert found.is_file(), f"{path.name}: {link}"
            if place and found.is_relative_to(REFERENCE / "kql"):
                name = found.relative_to(REFERENCE / "kql").with_suffix("").as_posix()
                assert place in anchors[name], f"{path.name}: {link}"


def test_reasons_are_given_for_what_is_refused() -> None:
    assert set(REASONS) <= KNOWN_UNSUPPORTED


def test_an_example_that_fails_without_saying_so_is_a_mistake() -> None:
    text = "// Title\n\n// # strlen\n// It counts.\n\nprint strlen(1)\n\n// Refused:\nprint strlen('a')"
    (section,) = read(text, "x").sections
    engine = Engine()
    for example in section.examples[1:]:
        with pytest.raises(ValueError, match="strlen"):
            list(asked([example], engine))
