"""`aforo chat`: one call through the gateway as any client makes it, streamed to the terminal."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from aforo.cli import http, running, terminal
from aforo.cli.accounts import accounts
from aforo.cli.exits import Exit, Failure, one_of

if TYPE_CHECKING:
    from http.client import HTTPResponse

API_VERSION = "2024-10-21"
DEPLOYMENT = "gpt-35-turbo"
# Small models do not find an end by themselves: on two cores that is minutes of the same sentence.
MAX_TOKENS = 400
# The older name goes first: who knows the newer one alone refuses it by name, while servers that know only the older one
# pass over the newer, and such a bound would bind nothing.
_BOUND, _NEWER_BOUND = "max_tokens", "max_completion_tokens"


def chat(
    text: Annotated[str, typer.Argument(help="What to say; - reads it from stdin.")],
    system: Annotated[str | None, typer.Option(help="System message.")] = None,
    deployment: Annotated[
        str | None,
        typer.Option(
            help=f"Deployment of an account. Default: {DEPLOYMENT}, or the first one that is there."
        ),
    ] = None,
    max_tokens: Annotated[
        int, typer.Option(min=0, help="Longest answer, in tokens; 0 leaves it to the model.")
    ] = MAX_TOKENS,
    wait: Annotated[
        int, typer.Option(min=0, help="Seconds to wait for a model that is still loading.")
    ] = 300,
    format: Annotated[str, typer.Option("--format", help="text or json (the whole answer).")] = "text",  # noqa: A002
    data: running.Data = running.DATA,
) -> None:
    """Talk to the model behind the gateway."""
    one_of("--format", format, ("text", "json"))
    if text == "-":
        text = sys.stdin.read()
    if not text.strip():
        raise Failure("There is nothing to say.", hint='Try: aforo chat "Hello!"', code=Exit.USAGE)
    target = running.required(data)
    if deployment is None:
        deployment = _first(target)
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": text})
    body: dict[str, Any] = {"model": deployment, "messages": messages, "stream": format == "text"}
    if max_tokens:
        body[_BOUND] = max_tokens
    url = f"{target['gateway']}/openai/deployments/{quote(deployment, safe='')}/chat/completions?api-version={API_VERSION}"
    headers = {"api-key": target.secret("subscription_key_file"), "Accept": "*/*"}
    until = time.monotonic() + wait
    while True:
        pause = _call(url, body, headers, target)
        if pause is None:
            return
        if not pause:
            continue
        if time.monotonic() + pause > until:
            raise Failure(
                "The model is still not ready.",
                hint="`aforo status` shows what it does; --wait waits longer.",
            )
        with terminal.progress("the model is loading"):
            time.sleep(pause)


def _first(target: running.Running) -> str:
    """The lab's deployment, or what is there in its place; without a control plane to ask, the lab's."""
    try:
        names = [
            name
            for account in accounts(target)
            for name, model in account.deployments
            if "embed" not in model.lower()
        ]
    except Failure:
        return DEPLOYMENT
    return DEPLOYMENT if DEPLOYMENT in names or not names else names[0]


def _call(url: str, body: dict[str, Any], headers: dict[str, str], target: running.Running) -> float | None:
    """Makes the call and prints its answer; the seconds to wait when the model says that it is not ready yet, none when
    `body` has been changed to what the model takes."""
    try:
        with http.stream("POST", url, body=body, headers=headers, ca=target.ca, timeout_s=300.0) as response:
            if response.status == 503 and response.getheader("Retry-After"):
                return _seconds(response.getheader("Retry-After"))
            if response.status != 200:
                answer = http.Answer(response.status, {}, response.read())
                if _BOUND in body and _wants_newer_bound(answer):
                    body[_NEWER_BOUND] = body.pop(_BOUND)
                    return 0.0
                raise Failure(
                    f"The gateway answered {response.status}: {terminal.printable(answer.reason())}"
                )
            ends: set[str] = set()
            if body["stream"]:
                for piece in _pieces(response, ends):
                    _say(terminal.printable(piece))
                _say("\n")
            else:
                whole = json.loads(response.read())
                terminal.print_json(whole)
                ends.update(_ends(whole))
            if "length" in ends:
                _tell_cut(body.get(_BOUND) or body.get(_NEWER_BOUND))
            return None
    except http.Gone as error:
        raise Failure(
            f"The gateway at {target['gateway']} broke off: {error}.", code=Exit.UNREACHABLE
        ) from error
    except ValueError as error:
        raise Failure(f"The gateway's answer is no JSON: {error}.") from error


def _wants_newer_bound(answer: http.Answer) -> bool:
    """Whether a refusal is of the bound's older name (and not of its value)."""
    said = answer.json()
    error = said.get("error") if isinstance(said, dict) else None
    if answer.status != 400 or not isinstance(error, dict):
        return False
    unsupported = error.get("code") == "unsupported_parameter" and error.get("param") == _BOUND
    return unsupported or _NEWER_BOUND in str(error.get("message"))


def _tell_cut(bound: int | None) -> None:
    told = (
        f"The answer was cut short: --max-tokens is {bound} (0: as many as the model gives)."
        if bound
        else "The answer was cut short: it is the longest that the model gives."
    )
    terminal.err().print(told, markup=False)


def _say(piece: str) -> None:
    try:
        sys.stdout.write(piece)
        sys.stdout.flush()
    except BrokenPipeError:
        # Told apart from the gateway's end of the call, which breaks with the same error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise typer.Exit(Exit.OK) from None


def _seconds(retry_after: str | None) -> float:
    try:
        return min(30.0, max(0.2, float(retry_after or 1)))
    except ValueError:
        return 1.0


def _ends(event: Any) -> Iterator[str]:
    """Why the choices of an answer, or of an event of a stream, ended."""
    choices = event.get("choices") if isinstance(event, dict) else None
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and isinstance(reason := choice.get("finish_reason"), str):
            yield reason


def _pieces(response: HTTPResponse, ends: set[str]) -> Iterator[str]:
    """The text pieces of a chat stream (server-sent events, `data: {...}` up to `data: [DONE]`); `ends` gets why its
    choices ended."""
    while line := response.readline():
        if not line.startswith(b"data:"):
            continue
        payload = line[5:].strip()
        if payload == b"[DONE]":
            return
        event = json.loads(payload)
        if event.get("error"):
            error = event["error"]
            raise Failure(
                f"The model broke off: {error.get('message', error) if isinstance(error, dict) else error}"
            )
        ends.update(_ends(event))
        # Azure's first event has no choices; the last one may carry usage alone.
        for choice in event.get("choices") or ():
            piece = (choice.get("delta") or {}).get("content")
            if piece:
                yield piece
    raise Failure("The stream ended before its [DONE]: the answer may not be whole.")
