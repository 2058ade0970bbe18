"""Several gateway processes under load: replaced without a dropped call, and one of them killed; limits hold for all."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.system import System, call, eventually, running_system
from tests.support.valkey_server import ValkeyServer

pytestmark = pytest.mark.slow

CHAT = "/openai/deployments/gpt-35-turbo/chat/completions?api-version=2023-05-15"
BODY = json.dumps({"messages": [{"role": "user", "content": "Hello!"}]}).encode()


class Load:
    """Clients that call in a loop, on connections that they keep as HTTP lets them. `seen` counts what came of each call:
    a status, `refused` (nobody listened) or `broken` (the connection ended within the call)."""

    def __init__(self, system: System, clients: int, *, keep: bool = True) -> None:
        self._url = urlsplit(system.gateway)
        self._headers = {"api-key": system.key, "Content-Type": "application/json"}
        self._keep = keep
        self._end = threading.Event()
        self._lock = threading.Lock()
        self.seen: Counter[str] = Counter()
        self.slowest_s = 0.0
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(30)

    def _run(self) -> None:
        assert self._url.hostname
        connection = http.client.HTTPConnection(self._url.hostname, self._url.port, timeout=30)
        while not self._end.is_set():
            started = time.monotonic()
            try:
                connection.request("POST", CHAT, BODY, self._headers)
                answer = connection.getresponse()
                answer.read()
                came = str(answer.status)
            except ConnectionRefusedError:
                came = "refused"
            except (OSError, http.client.HTTPException):
                came = "broken"
            took = time.monotonic() - started
            with self._lock:
                self.seen[came] += 1
                self.slowest_s = max(self.slowest_s, took)
            if came in ("broken", "refused") or not self._keep:
                connection.close()
        connection.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_gateways_are_replaced_without_a_dropped_call(tmp_path: Path, workers: int) -> None:
    with running_system(tmp_path, workers=workers) as system:
        before = set(system.pids("gateway"))
        with Load(system, 6) as load, Load(system, 2, keep=False) as fresh:
            eventually("calls", lambda: load.seen["200"] > 20)
            os.kill(system.supervisor, signal.SIGUSR2)
            eventually("the end of it", lambda: reload(system) == (1, False, ""), within_s=60)
            calls = load.seen["200"]
            eventually("calls afterwards", lambda: load.seen["200"] > calls + 20)
        assert set(load.seen) == {"200"}, load.seen
        assert set(fresh.seen) == {"200"}, fresh.seen
        after = set(system.pids("gateway"))
        assert len(after) == workers
        assert not after & before
        calls = load.seen["200"] + fresh.seen["200"]
        eventually(
            "all rows",
            lambda: system.query("ApiManagementGatewayLogs | count")[0]["Count"] == calls,
            within_s=20,
        )


class Stream(threading.Thread):
    """A call whose answer comes slowly; `texts` are the events as they have come."""

    def __init__(self, system: System) -> None:
        super().__init__()
        self._url = urlsplit(system.gateway)
        self._headers = {"api-key": system.key, "Content-Type": "application/json"}
        self.texts: list[str] = []
        self.failure = ""
        self.start()

    def run(self) -> None:
        assert self._url.hostname
        connection = http.client.HTTPConnection(self._url.hostname, self._url.port, timeout=30)
        try:
            connection.request("POST", CHAT, json.dumps({**json.loads(BODY), "stream": True}), self._headers)
            answer = connection.getresponse()
            assert answer.status == 200
            while line := answer.readline():
                if line.startswith(b"data: "):
                    self.texts.append(line[6:].strip().decode())
        except (OSError, http.client.HTTPException, AssertionError) as error:
            self.failure = repr(error)
        finally:
            connection.close()

    @property
    def said(self) -> str:
        chunks = (json.loads(t) for t in self.texts if t != "[DONE]")
        return "".join(c["delta"].get("content") or "" for chunk in chunks for c in chunk["choices"])


def test_streams_under_way_end_where_they_began_and_new_calls_go_to_the_new_workers(tmp_path: Path) -> None:
    with running_system(tmp_path, workers=2) as system:
        spoken = " ".join(f"w{n}" for n in range(60))
        script = {"text": spoken, "tokens": 60, "tokens_per_second": 12}
        provider = (
            f"/subscriptions/{system['subscription_id']}/resourceGroups/{system['resource_group']}"
            "/providers/Microsoft.CognitiveServices/accounts"
        )
        version = "?api-version=2023-05-01"
        (account,) = system.admin("GET", provider + version).json()["value"]
        deployment = f"{provider}/{account['name']}/deployments/gpt-35-turbo{version}"
        was = system.admin("GET", deployment).json()
        slow = {"sku": was.get("sku"), "properties": {**was["properties"], "script": script}}
        assert system.admin("PUT", deployment, slow).status in (200, 201)
        before = set(system.pids("gateway"))
        streams = [Stream(system) for _ in range(6)]
        eventually("all of them", lambda: all(s.said for s in streams))
        assert system.admin("PUT", deployment, {**slow, "properties": was["properties"]}).status == 200
        os.kill(system.supervisor, signal.SIGUSR2)
        eventually("the new ones", lambda: reload(system) == (1, False, ""), within_s=60)
        assert not set(system.pids("gateway")) & before
        assert all(s.is_alive() for s in streams), "they have ended too early to show anything"
        for pid in before:
            os.kill(pid, signal.SIGSTOP)
        try:
            # Who is new is served by the new ones: the old ones do nothing now.
            with Load(system, 2, keep=False) as fresh:
                eventually("calls", lambda: fresh.seen["200"] >= 10)
        finally:
            for pid in before:
                os.kill(pid, signal.SIGCONT)
        for stream in streams:
            stream.join(30)
            assert (stream.failure, stream.said, stream.texts[-1]) == ("", spoken, "[DONE]")
        assert set(fresh.seen) == {"200"}
        told = "ApiManagementGatewayLogs | where IsStream | summarize n=count(), whole=countif(StreamComplete and Aborted == '')"
        eventually("their rows", lambda: system.query(told) == [{"n": 6, "whole": 6}], within_s=20)
        eventually("the end of the old ones", lambda: not any(is_alive(pid) for pid in before))


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def reload(system: System) -> tuple[int, bool, str]:
    said = json.loads((system.data / "endpoints.json").read_bytes())["reload"]
    return said["number"], said["under_way"], said["error"]


def test_a_worker_that_is_killed_takes_only_its_own_calls_with_it(tmp_path: Path) -> None:
    clients = 6
    with running_system(tmp_path, workers=2) as system:
        with Load(system, clients) as load, Load(system, 4, keep=False) as fresh:
            eventually("calls", lambda: load.seen["200"] > 20 and fresh.seen["200"] > 20)
            victim = system.pids("gateway-0")[0]
            os.kill(victim, signal.SIGKILL)
            eventually("another one", lambda: (p := system.pids("gateway-0")) and p[0] != victim, within_s=20)
            calls = fresh.seen["200"]
            eventually("calls afterwards", lambda: fresh.seen["200"] > calls + 20)
        # Each client had one call under way at most.
        assert load.seen["broken"] <= clients
        assert fresh.seen["broken"] <= 4
        assert set(load.seen) | set(fresh.seen) <= {"200", "broken"}, (load.seen, fresh.seen)
        # Who came to its socket did not wait for its next start.
        assert fresh.slowest_s < 2.0


def aforo(system: System, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "aforo", *arguments, "--data", str(system.data)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_status_and_restart_tell_what_each_worker_does(tmp_path: Path) -> None:
    with running_system(tmp_path, workers=2) as system:

        def status() -> dict[str, Any]:
            said: dict[str, Any] = json.loads(aforo(system, "status", "--format", "json").stdout)
            return said

        before = status()
        assert [w["name"] for w in before["workers"]] == ["gateway-0", "gateway-1"]
        assert {w["pid"] for w in before["workers"]} == set(system.pids("gateway"))
        revisions = {w["revision"] for w in before["workers"]}
        assert len(revisions) == 1
        assert revisions.pop() > 0
        assert before["counters"].endswith("counters.sock")
        done = aforo(system, "restart", "--rolling")
        assert done.returncode == 0, done.stderr
        after = status()
        assert not {w["pid"] for w in after["workers"]} & {w["pid"] for w in before["workers"]}
        assert [w["revision"] for w in after["workers"]] == [w["revision"] for w in before["workers"]]
        assert f"gateway-1: process {after['workers'][1]['pid']} in the place of" in done.stdout


def limited(system: System, element: str) -> Callable[[], int]:
    """A policy before the lab's API; a call is made on a connection of its own, and gives its status."""
    group = f"/subscriptions/{system['subscription_id']}/resourceGroups/{system['resource_group']}"
    api = f"{group}/providers/Microsoft.ApiManagement/service/{system['service']}/apis/azure-openai"
    path = f"{api}/policies/policy?api-version=2024-05-01"
    text = system.admin("GET", f"{path}&format=rawxml").json()["properties"]["value"]
    text = text.replace("</inbound>", f"{element}</inbound>")
    reply = system.admin("PUT", path, {"properties": {"format": "rawxml", "value": text}})
    assert reply.status == 200, reply.body
    headers = {"api-key": system.key, "Content-Type": "application/json"}
    return lambda: call("POST", system.gateway + CHAT, body=BODY, headers=headers).status


