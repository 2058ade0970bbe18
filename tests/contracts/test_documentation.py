"""What is offered is documented, and the generated pages are what the declarations say today."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_generated_pages_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_command_is_in_the_reference_with_all_its_options() -> None:
    import typer

    from aforo.cli.main import app

    page = (ROOT / "docs" / "reference" / "cli.md").read_text()
    program = typer.main.get_command(app)
    for name, command in program.commands.items():  # type: ignore[attr-defined]
        assert f"`aforo {name}" in page
        for parameter in getattr(command, "params", []):
            for option in parameter.opts:
                if option.startswith("--"):
                    assert f"`{option}" in page, f"aforo {name} {option}"


def test_the_readme_names_only_commands_that_exist() -> None:
    import typer

    from aforo.cli.main import app

    known = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    text = (ROOT / "README.md").read_text()
    assert set(re.findall(r"^\$? *(?:\.venv/bin/)?aforo ([a-z]+)", text, re.MULTILINE)) <= known
    verbs = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^\$? *make ([a-z]+)", text, re.MULTILINE)) <= verbs


def shown_by_cases() -> tuple[set[str], dict[str, set[str]]]:
    """What golden cases show: the policies whose run is in a trace, and the attributes and children (`retry@count`,
    `cors/allowed-origins`) of documents that ran."""
    from aforo.policy.document import XmlElement, parse
    from tests.support.policy_case import read

    ran: set[str] = set()
    written: dict[str, set[str]] = {}

    def see(element: XmlElement, path: str, into: set[str], deep: int = 4) -> None:
        into |= {path} | {f"{path}@{name}" for name in element.attributes}
        for child in element.elements if deep else ():
            see(child, f"{path}/{child.name}", into, deep - 1)

    def see_each(element: XmlElement) -> None:
        see(element, element.name, written.setdefault(element.name, set()))
        for child in element.elements:
            see_each(child)

    for file in (ROOT / "tests/golden/policy").glob("*.policy"):
        case = read(file)
        if not case.all("trace"):
            continue
        ran |= set(re.findall(r"^ +([a-z-]+)  \S+:\d+:\d+", case.one("trace"), re.MULTILINE))
        for name, text in (*case.all("policy"), *case.all("fragment")):
            for root in parse(text, "xml" if name.endswith(" xml") else "rawxml").roots:
                see_each(root)
    return ran, written


def test_every_policy_is_shown_by_a_golden_case_with_all_that_it_may_have() -> None:
    from aforo.policy.catalog import ELEMENTS
    from aforo.policy.spec import Child, Element

    ran, written = shown_by_cases()
    assert {e.name for e in ELEMENTS} - ran == set()

    def wanted(part: Element | Child, path: str) -> list[str]:
        deeper = [x for c in part.children if not c.same_as for x in wanted(c, f"{path}/{c.name}")]
        same = [f"{path}/{c.name}" for c in part.children if c.same_as]
        return [path, *(f"{path}@{a.name}" for a in part.attributes), *deeper, *same]

    unseen = [w for e in ELEMENTS for w in wanted(e, e.name) if w not in written.get(e.name, set())]
    # Keys that only a private key makes sense of: no case may hold one (test_token_check.py makes its own).
    keys = ("decryption-keys/key@certificate-id", "decryption-keys/key@n", "decryption-keys/key@e")
    assert [w for w in unseen if not w.endswith(keys)] == []


def test_what_counts_is_shown_with_its_counters() -> None:
    cases = [path.read_text() for path in (ROOT / "tests/golden/policy").glob("*.policy")]
    for name in (
        "rate-limit",
        "rate-limit-by-key",
        "quota",
        "quota-by-key",
        "llm-token-limit",
        "azure-openai-token-limit",
    ):
        assert any(f"\ncounter: {name}:" in text for text in cases), name
