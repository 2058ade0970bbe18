"""One call of the account, from its first byte to its record: who, what, when, how much. It answers nothing."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime

from starlette.requests import Request

from aforo.account.diagnostics import Diagnostics, Spent
from aforo.account.engines.engine import End, Engine
from aforo.account.operations import Operation
from aforo.account.quota import Allowance
from aforo.model.account_facts import AccountFacts, DeploymentFacts
from aforo.tables.account_rows import AccountCall

# What a caller who left is recorded as; nobody receives it.
CLIENT_LEFT = 499
_SESSION = f"local-{datetime.now(UTC):%Y%m%d%H%M%S}"
_REGIONS = {
    "eastus": "East US",
    "eastus2": "East US 2",
    "westus": "West US",
    "westeurope": "West Europe",
    "northeurope": "North Europe",
    "swedencentral": "Sweden Central",
    "francecentral": "France Central",
    "northcentralus": "North Central US",
    "southcentralus": "South Central US",
}


class Call:
    """Filled in as the call goes on; `finish` writes it down, once."""

    def __init__(self, request: Request, operation: Operation, facts: AccountFacts, log: Diagnostics) -> None:
        self.operation = operation
        self.facts = facts
        self.id = str(uuid.uuid4())
        self.started_ns = time.time_ns()
        self.api_version = request.query_params.get("api-version", "")
        self.object_id = ""
        self.deployment: DeploymentFacts | None = None
        self.allowance: Allowance | None = None
        self.streaming = False
        self.request_bytes = 0
        self.response_bytes = 0
        self._caller_ip = request.client.host if request.client is not None else ""
        self._client_id = request.headers.get("x-ms-client-request-id", "")
        self._log = log
        self._begun = time.perf_counter_ns()
        self._first_ns = 0
        self._last_ns = 0
        self._pieces = 0
        self._ends: list[End] = []
        self._done = False

    def saw_tokens(self, count: int) -> None:
        """Some tokens came from the engine just now."""
        self._last_ns = time.perf_counter_ns() - self._begun
        self._first_ns = self._first_ns or self._last_ns
        self._pieces += count

    def saw_usage(self, prompt_tokens: int, completion_tokens: int) -> None:
        """What the engine says that (a part of) the answer took."""
        self._ends.append(End("", prompt_tokens, completion_tokens))

    @property
    def spent(self) -> Spent:
        completion = sum(end.completion_tokens for end in self._ends) if self._ends else self._pieces
        prompt = sum(end.prompt_tokens for end in self._ends)
        return Spent(prompt, completion, self._first_ns, self._last_ns)

    def finish(self, status: int) -> None:
        """Write the call down: just before its last bytes leave, so that no complete answer lacks its row."""
        if self._done:
            return
        self._done = True
        deployment = self.deployment
        record = AccountCall(
            operation=self.operation.name,
            api_version=self.api_version,
            correlation_id=self.id,
            caller_ip=self._caller_ip,
            object_id=self.object_id,
            status=status,
            started_ns=self.started_ns,
            ended_ns=time.time_ns(),
            request_bytes=self.request_bytes,
            response_bytes=self.response_bytes,
            streaming=self.streaming,
            deployment=deployment.id if deployment else "",
            model=deployment.model if deployment else "",
            model_version=deployment.model_version if deployment else "",
        )
        self._log.call(self.facts, record, self.spent)

    def headers(self, engine: Engine) -> dict[str, str]:
        """What every answer of Azure's carries, and what really answered."""
        out = {
            "cache-control": "no-cache, must-revalidate",
            "access-control-allow-origin": "*",
            "apim-request-id": self.id,
            "strict-transport-security": "max-age=31536000; includeSubDomains; preload",
            "x-content-type-options": "nosniff",
            "x-ms-region": _REGIONS.get(self.facts.location, self.facts.location),
            "x-request-id": str(uuid.uuid4()),
            "x-ms-client-request-id": _token(self._client_id) or self.id,
            "x-aforo-engine": engine.name,
        }
        if self.operation.inference:
            out["x-accel-buffering"] = "no"
            out["azureml-model-session"] = _SESSION
        if self.allowance is not None:
            out |= self.allowance.headers()
        return out


def _token(text: str) -> str:
    """A caller's own id, if it may stand in a header of ours."""
    return (
        text if len(text) <= 128 and all(c.isalnum() or c in "-_." for c in text) and text.isascii() else ""
    )
