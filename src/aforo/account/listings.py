"""What the account lists: models, deployments, and the empty lists of what it does not have. It admits nobody."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request

from aforo.account import answers, faults
from aforo.account.call import Call
from aforo.account.engines.engine import Engine
from aforo.account.faults import Fault
from aforo.model.account_facts import AccountFacts, DeploymentFacts

Listed = dict[str, Any] | Fault
Lister = Callable[[Request, Call], Awaitable[Listed]]

# Parts of the service that this account does not have: first word of the path, what to call it.
ABSENT = {
    "files": "files",
    "fine_tuning": "fine-tuning jobs",
    "fine-tunes": "fine-tuning jobs",
    "batches": "batches",
}


def find_deployment(facts: AccountFacts, name: str) -> DeploymentFacts | None:
    """The deployment of that name, whatever its case."""
    return next((d for d in facts.deployments if d.id.lower() == name.lower()), None)


def models(engine: Engine) -> Lister:
    """All models behind the deployments, each with the truth about what answers under its name."""

    async def answer(_request: Request, call: Call) -> Listed:
        return {"data": list(answers.models(call.facts, engine).values()), "object": "list"}

    return answer


def model(engine: Engine, name: str) -> Lister:
    async def answer(_request: Request, call: Call) -> Listed:
        found = answers.models(call.facts, engine).get(name)
        return found if found is not None else faults.model_not_found(name)

    return answer


async def deployments(_request: Request, call: Call) -> Listed:
    return {"data": [answers.deployment_entry(d) for d in call.facts.deployments], "object": "list"}


def deployment(name: str) -> Lister:
    async def answer(_request: Request, call: Call) -> Listed:
        found = find_deployment(call.facts, name)
        return answers.deployment_entry(found) if found is not None else faults.deployment_not_found()

    return answer


def absent(word: str, more: list[str]) -> Lister:
    """Files and jobs: the lists are empty, single ones are unknown, new ones cannot be made."""

    async def answer(request: Request, call: Call) -> Listed:
        # An upload of any size is read to its end and thrown away: a client that still sends would see a broken
        # connection instead of the answer.
        async for chunk in request.stream():
            call.request_bytes += len(chunk)
        what = ABSENT[word]
        if request.method == "POST":
            return faults.sample_has_none(what)
        name = more[-1] if more and more != ["jobs"] else ""
        if name:
            return faults.file_not_found(what.removesuffix("s"), name)
        if request.method == "GET":
            return {"data": [], "object": "list", "has_more": False}
        return faults.method_not_allowed("GET, POST")

    return answer
