"""Networks that cut, stall and refuse; names that nobody knows; certificates that have ended."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.certificates import certificate, server_context
from tests.support.counting_client import PATH, PLAIN, CountingClient, every_finished_call_has_one_row
from tests.support.cutting_proxy import CuttingProxy
from tests.support.fault_lab import lab_file
from tests.support.holding_backend import HoldingBackend
from tests.support.system import Reply, System, call, eventually, running_system

CUT = "ApiManagementGatewayLogs | where Aborted == 'backend' | summarize n = count()"


@dataclass
class Lab:
    """A system whose backend stands behind a proxy that the stories work."""

    system: System
    proxy: CuttingProxy
    cut_before: int = 0  # rows of calls that their backend had cut, as far as they were counted

    def use(self, address: str) -> None:
        """Another address of the backend, in force when this comes back."""
        system = self.system
        path = (
            f"/subscriptions/{system['subscription_id']}/resourceGroups/{system['resource_group']}"
            f"/providers/Microsoft.ApiManagement/service/{system['service']}/namedValues/openai-endpoint"
            "?api-version=2024-05-01"
        )
        done = system.admin("PUT", path, {"properties": {"displayName": "openai-endpoint", "value": address}})
        assert done.status in (200, 201), done.body

    @contextlib.contextmanager
    def policy(self, backend: str) -> Iterator[None]:
        """The API's policy has that in its backend section, as long as this lasts."""
        system = self.system
        path = (
            f"/subscriptions/{system['subscription_id']}/resourceGroups/{system['resource_group']}"
            f"/providers/Microsoft.ApiManagement/service/{system['service']}/apis/azure-openai/policies/policy"
            "?api-version=2024-05-01"
        )
        before = system.admin("GET", f"{path}&format=rawxml").json()["properties"]["value"]
        text = before.replace("</inbound>", f"</inbound><backend>{backend}</backend>")

        def put(value: str) -> None:
            done = system.admin("PUT", path, {"properties": {"format": "rawxml", "value": value}})
            assert done.status in (200, 201), done.body

        put(text)
        try:
            yield
        finally:
            put(before)

    def cut(self) -> int:
        """How many rows are there of calls that their backend has cut."""
        return int(self.system.query(CUT)[0]["n"])

    def chat(self, mark: str) -> Reply:
        headers = {"api-key": self.system.key, "Content-Type": "application/json"}
        return call("POST", f"{self.system.gateway}{PATH}&mark={mark}", body=PLAIN, headers=headers)

    def reason(self, mark: str) -> tuple[int, str, str]:
        """Status and last error of the row with that mark."""
        kql = (
            f"ApiManagementGatewayLogs | where Url endswith 'mark={mark}'"
            " | project ResponseCode, LastErrorReason, LastErrorMessage"
        )
        rows = eventually("the row", lambda: self.system.query(kql))
        assert len(rows) == 1
        return int(rows[0]["ResponseCode"]), rows[0]["LastErrorReason"], rows[0]["LastErrorMessage"]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("network")
    with running_system(folder, config=lab_file(folder, backend="127.0.0.1:9")) as system:
        account = int(system["account"].rpartition(":")[2])
        with CuttingProxy(account) as proxy:
            found = Lab(system, proxy)
            found.use(f"http://127.0.0.1:{proxy.port}")
            yield found


@pytest.mark.parametrize("after", [0, 60, 900])
def test_answers_that_are_cut_are_not_taken_for_whole(lab: Lab, after: int) -> None:
    with CountingClient(lab.system) as clients:
        clients.wait_for(20)
        lab.proxy.cut_after = after
        lab.proxy.cut()
        eventually("cut calls", lambda: clients.seen.broken + len(clients.seen.refused) > 20)
        lab.proxy.cut_after = None
        lab.proxy.cut()
        clients.wait_for(20)
    assert set(clients.seen.statuses) <= {500}
    rows = every_finished_call_has_one_row(lab.system, clients.seen)
    assert clients.seen.refused.keys() <= rows.keys()
    if after < 100:
        assert clients.seen.statuses[500] > 10
    # What had begun is cut for its client, and its row says so.
    begun = lab.cut_before + clients.seen.broken
    eventually("their rows", lambda: lab.cut() >= begun)
    lab.cut_before = lab.cut()
    assert after < 100 or clients.seen.broken > 5


