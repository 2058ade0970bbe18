"""Each row of the table of faults names a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "faults.md"
LINK = re.compile(r"\[(\w+)\]\(\.\./(tests/[\w/]+\.py)\)")


def rows() -> list[str]:
    """The rows of all tables of the page, without heads."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("|")]
    return [line for line in lines if not line.startswith(("| ---", "| fault |"))]


def defined(path: str) -> set[str]:
    """The tests that a file defines."""
    names: set[str] = set()
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return {name for name in names if name.lower().startswith("test")}


def test_every_fault_names_tests_that_exist() -> None:
    assert len(rows()) > 30
    for row in rows():
        links = LINK.findall(row)
        assert links, f"no test holds this: {row}"
        for name, path in links:
            assert name in defined(path), f"{path} has no {name}"


def test_every_story_of_faults_is_in_the_table() -> None:
    linked = {name for name, _ in LINK.findall(PAGE.read_text())}
    for path in sorted((ROOT / "tests" / "faults").glob("test_*.py")):
        stories = defined(str(path.relative_to(ROOT)))
        assert stories - linked <= {"test_a_healthy_system_adds_up_while_it_runs"}, path.name
