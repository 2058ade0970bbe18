"""What is tracked belongs to everybody: no paths of a machine, no secrets, whole links, make verbs that exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Lock files name where packages come from, by their nature.
LOCKS = {"uv.lock", "tests/e2e/openai-0.28.txt"}
# In pieces, so that this file does not find itself.
MACHINE = re.compile(
    "|".join(
        (r"/ro" + r"ot/", r"/wo" + r"rk/", r"/ho" + r"me/[a-z]", r"/Us" + r"ers/[a-z]", r"/o" + r"pt/[a-z]")
    )
)
PRIVATE_KEY = re.compile("-----BEGIN " + r"(EC |RSA |ENCRYPTED )?PRIVATE KEY-----")
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
VERBS = ("run", "test", "check", "fmt", "golden", "bench", "docs", "portal", "build", "clean")


def _tracked() -> list[str]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("this is no git checkout")
    return [name for name in done.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def _texts() -> list[tuple[str, str]]:
    found = []
    for name in _tracked():
        try:
            found.append((name, (ROOT / name).read_text()))
        except UnicodeDecodeError:
            continue
    return found


def test_nothing_tracked_names_a_path_of_a_machine() -> None:
    wrong = [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in _texts()
        if name not in LOCKS
        for number, line in enumerate(text.splitlines(), 1)
        if MACHINE.search(line)
    ]
    assert wrong == []


def test_no_private_key_is_tracked() -> None:
    assert [name for name, text in _texts() if PRIVATE_KEY.search(text)] == []


def test_links_between_pages_lead_somewhere() -> None:
    wrong = [
        f"{name}: {target}"
        for name, text in _texts()
        if name.endswith(".md")
        for target in LINK.findall(text)
        if not (ROOT / name).parent.joinpath(target).exists()
    ]
    assert wrong == []


def test_make_has_the_ten_verbs_and_lists_them() -> None:
    done = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=False)
    listed = re.findall(r"^  make (\w+)", done.stdout, re.MULTILINE)
    assert set(VERBS) <= set(listed)


def test_ci_runs_what_a_developer_runs() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o100
    assert "make test" in script.read_text()


def test_every_dependency_is_explained() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [
        *project["dependencies"],
        *(d for group in project["optional-dependencies"].values() for d in group),
    ]
    page = (ROOT / "docs" / "decisions" / "0002-dependencies.md").read_text()
    names = {re.split(r"[<>=!~\[; ]", dependency)[0] for dependency in named}
    assert {name for name in names if f"`{name}`" not in page} == set()


def test_decisions_have_numbers_of_their_own_and_say_context_choice_and_price() -> None:
    folder = ROOT / "docs" / "decisions"
    pages = sorted(p for p in folder.glob("*.md") if p.name != "README.md")
    assert [p.name for p in pages if not re.match(r"\d{4}-[a-z]", p.name)] == []
    numbers = [p.name[:4] for p in pages]
    assert sorted(set(numbers)) == numbers
    wrong = [
        p.name
        for p in pages
        if not p.read_text().startswith(f"# {p.name[:4]}: ")
        or not all(f"\n## {part}\n" in p.read_text() for part in ("Context", "Choice", "Price"))
    ]
    assert wrong == []


def test_all_decisions_are_listed_in_order_under_their_titles() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"^- \[(\d{4})\]\((\S+)\) (.+)$", (folder / "README.md").read_text(), re.MULTILINE)
    expected = []
    for page in sorted(folder.glob("[0-9]*.md")):
        number, _, title = page.read_text().splitlines()[0].removeprefix("# ").partition(": ")
        expected.append((number, page.name, title))
    assert listed == expected
