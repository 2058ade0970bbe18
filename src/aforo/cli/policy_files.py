"""Which files `aforo policy check` looks at, and what a folder of them says about fragments, named values, backends, scopes.

A folder may be an APIOps tree: there the path of a document tells its scope, and fragments and named values lie beside it.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from aforo.cli.exits import Exit, Failure

# The folders of an APIOps tree, as older and newer extractors write them.
_FRAGMENTS = ("policyfragments", "policy fragments")
_NAMED_VALUES = ("namedvalues", "named values")
_SCOPE_FOLDERS = {"operations": "operation", "apis": "api", "products": "product"}


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """A document; `scope` where its path tells it, else "". `problem` says why one in a folder cannot be read."""

    path: Path
    name: str
    scope: str = ""
    problem: str = ""


@dataclass(slots=True)
class Found:
    """`named_values` maps a name to (value, secret), `fragments` an id to its text, `fragment_files` to its path."""

    files: list[PolicyFile] = field(default_factory=list)
    named_values: dict[str, tuple[str, bool]] = field(default_factory=dict)
    fragments: dict[str, str] = field(default_factory=dict)
    fragment_files: dict[str, str] = field(default_factory=dict)
    backends: set[str] = field(default_factory=set)


def find(paths: Iterable[Path]) -> Found:
    """The documents at these paths; of a folder, every XML file below it that looks like a policy."""
    found = Found()
    for path in paths:
        if str(path) == "-" or not path.is_dir():
            found.files.append(PolicyFile(path, "stdin" if str(path) == "-" else path.name))
            continue
        before = len(found.files)
        for file in sorted(path.rglob("*")):
            if file.is_file():
                _take(found, file, path)
        if len(found.files) == before:
            raise Failure(f"{path} holds no policy document (*.xml).", code=Exit.USAGE)
    return found


def _take(found: Found, file: Path, root: Path) -> None:
    below = [part.lower() for part in file.relative_to(root).parts[:-1]]
    if file.name.lower() == "namedvalueinformation.json" and any(n in below for n in _NAMED_VALUES):
        properties = _properties(file)
        name = str(properties.get("displayName") or file.parent.name)
        found.named_values[name] = (str(properties.get("value") or "1"), bool(properties.get("secret")))
        return
    if file.name.lower() == "backendinformation.json" and "backends" in below:
        found.backends.add(file.parent.name)
        return
    if file.suffix.lower() != ".xml":
        return
    try:
        text = read(file)
    except Failure as failure:
        # One file does not hide what is wrong with the others.
        found.files.append(PolicyFile(file, str(file.relative_to(root)), problem=failure.message))
        return
    if not any(f"<{root_name}" in text for root_name in ("policies", "fragment", "inbound")):
        return
    if any(f in below for f in _FRAGMENTS):
        name = file.parent.name if file.name.lower() == "policy.xml" else file.stem
        found.fragments[name] = text
        found.fragment_files[name] = str(file.relative_to(root))
    elif "<fragment" in text and "<policies" not in text:
        found.fragments.setdefault(file.stem, text)
        found.fragment_files.setdefault(file.stem, str(file.relative_to(root)))
    found.files.append(PolicyFile(file, str(file.relative_to(root)), _scope(file, below)))


def _scope(file: Path, below: list[str]) -> str:
    if file.name.lower() != "policy.xml" or any(f in below for f in _FRAGMENTS):
        return ""
    for part in reversed(below):
        if part in _SCOPE_FOLDERS:
            return _SCOPE_FOLDERS[part]
    return "" if below else "global"


def _properties(file: Path) -> dict[str, object]:
    try:
        body = json.loads(read(file))
    except json.JSONDecodeError as error:
        raise Failure(f"{file} is not JSON: {error}.", code=Exit.USAGE) from error
    properties = body.get("properties", {}) if isinstance(body, dict) else {}
    return properties if isinstance(properties, dict) else {}


def read(file: Path) -> str:
    """The text of a file: UTF-8, or UTF-16 as its first bytes tell (editors of Windows write it)."""
    try:
        data = file.read_bytes()
        utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return data.decode("utf-16" if utf16 else "utf-8-sig")
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}.", code=Exit.USAGE) from error
    except UnicodeDecodeError as error:
        raise Failure(
            f"{file} is not {error.encoding.upper()} (byte {error.start}).", code=Exit.USAGE
        ) from error
