"""Asking a content safety service about prompts and answers, in the wire form of Azure AI Content Safety.

What the service finds refuses the call with 403; a service that cannot be asked lets nothing through. Of a stream the
events before the finding are passed on and nothing after them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from aforo.csharp.runtime.exceptions import FormatException
from aforo.errors import Refusal
from aforo.llm.digest import read_object
from aforo.llm.said import answer_text, delta_text, prompt_text
from aforo.messages import is_event_stream
from aforo.policy.answers import answer
from aforo.policy.exchange import Exchange, LastError, PolicyFailure, ResponseState
from aforo.policy.owing import owed
from aforo.policy.services import OutboundRequest

SOURCE = "llm-content-safety"
CATEGORIES: Final = {n.lower(): n for n in ("Hate", "SelfHarm", "Sexual", "Violence")}
OUTPUT_TYPES: Final = {n.lower(): n for n in ("FourSeverityLevels", "EightSeverityLevels")}
PROMPT_WINDOW = 10_000
_VERSION = "api-version=2024-09-01"
_TIMEOUT_S = 30.0
_EVENT = re.compile(rb"(?s:.+?)(?:\n\r?\n|\r\r)|(?s:.+)\Z")
_DATA = re.compile(rb"^data:[ ]?(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Rules:
    """What is asked, and from which severity on a category refuses. `window` and `overlap` are for answers."""

    backend_id: str
    shield: bool
    output_type: str
    categories: tuple[tuple[str, int], ...]
    blocklists: tuple[str, ...]
    window: int
    overlap: int


def rules(
    backend_id: str | None,
    shield: bool,
    output_type: str | None,
    categories: tuple[tuple[str | None, int], ...],
    blocklists: tuple[str | None, ...],
    window: int,
    overlap: int,
) -> Rules:
    """As the policy's attributes came out in this call."""
    kind = OUTPUT_TYPES.get((output_type or "").strip().lower())
    if kind is None:
        raise FormatException(
            "The value of 'output-type' is not one of " + ", ".join(OUTPUT_TYPES.values()) + "."
        )
    named = []
    for name, threshold in categories:
        known = CATEGORIES.get((name or "").strip().lower())
        if known is None:
            raise FormatException(
                "The name of a category is not one of " + ", ".join(CATEGORIES.values()) + "."
            )
        named.append((known, threshold))
    if overlap >= window:
        raise FormatException("'window-overlap-size' must be less than 'window-size'.")
    lists = tuple(b.strip() for b in blocklists if b and b.strip())
    return Rules((backend_id or "").strip(), shield, kind, tuple(named), lists, window, overlap)


async def check_prompt(exchange: Exchange, asked: Rules, on_answer: bool) -> None:
    """Refuse a prompt that the service finds something in; `on_answer`: look at the answer as well."""
    text = prompt_text(read_object(await exchange.request.body.read()))
    if text:
        if asked.shield:
            await _shield(exchange, asked, text)
        if asked.categories or asked.blocklists:
            for piece in windows(text, PROMPT_WINDOW, 0):
                found = await _finding(exchange, asked, piece)
                if found:
                    raise _blocked("Request", found)
    if on_answer:

        async def check(x: Exchange) -> None:
            await check_answer(x, asked)

        owed(exchange).checks.append(check)


async def check_answer(exchange: Exchange, asked: Rules) -> None:
    """Refuse an answer that the service finds something in; a stream ends there."""
    response = exchange.response
    if response is None or not 200 <= response.status < 300 or not (asked.categories or asked.blocklists):
        return
    if is_event_stream(response.headers):
        await _check_stream(exchange, asked, response)
        return
    if b"json" not in (response.headers.get(b"content-type") or b"").lower():
        return
    for piece in windows(answer_text(read_object(await response.body.read())), asked.window, asked.overlap):
        found = await _finding(exchange, asked, piece)
        if found:
            raise _blocked("Response", found)


