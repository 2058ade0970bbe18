"""`aforo policy`: what is wrong with a policy document, and the Python that it compiles to. Needs no running system."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aforo.cli import terminal
from aforo.cli.exits import Exit, Failure, one_of
from aforo.source import Diagnostic, Source, has_errors, render

if TYPE_CHECKING:
    from aforo.policy.compile import CompileResult

SCOPES = ("global", "product", "api", "operation")

app = typer.Typer(
    help="Check policy documents, or show what they compile to.", no_args_is_help=True, rich_markup_mode=None
)

Scope = Annotated[str, typer.Option(help=f"Where the document will stand: {', '.join(SCOPES)}.")]
NamedValues = Annotated[
    list[str] | None,
    typer.Option(
        "--named-value", metavar="NAME=VALUE", help="A named value that documents use; may be repeated."
    ),
]
Fragments = Annotated[
    Path | None, typer.Option(help="Folder with the fragments that documents include: FRAGMENT-ID.xml.")
]


@app.command("check")
def check(
    files: Annotated[list[Path], typer.Argument(help="Policy documents; - is stdin.")],
    scope: Scope = "api",
    named_value: NamedValues = None,
    fragments: Fragments = None,
    format: Annotated[str, typer.Option("--format", help="text or json.")] = "text",  # noqa: A002
) -> None:
    """Say what is wrong, with line and column. Exit code 4 when there are errors."""
    one_of("--format", format, ("text", "json"))
    results = [_compile(file, scope, named_value, fragments) for file in files]
    if format == "json":
        terminal.print_json([_as_json(r.source, d) for r in results for d in r.diagnostics])
    else:
        for result in results:
            for diagnostic in result.diagnostics:
                print(terminal.printable(render(result.source, diagnostic)))
            errors = sum(d.is_error for d in result.diagnostics)
            print(
                f"{result.source.name}: {_count(errors, 'error')}, {_count(len(result.diagnostics) - errors, 'remark')}"
            )
    if any(has_errors(list(r.diagnostics)) for r in results):
        raise typer.Exit(Exit.DIAGNOSTICS)


@app.command("explain")
def explain(
    file: Annotated[Path, typer.Argument(help="Policy document; - is stdin.")],
    scope: Scope = "api",
    named_value: NamedValues = None,
    fragments: Fragments = None,
) -> None:
    """Show the Python that a policy document compiles to."""
    result = _compile(file, scope, named_value, fragments)
    if result.document is None:
        raise Failure(
            "\n".join(terminal.printable(render(result.source, d)) for d in result.diagnostics),
            code=Exit.DIAGNOSTICS,
        )
    print(terminal.printable(result.document.python()))


def _compile(file: Path, scope: str, named_values: list[str] | None, fragments: Path | None) -> CompileResult:
    one_of("--scope", scope, SCOPES)
    source = Source(file.name if str(file) != "-" else "stdin", _text(file))
    from aforo.policy.compile import CompileContext, compile_document
    from aforo.policy.named_values import NamedValue
    from aforo.policy.scopes import Scope as PolicyScope

    values = {name: NamedValue(value, False) for name, value in map(_pair, named_values or ())}
    texts = {f.stem: _text(f) for f in sorted(fragments.glob("*.xml"))} if fragments else {}
    return compile_document(
        source, PolicyScope[scope.upper()], CompileContext(named_values=values, fragments=texts)
    )


def _pair(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found or not name:
        raise Failure(f"--named-value wants NAME=VALUE, not '{text}'.", code=Exit.USAGE)
    return name, value


def _text(file: Path) -> str:
    try:
        data = typer.get_binary_stream("stdin").read() if str(file) == "-" else file.read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}.", code=Exit.USAGE) from error
    except UnicodeDecodeError as error:
        raise Failure(f"{file} is not UTF-8 (byte {error.start}).", code=Exit.USAGE) from error


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _as_json(source: Source, diagnostic: Diagnostic) -> dict[str, object]:
    line, column = source.position(diagnostic.span.start)
    return {
        "file": source.name,
        "line": line,
        "column": column,
        "severity": diagnostic.severity.value,
        "code": diagnostic.code,
        "message": diagnostic.message,
        "hints": list(diagnostic.hints),
    }