QUOTA = '<quota-by-key calls="{0}" renewal-period="86400" counter-key="all" />'


def test_limits_of_workers_hold_together_and_over_kills(tmp_path: Path) -> None:
    with running_system(tmp_path, workers=2) as system:
        ask = limited(system, QUOTA.format(40))
        with ThreadPoolExecutor(4) as pool:
            came = Counter(pool.map(lambda _: ask(), range(20)))
        assert came == {200: 20}
        # Each of the parts that could forget.
        for role in ("gateway-0", "counters"):
            before = system.pids(role)
            system.kill(role)
            eventually(
                f"another {role}",
                lambda role=role, before=before: (p := system.pids(role)) and p != before,  # type: ignore[misc]
                within_s=20,
            )
        logs = [system.data / "logs" / f"gateway-{n}.log" for n in range(2)]
        eventually("the server", lambda: all("can be reached again" in log.read_text() for log in logs))
        with ThreadPoolExecutor(4) as pool:
            came = Counter(pool.map(lambda _: ask(), range(30)))
        assert came == {200: 20, 403: 10}


def test_a_quota_of_one_worker_holds_over_kills_and_a_restart(tmp_path: Path) -> None:
    with running_system(tmp_path) as system:
        ask = limited(system, QUOTA.format(9))
        assert [ask() for _ in range(3)] == [200] * 3
        before = system.pids("gateway")
        system.kill("gateway")
        eventually("another gateway", lambda: (p := system.pids("gateway")) and p != before, within_s=20)
        assert [ask() for _ in range(2)] == [200] * 2
        system.kill_supervisor()
        system.start()
        assert [ask() for _ in range(2)] == [200] * 2
        assert aforo(system, "restart").returncode == 0
        assert [ask() for _ in range(4)] == [200, 200, 403, 403]


