"""`aforo policy`: what is wrong with a policy document, the Python that it compiles to, and what it does to a request.
Needs no running system; `effective` asks one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aforo.cli import policy_effective, policy_try, terminal
from aforo.cli.exits import Exit, Failure, one_of
from aforo.cli.policy_files import find, read
from aforo.source import Diagnostic, Source, Span, has_errors, render

if TYPE_CHECKING:
    from aforo.policy.compile import CompileResult

SCOPES = ("global", "product", "api", "operation")

app = typer.Typer(
    help="Check policy documents, try them, or show what they come to.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("try")(policy_try.command)
app.command("effective")(policy_effective.command)

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
    paths: Annotated[
        list[Path], typer.Argument(help="Policy documents or fragments, or folders of them; - is stdin.")
    ],
    scope: Annotated[
        str,
        typer.Option(
            help=f"Where the documents will stand: {', '.join(SCOPES)}. Without it: where their policies may."
        ),
    ] = "",
    named_value: NamedValues = None,
    fragments: Fragments = None,
    format: Annotated[str, typer.Option("--format", help="text or json.")] = "text",  # noqa: A002
) -> None:
    """Say what is wrong, with line and column. Exit code 4 when there are errors.

    Named values, fragments and backends that are not given are assumed to exist, and named as remarks. A folder may be an
    APIOps tree: its fragments, named values and scopes are used.
    """
    one_of("--format", format, ("text", "json"))
    if scope:
        one_of("--scope", scope, SCOPES)
    results = _checked(paths, scope, named_value, fragments)
    if format == "json":
        terminal.print_json([_as_json(source, d) for source, told in results for d in told])
    else:
        for source, told in results:
            for diagnostic in told:
                print(terminal.printable(render(source, diagnostic)))
            errors = sum(d.is_error for d in told)
            remarks = len(told) - errors
            print(f"{source.name}: {_count(errors, 'error')}, {_count(remarks, 'remark')}")
        if len(results) > 1:
            good = sum(not has_errors(told) for _, told in results)
            print(f"{good} of {_count(len(results), 'document')} compile.")
    if any(has_errors(told) for _, told in results):
        raise typer.Exit(Exit.DIAGNOSTICS)


def _checked(
    paths: list[Path], scope: str, named_values: list[str] | None, fragments: Path | None
) -> list[tuple[Source, tuple[Diagnostic, ...]]]:
    from aforo.policy.compile import CompileContext
    from aforo.policy.diagnostics import not_xml
    from aforo.policy.named_values import NamedValue
    from aforo.policy.scopes import Scope as PolicyScope
    from aforo.policy.standalone import check as check_text

    found = find(paths)
    values = {n: NamedValue(v, secret) for n, (v, secret) in found.named_values.items()}
    values |= {name: NamedValue(value, False) for name, value in map(_pair, named_values or ())}
    texts = found.fragments | _fragments(fragments)
    context = CompileContext(named_values=values, fragments=texts, backends=frozenset(found.backends))
    out: list[tuple[Source, tuple[Diagnostic, ...]]] = []
    for file in found.files:
        if file.problem:
            out.append((Source(file.name, ""), (not_xml(Span(0, 0), file.problem),)))
            continue
        source = Source(file.name, _text(file.path))
        where = scope or file.scope
        checked = check_text(source, context, PolicyScope[where.upper()] if where else None)
        out.append((source, checked.diagnostics))
    return out


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
    context = CompileContext(named_values=values, fragments=_fragments(fragments))
    return compile_document(source, PolicyScope[scope.upper()], context)


def _fragments(folder: Path | None) -> dict[str, str]:
    return {f.stem: _text(f) for f in sorted(folder.glob("*.xml"))} if folder else {}


def _pair(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found or not name:
        raise Failure(f"--named-value wants NAME=VALUE, not '{text}'.", code=Exit.USAGE)
    return name, value


def _text(file: Path) -> str:
    if str(file) != "-":
        return read(file)
    try:
        return typer.get_binary_stream("stdin").read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Failure(f"stdin is not UTF-8 (byte {error.start}).", code=Exit.USAGE) from error


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
