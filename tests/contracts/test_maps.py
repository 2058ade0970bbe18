"""Maps of folders (the docstrings of `__init__.py`) name nothing that is not there.

Names are seen where they have a form: `parser.py`, `sql/`, `logs/delta.py`, a word with an underscore, and the first
words of a map that is a table. A lone word in a sentence could be any word.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "aforo"
MAPS = sorted(SOURCE.rglob("__init__.py"))
FILE = re.compile(r"(?<![\w./-])((?:[a-z]\w*/)*[a-z]\w*(?:\.py|/))(?![\w<])")
MODULE = re.compile(r"(?<![\w./-])[a-z][a-z0-9]*(?:_[a-z0-9]+)+(?![\w./])")
ROW = re.compile(r"^([a-z]\w*) {2,}\S", re.MULTILINE)


def _exists(folder: Path, name: str) -> bool:
    """Whether it is in the folder, in one below (a line may speak of `functions/` and its `catalog.py`), or in the
    product's own, from which paths of other rooms are written."""
    return (SOURCE / name).exists() or next(folder.rglob(name), None) is not None


def wrong_names(folder: Path, text: str) -> list[str]:
    """What a map of that folder names and what is not there."""
    modules = {p.stem for p in folder.glob("*.py")} | {p.name for p in folder.iterdir() if p.is_dir()}
    rows = ROW.findall(text)
    if not modules.intersection(rows):
        rows = []  # a table about something else, types of columns for one
    return [
        *(n for n in FILE.findall(text) if not _exists(folder, n.rstrip("/"))),
        *(n for n in (*MODULE.findall(text), *rows) if n not in modules),
    ]


@pytest.mark.parametrize("path", MAPS, ids=lambda p: p.parent.relative_to(SOURCE.parent).as_posix())
def test_a_map_names_only_what_exists(path: Path) -> None:
    text = ast.get_docstring(ast.parse(path.read_text()))
    assert text is not None
    assert wrong_names(path.parent, text) == []


# Rooms where the map says of each file what it is for; in the others files are of one kind, a catalog's.
WHOLE = (
    "kql",
    "kql/operators",
    "kql/operators/plugins",
    "kql/sql",
    "kql/sql/duckdb",
    "kql/functions",
    "logs",
    "app",
    "gateway",
    "egress",
    "spool",
)


@pytest.mark.parametrize("room", WHOLE)
def test_a_map_names_every_file(room: str) -> None:
    folder = SOURCE / room
    words = set(re.findall(r"\w+", ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""))
    files = {p.stem for p in folder.glob("*.py")} | {p.parent.name for p in folder.glob("*/__init__.py")}
    assert sorted(files - words - {"__init__", "__main__"}) == []


def test_a_wrong_name_is_seen_in_every_form() -> None:
    text = "ring     frames\nrecords  what a frame carries\n\nread with old_reader.py (see sql/): spool_ring, gone.py."
    assert sorted(wrong_names(SOURCE / "spool", text)) == [
        "gone.py",
        "old_reader.py",
        "ring",
        "spool_ring",
        "sql/",
    ]