async def _check_stream(exchange: Exchange, asked: Rules, response: ResponseState) -> None:
    """A window is asked about before its first event is passed on."""
    data = await response.body.read()
    text: list[str] = []
    ends: list[tuple[int, int]] = []  # after each event: characters of text, bytes of stream
    length = size = 0
    for event in _EVENT.findall(data):
        said = "".join(delta_text(read_object(found.strip())) for found in _DATA.findall(event))
        text.append(said)
        length += len(said)
        size += len(event)
        ends.append((length, size))
    start = 0
    for piece in windows("".join(text), asked.window, asked.overlap):
        found = await _finding(exchange, asked, piece)
        if found:
            clean = max((at for characters, at in ends if characters <= start), default=0)
            error = _blocked("Response", found).error
            error.section = exchange.section
            exchange.errors.append(error)
            response.body.replace(data[:clean])
            return
        start += asked.window - asked.overlap


def windows(text: str, size: int, overlap: int) -> Iterator[str]:
    """The text in windows of so many characters, each beginning with the end of the one before."""
    at = 0
    while at < len(text):
        yield text[at : at + size]
        if at + size >= len(text):
            return
        at += size - overlap


async def _shield(exchange: Exchange, asked: Rules, text: str) -> None:
    if len(text) > PROMPT_WINDOW:
        raise _blocked("Request", f"more than {PROMPT_WINDOW} characters cannot be looked at for attacks")
    answer = await _ask(exchange, asked, "shieldPrompt", {"userPrompt": text, "documents": []}, "Request")
    analysis = answer.get("userPromptAnalysis")
    if not isinstance(analysis, dict) or not isinstance(analysis.get("attackDetected"), bool):
        raise _unavailable("the content safety service did not say whether the prompt is an attack")
    if analysis["attackDetected"]:
        raise _blocked("Request", "an attack was detected")


async def _finding(exchange: Exchange, asked: Rules, text: str) -> str:
    """What is wrong with a text, "" for nothing."""
    body: dict[str, Any] = {"text": text, "outputType": asked.output_type}
    if asked.categories:
        body["categories"] = list(dict.fromkeys(name for name, _ in asked.categories))
    if asked.blocklists:
        body["blocklistNames"] = list(asked.blocklists)
        body["haltOnBlocklistHit"] = False
    answer = await _ask(
        exchange, asked, "analyze", body, "Request" if exchange.response is None else "Response"
    )
    if asked.blocklists and answer.get("blocklistsMatch"):
        return "a blocklist matches"
    severities: dict[str, int] = {}
    analysis = answer.get("categoriesAnalysis")
    for entry in analysis if isinstance(analysis, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("severity"), int):
            severities[str(entry.get("category"))] = entry["severity"]
    for name, threshold in asked.categories:
        severity = severities.get(name)
        if severity is None:
            raise _unavailable(f"the content safety service said nothing of {name}")
        if severity >= threshold:
            return f"{name} has severity {severity}"
    return ""


async def _ask(
    exchange: Exchange, asked: Rules, what: str, body: dict[str, Any], side: str
) -> dict[str, Any]:
    request = OutboundRequest(
        "POST",
        f"/contentsafety/text:{what}?{_VERSION}",
        ((b"content-type", b"application/json"),),
        orjson.dumps(body),
        _TIMEOUT_S,
        backend_id=asked.backend_id,
    )
    try:
        answer = await exchange.services.send(request)
    except PolicyFailure as failure:
        raise _unavailable(failure.error.message, failure.error.reason) from failure
    except Refusal as refusal:
        raise _unavailable(refusal.message) from refusal
    if answer.status in (400, 413):
        # It takes the text for too long; the text is the caller's.
        raise _blocked(side, f"the content safety service answered {answer.status}")
    if answer.status != 200:
        raise _unavailable(f"the content safety service answered {answer.status}")
    return read_object(await answer.body.read())


def _blocked(side: str, found: str) -> PolicyFailure:
    """403. What was found stands in the error alone, which the caller does not see."""
    message = f"{side} failed content safety check."
    error = LastError(SOURCE, "ContentSafetyCheckFailed", f"{message} It says: {found}.", http_status=403)
    return PolicyFailure(error, answer(403, message))


def _unavailable(message: str, reason: str = "BackendConnectionFailure") -> PolicyFailure:
    return PolicyFailure(LastError(SOURCE, reason, message))
