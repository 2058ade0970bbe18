"""`aforo policy try`: a policy document against a request, with scripted backends. Needs no running system."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from aforo.cli import terminal
from aforo.cli.exits import Exit, Failure, one_of
from aforo.cli.policy_files import read
from aforo.errors import Invalid
from aforo.source import Source, render

SCOPES = ("global", "product", "api", "operation")


def command(
    file: Annotated[Path, typer.Argument(help="Policy document.")],
    request: Annotated[
        Path,
        typer.Option(
            help="The request in wire form: `POST /path HTTP/1.1`, headers, an empty line, the body."
        ),
    ],
    backend: Annotated[
        list[Path] | None,
        typer.Option(
            help="A response of the backend in wire form. Several: one for each attempt, the last one stays. "
            'Without any the backend answers 200 with {"ok":true}.'
        ),
    ] = None,
    answer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[METHOD ]URL=FILE",
            help="What a request of a policy's own gets (send-request and others); an empty 200 without it.",
        ),
    ] = None,
    values: Annotated[
        Path | None,
        typer.Option(help="Named values as YAML: `name: value`, or `name: {value: ..., secret: true}`."),
    ] = None,
    fragments: Annotated[
        Path | None,
        typer.Option(help="Folder with the fragments that the document includes: FRAGMENT-ID.xml."),
    ] = None,
    scope: Annotated[str, typer.Option(help=f"Where the document stands: {', '.join(SCOPES)}.")] = "api",
    api_path: Annotated[str, typer.Option(help="The API's path: the backend gets what follows it.")] = "",
    product: Annotated[str, typer.Option(help="The product through which the call comes.")] = "",
    subscription: Annotated[
        str, typer.Option(help="The id of the caller's subscription; empty for none.")
    ] = "try",
    trace: Annotated[
        bool, typer.Option("--trace", help="Show each policy that ran, and what it did.")
    ] = False,
    format: Annotated[str, typer.Option("--format", help="text or json.")] = "text",  # noqa: A002
) -> None:
    """Run a policy document against a request and print what comes of it.

    Nothing leaves the machine: backends and answers are the given files, counters and caches are empty, a managed
    identity gets a token for everything. Secret named values and credentials are masked in what is printed, but for
    the response.
    """
    one_of("--format", format, ("text", "json"))
    one_of("--scope", scope, SCOPES)
    from aforo.policy.compile import CompileContext, compile_document
    from aforo.policy.rehearsing.rehearsal import Script, rehearse
    from aforo.policy.scopes import Scope

    texts = {f.stem: read(f) for f in sorted(fragments.glob("*.xml"))} if fragments else {}
    context = CompileContext(_named_values(values), texts)
    result = compile_document(Source(file.name, read(file)), Scope[scope.upper()], context)
    if result.document is None:
        raise Failure(
            "\n".join(terminal.printable(render(result.source, d)) for d in result.diagnostics),
            code=Exit.DIAGNOSTICS,
        )
    script = Script(
        _bytes(request),
        [_bytes(each) for each in backend or ()],
        dict(map(_answer, answer or ())),
        api_path,
        product,
        subscription,
    )
    try:
        import asyncio

        told = asyncio.run(rehearse(result, context, script, traced=trace))
    except Invalid as error:
        raise Failure(f"{error.message}.", code=Exit.USAGE) from error
    if format == "json":
        terminal.print_json(told)
    else:
        print(terminal.printable("\n".join(_lines(told))))


def _named_values(file: Path | None) -> dict[str, Any]:
    from aforo.policy.named_values import NamedValue

    if file is None:
        return {}
    import yaml

    try:
        content = yaml.safe_load(read(file)) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark is not None else ""
        raise Failure(f"{file} is not YAML{place}.", code=Exit.USAGE) from error
    out = {}
    for name, given in content.items() if isinstance(content, Mapping) else ():
        entry = given if isinstance(given, Mapping) else {"value": given}
        if not isinstance(entry.get("value"), (str, int, float, bool)):
            raise Failure(f"{file}: '{name}' has no value.", code=Exit.USAGE)
        value = entry["value"]
        text = str(value).lower() if isinstance(value, bool) else str(value)
        out[str(name)] = NamedValue(text, entry.get("secret") is True)
    if not isinstance(content, Mapping):
        raise Failure(f"{file} has to map names to values.", code=Exit.USAGE)
    return out


def _answer(text: str) -> tuple[tuple[str, str], bytes]:
    target, found, file = text.rpartition("=")
    method, space, url = target.strip().partition(" ")
    if not found or not target.strip() or not file:
        raise Failure(f"--answer wants [METHOD ]URL=FILE, not '{text}'.", code=Exit.USAGE)
    return ((method.upper(), url.strip()) if space else ("", method)), _bytes(Path(file))


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}.", code=Exit.USAGE) from error


def _lines(told: Mapping[str, Any]) -> list[str]:
    """What came of it, for a person."""
    from aforo.policy.tracing.text import tree

    out = [
        f"error: {e['reason']} of {e['source']} at {e['scope']}/{e['section']} {e['path']}: {e['message']}"
        for e in told["errors"]
    ]
    for title, name in (
        ("request of a policy", "policyRequests"),
        ("sent to the backend", "backendRequests"),
    ):
        for sent in told[name]:
            out += [f"{title}: {sent['method']} {sent['url']}", *_content(sent)]
    response = told["response"]
    out += [f"response: {response['status']} {response['reason']}".rstrip(), *_content(response)]
    for each in told["events"]:
        partition = f" [{each['partition']}]" if each["partition"] else ""
        out.append(f"event for {each['logger']}{partition}: {each['body']}")
    for each in told["metrics"]:
        shown = ", ".join(f"{k}={v}" for k, v in each["dimensions"].items())
        out.append(f"metric: {each['namespace']} {each['name']} {each['value']:g} {shown}".rstrip())
    for each in told["messages"]:
        shown = "".join(f", {k}={v}" for k, v in each["metadata"].items())
        out.append(f"message: {each['severity']} from {each['source']}: {each['message']}{shown}")
    if told["variables"]:
        out.append("variables")
        out += [
            f"  {name} = {'null' if value is None else value}" for name, value in told["variables"].items()
        ]
    if "trace" in told:
        out += ["trace", *(f"  {line}" for line in tree(told["trace"]))]
    return out


def _content(message: Mapping[str, Any]) -> list[str]:
    out = [f"  {name}: {value}" for name, value in message["headers"]]
    if message["body"]:
        out += ["", *(f"  {line}" for line in message["body"].splitlines()), ""]
    return out
