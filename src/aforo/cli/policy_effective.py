"""`aforo policy effective`: what the policies over an API come to, each line with where it was written.

Of a running system, whose control plane tells it, or of an APIOps folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from aforo.cli import policy_files, running, terminal
from aforo.cli.exits import Exit, Failure, one_of

if TYPE_CHECKING:
    from aforo.source import Source

_VERSION = "api-version=2024-05-01"
# By scope, broad to narrow; names of Rich, readable on dark and light.
_COLOURS = {
    "global": "magenta",
    "workspace": "red",
    "product": "yellow",
    "api": "cyan",
    "operation": "green",
}


def command(
    api: Annotated[str, typer.Argument(help="The API's name.")],
    operation: Annotated[str, typer.Argument(help="The operation's name; empty for the API alone.")] = "",
    product: Annotated[
        str, typer.Option(help="The product through which the call comes; without it through none.")
    ] = "",
    folder: Annotated[
        Path | None, typer.Option(help="An APIOps folder, in place of the running system.")
    ] = None,
    format: Annotated[str, typer.Option("--format", help="text or json.")] = "text",  # noqa: A002
    data: running.Data = running.DATA,
) -> None:
    """Show what runs for a call: the policies of all scopes as one document, each line with its origin.

    `<base />` and fragments are replaced by what they stand for; in the margin stand scope, resource and line. Named
    values stay `{{names}}`. Exit code 4 when a document has errors.
    """
    one_of("--format", format, ("text", "json"))
    told = (
        _of_folder(folder, api, operation, product)
        if folder is not None
        else _of_system(running.required(data), api, operation, product)
    )
    if format == "json":
        terminal.print_json(told)
    else:
        _print(told["lines"])
    wrong = told["diagnostics"]
    if wrong:
        raise Failure("\n".join(terminal.printable(_wrong(each)) for each in wrong), code=Exit.DIAGNOSTICS)


def _of_system(system: running.Running, api: str, operation: str, product: str) -> dict[str, Any]:
    services = f"/subscriptions/{system['subscription_id']}/providers/Microsoft.ApiManagement/service"
    listed = system.control("GET", f"{services}?{_VERSION}", timeout_s=30.0)
    value = (listed.json() or {}).get("value") if listed.ok else None
    if not value:
        raise Failure("The system has no API Management service." if listed.ok else listed.reason())
    path = f"{value[0]['id']}/apis/{quote(api, safe=';=')}"
    if operation:
        path += f"/operations/{quote(operation, safe='')}"
    answer = system.control(
        "POST", f"{path}/listEffectivePolicy?{_VERSION}", {"productId": product or None}, timeout_s=60.0
    )
    body = answer.json()
    if not answer.ok or not isinstance(body, dict):
        # 4xx: a name that is not there.
        code = Exit.USAGE if answer.status in (400, 404) else Exit.FAILED
        raise Failure(terminal.printable(_sentence(answer.reason())), code=code)
    return body


def _sentence(text: str) -> str:
    text = text.rstrip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


# --- a folder ----------------------------------------------------------------------------------------------------


def _of_folder(folder: Path, api: str, operation: str, product: str) -> dict[str, Any]:
    """The same answer from files; in place of ids of resources stand the paths of files."""
    from aforo.control.build import DEFAULT_POLICY
    from aforo.policy.effective import effective
    from aforo.policy.named_values import NamedValue
    from aforo.policy.scopes import Scope
    from aforo.source import Source

    if not folder.is_dir():
        raise Failure(f"{folder} is no folder.", code=Exit.USAGE)
    found = policy_files.find([folder])
    documents: dict[Scope, Source | None] = {}
    documents[Scope.GLOBAL] = _at(found, "global", ()) or Source("", DEFAULT_POLICY)
    documents[Scope.API] = _named(found, folder, ("apis", api), "API")
    if product:
        documents[Scope.PRODUCT] = _named(found, folder, ("products", product), "product")
    if operation:
        where = ("apis", api, "operations", operation)
        documents[Scope.OPERATION] = _named(found, folder, where, "operation with a policy of its own")
    values = {name: NamedValue(value, secret) for name, (value, secret) in found.named_values.items()}
    made = effective(documents, _fragments(found), values)
    return made.as_json()


def _at(found: policy_files.Found, scope: str, names: tuple[str, ...]) -> Source | None:
    """The document of that scope whose path ends in those names."""
    from aforo.source import Source

    for file in found.files:
        path = Path(file.name)
        ends = tuple(p.lower() for p in path.parts[:-1])[-len(names) :] if names else ()
        if file.scope == scope and ends == tuple(n.lower() for n in names):
            return Source(file.name, policy_files.read(file.path))
    return None


def _named(found: policy_files.Found, folder: Path, names: tuple[str, ...], what: str) -> Source | None:
    """The same, or None when there is the folder without a document. Failure names what looks like it."""
    scope = {"apis": "api", "operations": "operation", "products": "product"}[names[-2]]
    document = _at(found, scope, names)
    if document is not None:
        return document
    places = [p for p in folder.rglob(names[-2]) if p.is_dir()]
    if len(names) > 2:
        places = [p for p in places if p.parent.name.lower() == names[1].lower()]
    known = sorted({p.name for place in places for p in place.iterdir() if p.is_dir()})
    if names[-1].lower() in (k.lower() for k in known):
        return None
    raise Failure(f"{folder} has no {what} '{names[-1]}'{_close(names[-1], known)}.", code=Exit.USAGE)


def _close(name: str, known: Sequence[str]) -> str:
    from aforo.nearest import nearest

    close = nearest(name, list(known))
    if close:
        return f"; it has {' and '.join(repr(c) for c in close)}"
    return f"; it has {', '.join(known[:12])}" if known else ""


def _fragments(found: policy_files.Found) -> dict[str, Source]:
    from aforo.source import Source

    return {
        name: Source(found.fragment_files.get(name, name), text) for name, text in found.fragments.items()
    }


# --- for a person ------------------------------------------------------------------------------------------------


def _print(lines: Sequence[Mapping[str, Any]]) -> None:
    margins = [(each["scope"] or "", _where(each), str(each["line"] or "")) for each in lines]
    widths = [max((len(m[i]) for m in margins), default=0) for i in range(3)]
    texts = [
        (f"{scope:<{widths[0]}}  {where:<{widths[1]}}  {line:>{widths[2]}}", scope)
        for scope, where, line in margins
    ]
    if not terminal.is_terminal():
        for (margin, _), each in zip(texts, lines, strict=True):
            print(terminal.printable(f"{margin} | {each['text']}"))
        return
    from rich.text import Text

    console = terminal.out()
    for (margin, scope), each in zip(texts, lines, strict=True):
        # Text, never markup: what stands in a policy is its author's.
        coloured = (f"{terminal.printable(margin)} │ ", _COLOURS.get(scope, "dim"))
        console.print(Text.assemble(coloured, terminal.printable(each["text"])), soft_wrap=True)


def _where(line: Mapping[str, Any]) -> str:
    """The name of what the line is stored in."""
    if line["fragment"]:
        return f"fragment {line['fragment']}"
    if line["scope"] is None:
        return ""
    resource = line["resourceId"]
    if resource is None:
        return "(default)"
    if not resource.startswith("/"):
        return str(resource)
    return str(resource.removesuffix("/policies/policy").rpartition("/")[2])


def _wrong(diagnostic: Mapping[str, Any]) -> str:
    place: Iterable[Any] = (diagnostic["resourceId"], diagnostic["line"], diagnostic["column"])
    return f"{':'.join(map(str, place))}: {diagnostic['code']}: {diagnostic['message']}"
