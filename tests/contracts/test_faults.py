"""Each row of the table of faults names a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from aforo.app import counters_server, spool_sync
from aforo.gateway import call, counters, crowd, server, valkey_leases, windows

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "faults.md"
LINK = re.compile(r"\[(\w+)\]\(\.\./(tests/[\w/]+\.py)\)")


INEXACT = "## What cannot be exact"


def rows() -> list[str]:
    """The rows of all tables of faults, without heads."""
    faults, found, _ = PAGE.read_text().partition(INEXACT)
    assert found
    lines = [line for line in faults.splitlines() if line.startswith("|")]
    return [line for line in lines if not line.startswith(("| ---", "| fault |"))]


# What the page says of the gateway's bounds, and where the gateway has it from.
FIGURES = {
    f"closed after {server.IDLE_TIMEOUT_S:g} s": "idle connections",
    f"closed {server.HEAD_TIMEOUT_S:g} s after their first byte": "heads that drip",
    f"closed after {server.HEAD_TIMEOUT_S:g} s": "TLS handshakes that do not end",
    f"cut after a minute below {crowd.BODY_BYTES_PER_S} bytes a second": "bodies that drip",
    f"hold {crowd.HELD_BYTES >> 30} GiB": "large bodies",
    f"{call.WHOLE_BODY_BYTES >> 10} KB each": "large bodies",
    f"cut after {server.WRITE_TIMEOUT_S:g} s": "answers that nobody takes",
    f"at {server.MAX_HEAD_BYTES >> 10} KB, {server.MAX_HEAD_FIELDS} fields, {server.MAX_TARGET_BYTES >> 10} KB of URL": "huge heads",
}


def test_the_bounds_that_are_told_are_those_that_hold() -> None:
    assert (crowd.SLOW_SECONDS, server.MAX_FRAMING_BYTES) == (60, 256 * 1024)
    for figure, fault in FIGURES.items():
        assert any(row.startswith(f"| {fault}") and figure in row for row in rows()), (fault, figure)


def test_what_cannot_be_exact_is_said_with_its_reason() -> None:
    said = PAGE.read_text().partition(INEXACT)[2]
    lines = [line for line in said.splitlines() if line.startswith("|") and not line.startswith("| ---")]
    assert len(lines) > 20
    for line in lines:
        assert len([cell for cell in line.strip("|").split("|") if cell.strip()]) == 3, line
    for what in (
        "--counters-away open",
        "UsageSource",
        "reserve-completion-tokens",
        "half-closed",
        "power cut",
    ):
        assert what in said
    assert f"places of a worker that died are free after {valkey_leases.LEASE_S:g} s" in said
    assert f"records of {spool_sync.INTERVAL_S * 1000:g} ms" in said
    assert f"windows of up to {'a minute' if counters.JOURNALED_S == 60 else counters.JOURNALED_S}" in said
    assert counters_server._MEMORY == "512mb"
    assert "512 MB on the server" in said
    assert windows.SLICES == 50


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