def test_a_backend_that_stalls_keeps_its_callers_waiting_and_no_more(lab: Lab) -> None:
    with CountingClient(lab.system) as clients:
        clients.wait_for(20)
        lab.proxy.flowing.clear()
        time.sleep(1.0)  # nothing tells that nothing comes
        lab.proxy.flowing.set()
        clients.wait_for(20)
    assert (clients.seen.broken, clients.seen.statuses) == (0, {})
    every_finished_call_has_one_row(lab.system, clients.seen)


WAITS = '<forward-request timeout="60" idle-timeout="1" buffer-request-body="true" />'
READS = "@(context.Response.StatusCode &gt;= 500 || context.Response.Body.As&lt;string&gt;(true).Length == 0)"


def test_a_backend_that_stalls_within_a_body_is_left_in_the_time_that_the_policy_says(lab: Lab) -> None:
    with HoldingBackend() as backend:
        lab.use(f"http://127.0.0.1:{backend.port}")
        try:
            with lab.policy(WAITS):
                cut = lab.chat("stalled")
            twice = f'<retry condition="{READS}" count="1" interval="0">{WAITS}</retry>'
            with lab.policy(twice), ThreadPoolExecutor(1) as threads:
                answered = threads.submit(lab.chat, "again")
                eventually("another attempt", lambda: backend.asked == 3)
                backend.release.set()
                again = answered.result()
        finally:
            lab.use(f"http://127.0.0.1:{lab.proxy.port}")
    # Without `retry` the client has had the beginning.
    assert cut.status == 200
    assert b"Good " in cut.body
    assert b'"code":"BackendConnectionFailure"' in cut.body
    assert lab.reason("stalled")[:2] == (200, "Timeout")
    assert (again.status, again.body.endswith(b"data: [DONE]\n\n")) == (200, True)
    assert lab.reason("again")[0] == 200
    lab.cut_before = lab.cut()


def test_a_backend_that_refuses_connections_and_comes_back(lab: Lab) -> None:
    lab.proxy.refusing = True
    lab.proxy.cut()
    assert lab.chat("refusing").status == 500
    lab.proxy.refusing = False
    assert lab.chat("back").status == 200
    assert lab.reason("refusing")[:2] == (500, "BackendConnectionFailure")


def test_a_name_that_nobody_knows(lab: Lab) -> None:
    lab.use("http://no-such-host.invalid")
    try:
        assert lab.chat("unknown").status == 500
    finally:
        lab.use(f"http://127.0.0.1:{lab.proxy.port}")
    assert lab.chat("known").status == 200
    status, reason, message = lab.reason("unknown")
    assert (status, reason) == (500, "BackendConnectionFailure")
    assert "no-such-host.invalid" in message


def test_a_certificate_that_has_ended(lab: Lab, tmp_path: Path) -> None:
    chain, key = certificate(tmp_path, "ended", ip="127.0.0.1", days=-1)
    with TlsListener(chain, key) as port:
        lab.use(f"https://127.0.0.1:{port}")
        try:
            assert lab.chat("ended").status == 500
        finally:
            lab.use(f"http://127.0.0.1:{lab.proxy.port}")
    status, reason, message = lab.reason("ended")
    assert (status, reason) == (500, "BackendConnectionFailure")
    assert "certificate" in message


class TlsListener:
    """Shakes hands with whoever comes, in a thread, and says nothing."""

    def __init__(self, chain: Path, key: Path) -> None:
        self._context = server_context(chain, key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), self._context.wrap_socket(client, server_side=True):
                pass
