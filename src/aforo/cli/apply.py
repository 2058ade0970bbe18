"""`aforo apply` and `aforo export`: desired state in and out, through the running system's one door."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from aforo.cli import running, terminal
from aforo.cli.exits import Exit, Failure, one_of

# What belongs to a desired state; anything else in a folder (a README, a picture) stays where it is.
SUFFIXES = (".yaml", ".yml", ".json", ".xml", ".policy", ".csx", ".md")
MAX_FILE_BYTES = 16 * 1024 * 1024
# `value: {env: NAME}` wherever a text may stand.
_ENVIRONMENT = re.compile(r"\{\s*env:\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}")
Format = Annotated[str, typer.Option("--format", help="table or json.")]


def apply(
    path: Annotated[Path, typer.Argument(help="aforo.yaml, or the folder that it is in.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change, change nothing.")
    ] = False,
    data: running.Data = running.DATA,
    format: Format = "table",  # noqa: A002 - the option is called so
) -> None:
    """Make the running system what the files say."""
    one_of("--format", format, ("table", "json"))
    files = _read(path)
    system = running.required(data)
    with terminal.progress("applying"):
        answer = system.control(
            "POST", "/aforo/v1/apply", {"path": path.name, "files": files, "dryRun": dry_run}
        )
    body = answer.json()
    if not isinstance(body, dict) or (not answer.ok and "diagnostics" not in body):
        raise Failure(f"{path} was not applied: {answer.reason()}")
    diagnostics = body.get("diagnostics") or []
    changes = body.get("changes") or []
    failed = not answer.ok or any(_severity(d) == "error" for d in diagnostics)
    if format == "json":
        terminal.print_json(body)
    else:
        for diagnostic in diagnostics:
            print(_diagnostic(diagnostic))
        if not failed:
            _print_changes(changes, dry_run)
    if failed:
        raise typer.Exit(Exit.DIAGNOSTICS)


def export(
    path: Annotated[Path, typer.Argument(help="Folder to write to; files of the same name are replaced.")],
    secrets: Annotated[
        bool, typer.Option("--secrets", help="Write keys and secrets in clear; the files are for you alone.")
    ] = False,
    data: running.Data = running.DATA,
) -> None:
    """Write the state of the running system as files that `apply` takes."""
    system = running.required(data)
    answer = system.control("GET", f"/aforo/v1/export{'?secrets=true' if secrets else ''}")
    body = answer.json()
    files = body.get("files") if isinstance(body, dict) else None
    if not answer.ok or not isinstance(files, dict):
        raise Failure(f"The state was not exported: {answer.reason()}")
    root = path.resolve()
    targets = {root / name: str(text) for name, text in files.items()}
    for target in targets:
        # The system is ours, but a name that leads out of the folder is refused all the same.
        if not target.resolve().is_relative_to(root):
            raise Failure(f"The export names a file outside {path}: {target}.")
    try:
        for target, text in targets.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            if secrets:
                target.touch(mode=0o600)
                target.chmod(0o600)
            target.write_text(text)
    except OSError as error:
        raise Failure(f"{error.filename or path} cannot be written: {error.strerror}.") from error
    print(f"{len(targets)} file{'s' if len(targets) != 1 else ''} written to {path}.")


def _read(path: Path) -> dict[str, str]:
    """Relative path to text of all files of a desired state."""
    if path.is_file():
        text = _text(path)
        return {path.name: text, **_referenced(path.parent, text)}
    if not path.is_dir():
        raise Failure(f"{path} does not exist.", code=Exit.USAGE)
    files = {
        file.relative_to(path).as_posix(): _text(file)
        for file in sorted(path.rglob("*"))
        if file.is_file()
        and file.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
    }
    if not files:
        raise Failure(
            f"{path} holds nothing that can be applied.",
            hint=f"Looked for {', '.join(SUFFIXES)} in it and below.",
            code=Exit.USAGE,
        )
    for name in [name for name in files if "/" not in name and name.endswith((".yaml", ".yml"))]:
        files |= _referenced(path, files[name])
    return files


def _referenced(folder: Path, text: str) -> dict[str, str]:
    """What an `aforo.yaml` takes from elsewhere: files beside it, and values of our environment as `env:NAME`."""
    from aforo.control.apply import referenced_files

    found = {}
    for name in referenced_files(text):
        file = folder / name
        if not file.resolve().is_relative_to(folder.resolve()):
            raise Failure(f"'{name}' leads out of {folder.resolve()}.", code=Exit.USAGE)
        # One that is missing is the system's to refuse: it knows the line.
        if file.is_file():
            found[Path(name).as_posix()] = _text(file)
    for name in dict.fromkeys(_ENVIRONMENT.findall(text)):
        if not os.environ.get(name):
            raise Failure(f"The environment variable {name} is empty or not set.", code=Exit.USAGE)
        found[f"env:{name}"] = os.environ[name].strip()
    return found


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise Failure(f"{file} is larger than {MAX_FILE_BYTES // 2**20} MB.", code=Exit.USAGE)
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise Failure(f"{file} is not UTF-8 (byte {error.start}).", code=Exit.USAGE) from error
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}.", code=Exit.USAGE) from error


def _severity(diagnostic: Any) -> str:
    return str(diagnostic.get("severity", "error")) if isinstance(diagnostic, dict) else "error"


def _diagnostic(diagnostic: Any) -> str:
    """One diagnostic as text: the system's own rendering (with its caret) where it sends one."""
    if not isinstance(diagnostic, dict):
        return terminal.printable(str(diagnostic))
    if diagnostic.get("rendered"):
        return terminal.printable(str(diagnostic["rendered"]))
    place = ":".join(str(diagnostic[k]) for k in ("file", "line", "column") if diagnostic.get(k))
    target = str(diagnostic.get("target") or "")
    lines = [
        f"{place + ': ' if place else ''}{_severity(diagnostic)} {diagnostic.get('code', '')}: "
        f"{diagnostic.get('message', '')}{f' ({target})' if target else ''}"
    ]
    lines += [f"    hint: {hint}" for hint in diagnostic.get("hints") or ()]
    return terminal.printable("\n".join(lines))


def _print_changes(changes: list[Any], dry_run: bool) -> None:
    if not changes:
        print("Nothing to change.")
        return
    rows = []
    for change in changes:
        if isinstance(change, dict):
            what = change.get("action") or change.get("change") or ""
            rows.append((what, change.get("id") or change.get("name") or "", change.get("detail") or ""))
        else:
            rows.append(("", str(change), ""))
    terminal.print_table(("Change", "Resource", "Detail"), rows)
    count = f"{len(changes)} change{'s' if len(changes) != 1 else ''}"
    print(f"{count} would be made." if dry_run else f"{count} made, in force.")