@pytest.mark.parametrize(("away", "status"), [("open", 200), ("closed", 503)])
def test_while_the_counters_are_away(tmp_path: Path, away: str, status: int) -> None:
    """On a server of the operator's own, killed and started again."""
    with (
        ValkeyServer("--requirepass", "hunter2-of-valkey") as server,
        running_system(
            tmp_path, counters=f"redis://:hunter2-of-valkey@127.0.0.1:{server.port}", counters_away=away
        ) as system,
    ):
        ask = limited(system, QUOTA.format(5))
        assert [ask() for _ in range(3)] == [200] * 3
        server.stop()
        assert ask() == status
        if away == "closed":
            answer = call("POST", system.gateway + CHAT, body=BODY, headers={"api-key": system.key})
            assert answer.headers["retry-after"] == "1"
            assert answer.json()["message"].startswith("Limits cannot be checked")
        server.start()
        eventually("limits", lambda: ask() == 200, within_s=15)
        assert b"hunter2" not in (system.data / "endpoints.json").read_bytes()
        assert aforo(system, "status").stdout.count(f"Limits are counted on 127.0.0.1:{server.port}.") == 1
    said = b"".join(path.read_bytes() for path in (tmp_path / "data" / "logs").iterdir())
    assert b"hunter2" not in said
    assert b"the counters' server at 127.0.0.1" in said
