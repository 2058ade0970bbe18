"""`aforo query`: KQL to the running system, or to the files of one that does not run."""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from aforo.cli import running, terminal
from aforo.cli.exits import Exit, Failure, one_of
from aforo.source import Diagnostic, Severity, Source, Span, render

FORMATS = ("table", "json", "csv", "chart")
FILES = (".csv", ".json", ".jsonl", ".ndjson", ".parquet", ".arrow", ".feather", ".arrows")


def query(
    text: Annotated[str, typer.Argument(metavar="KQL", help="The query; - reads it from stdin.")],
    timespan: Annotated[
        str | None, typer.Option(help="ISO 8601: PT1H, P7D, or START/END. Default: everything.")
    ] = None,
    format: Annotated[  # noqa: A002
        str, typer.Option("--format", help=f"{', '.join(FORMATS)}. Mistakes are text on stderr in each.")
    ] = "table",
    data: running.Data = running.DATA,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write the rows to a file: .csv, .json, .jsonl, .parquet, .arrow (or .feather), .arrows.",
        ),
    ] = None,
) -> None:
    """Ask the logs a question in KQL."""
    one_of("--format", format, FORMATS)
    if output is not None:
        one_of("The extension of --output", output.suffix.lower(), FILES)
    if text == "-":
        text = sys.stdin.read()
    if not text.strip():
        raise Failure(
            "The query is empty.",
            hint="Try: aforo query 'ApiManagementGatewayLogs | take 10'",
            code=Exit.USAGE,
        )
    with terminal.progress("asking"):
        system = running.alive(data)
        answer = _ask(system, text, timespan) if system else _ask_files(data, text, timespan)
    error = answer.get("error")
    if isinstance(error, dict) and "tables" not in answer:
        raise Failure(_explain(text, error), code=Exit.DIAGNOSTICS)
    if output is not None and not isinstance(error, dict):
        _write(answer, output)
    elif output is None:
        _show(answer, format)
    if isinstance(error, dict):
        # A partial answer: the rows are there, and so is the reason why they are not all.
        nothing = f"; {output} was not written" if output is not None else ""
        raise Failure(f"The answer is not complete: {error.get('message') or error.get('code')}{nothing}")


def _ask(system: running.Running, text: str, timespan: str | None) -> dict[str, Any]:
    path = f"/v1/workspaces/{system['workspace_id']}/query"
    answer = system.control("POST", path, {"query": text, "timespan": timespan})
    body = answer.json()
    if not isinstance(body, dict) or (not answer.ok and answer.status != 400):
        raise Failure(f"The query was not answered ({answer.status}): {answer.reason()}")
    return body


def _ask_files(data: Path, text: str, timespan: str | None) -> dict[str, Any]:
    """Asks the tables of a system that does not run."""
    if not data.is_dir():
        raise Failure(
            f"No system has run on {data}.",
            hint="Start one with `aforo up`, or name its directory with --data.",
            code=Exit.UNREACHABLE,
        )
    from aforo.cli import stopped

    return stopped.ask(data, text, timespan)


def _write(answer: dict[str, Any], path: Path) -> None:
    """The rows as a file, by its extension. A file that is there already is replaced when the new one is whole."""
    from aforo.errors import Unavailable
    from aforo.logs.exporting import EXTENSIONS, exported

    table = answer["tables"][0]
    columns = [(str(c["name"]), str(c["type"])) for c in table["columns"]]
    try:
        form = EXTENSIONS.get(path.suffix.lower())
        if form is None:
            names = [name for name, _ in columns]
            content = json.dumps(
                [dict(zip(names, row, strict=True)) for row in table["rows"]], ensure_ascii=False
            ).encode()
        else:
            content = exported(columns, table["rows"], form)
        new = path.with_name(f"{path.name}.part")
        new.write_bytes(content)
        new.replace(path)
    except Unavailable as refusal:
        raise Failure(refusal.message) from refusal
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}.") from error
    rows = len(table["rows"])
    terminal.err().print(f"{rows:,} row{'s' if rows != 1 else ''} in {path}", markup=False)


def _explain(text: str, error: dict[str, Any]) -> str:
    """Every mistake in a refused query, each with its line and a caret under the place."""
    mistakes = [
        d for d in error.get("details") or () if isinstance(d, dict) and isinstance(d.get("start"), int)
    ]
    if not mistakes:
        return terminal.printable(str(error.get("message") or error.get("code") or error))
    # Their line is shown, and what stands in it may be kept by whoever runs this.
    from aforo.kql.masking import masked

    source = Source("query", masked(text))
    found = [
        Diagnostic(
            str(m.get("code", "")),
            str(m.get("message", "")),
            Span(m["start"], max(m["start"], m["end"])),
            Severity(m["severity"]) if m.get("severity") in set(Severity) else Severity.ERROR,
            tuple(str(hint) for hint in m.get("hints") or ()),
        )
        for m in mistakes
    ]
    return terminal.printable("\n".join(render(source, diagnostic) for diagnostic in found))


def _show(answer: dict[str, Any], format: str) -> None:  # noqa: A002
    tables = answer.get("tables") or []
    if format == "json":
        terminal.print_json(answer)
        return
    for position, table in enumerate(tables):
        names = [str(c["name"]) for c in table["columns"]]
        types = [str(c["type"]) for c in table["columns"]]
        rows = table["rows"]
        if position:
            print()
        if format == "csv":
            _print_csv(names, rows)
            continue
        render = _render_hint(answer)
        if format == "chart" or (
            render and render.get("visualization") not in (None, "table") and terminal.is_terminal()
        ):
            from aforo.cli import chart

            if chart.show(names, types, rows, render or {}):
                continue
            if format == "chart":
                terminal.err().print("A chart needs a column of numbers; here is the table.")
        shown = [[_nicer(value, kind) for value, kind in zip(row, types, strict=True)] for row in rows]
        if terminal.print_table(names, shown, numeric=[t in terminal.NUMBERS for t in types]):
            terminal.err().print("[dim]Long values are cut; `--format json` has them whole.[/dim]")
        if terminal.is_terminal():
            terminal.out().print(f"[dim]{len(rows)} row{'s' if len(rows) != 1 else ''}[/dim]")


def _render_hint(answer: dict[str, Any]) -> dict[str, Any] | None:
    """What `| render` asked for; the API sends it as an object or as JSON text."""
    hint = answer.get("render")
    if isinstance(hint, str):
        try:
            hint = json.loads(hint)
        except ValueError:
            return None
    return hint if isinstance(hint, dict) else None


def _nicer(value: Any, kind: str) -> Any:
    """A datetime without the zeros at its end, for people; everything else as it came."""
    if kind == "datetime" and isinstance(value, str) and terminal.is_terminal():
        return re.sub(r"(\.\d{3})\d+Z$", r"\1Z", value)
    return value


def _print_csv(names: list[str], rows: list[list[Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        cells = [terminal.text_of(value) for value in row]
        writer.writerow([terminal.printable(cell) for cell in cells] if terminal.is_terminal() else cells)
