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


def test_every_policy_is_shown_by_a_golden_case() -> None:
    from aforo.policy.catalog import ELEMENTS

    cases = [
        path.read_text().partition("=== result")[0]
        for path in (ROOT / "tests/golden/policy").glob("*.policy")
    ]
    unseen = {e.name for e in ELEMENTS if not any(f"<{e.name}" in text for text in cases)}
    assert unseen == set()
