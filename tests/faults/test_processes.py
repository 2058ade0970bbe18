"""Processes that are killed or stand still while clients call: what had finished has its row, once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.counting_client import CountingClient, every_finished_call_has_one_row
from tests.support.fault_lab import lab_file
from tests.support.system import System, eventually, running_system


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One system for the stories that leave it whole."""
    with running_system(tmp_path_factory.mktemp("processes"), workers=2) as running:
        eventually("the shipper", lambda: running.pids("shipper"))
        yield running


def kill_and_await(system: System, role: str) -> None:
    """kill -9, and wait until there is another one."""
    before = system.pids(role)
    system.kill(role)
    eventually(
        f"another {role}",
        lambda: len(now := system.pids(role)) == len(before) and not set(now) & set(before),
        within_s=30,
    )


@pytest.mark.parametrize("role", ["control", "shipper", "account"])
def test_kill_under_load(system: System, role: str) -> None:
    with CountingClient(system) as clients:
        for _ in range(2):
            clients.wait_for(20)
            kill_and_await(system, role)
        clients.wait_for(20)
    # A gateway needs neither control nor the log plane for its calls.
    assert role == "account" or (clients.seen.broken, clients.seen.statuses) == (0, {})
    rows = every_finished_call_has_one_row(system, clients.seen)
    # Nor is a call without a row that was answered otherwise.
    assert clients.seen.refused.keys() <= rows.keys()


@pytest.mark.parametrize("role", ["gateway", "control", "shipper", "account"])
def test_stand_still_under_load(system: System, role: str) -> None:
    with CountingClient(system) as clients:
        clients.wait_for(20)
        stopped = system.pids(role)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        if role in ("control", "shipper"):
            clients.wait_for(100)
        else:
            time.sleep(1.0)  # what is stopped tells nothing that could be waited for
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        clients.wait_for(20)
    assert (clients.seen.broken, clients.seen.statuses) == (0, {})
    every_finished_call_has_one_row(system, clients.seen)


def subscription(system: System, name: str) -> tuple[str, str]:
    """A new subscription's path, and its key."""
    path = (
        f"/subscriptions/{system['subscription_id']}/resourceGroups/{system['resource_group']}"
        f"/providers/Microsoft.ApiManagement/service/{system['service']}/subscriptions/{name}"
        "?api-version=2024-05-01"
    )
    properties = {"displayName": name, "scope": "/products/generative-ai", "state": "active"}
    made = system.admin("PUT", path, {"properties": properties})
    assert made.status in (200, 201), made.body
    return path, system.admin("POST", path.replace("?", "/listSecrets?")).json()["primaryKey"]


def test_a_key_out_of_force_is_out_of_force_within_a_second(system: System) -> None:
    for number in range(3):
        path, key = subscription(system, f"fault-{number}")
        with CountingClient(system, key=key) as clients:
            clients.wait_for(10)
            gone = system.admin("DELETE", path)
            answered = time.monotonic()
            assert gone.status in (200, 204), gone.body
            if number:
                # What was answered is in force, whatever becomes of who answered.
                kill_and_await(system, "control")
            eventually("refusals", lambda clients=clients: len(clients.seen.refused) > 20)  # type: ignore[misc]
        assert clients.seen.last_success < answered + 1.0
        assert set(clients.seen.statuses) == {401}
        every_finished_call_has_one_row(system, clients.seen)


def test_a_gateway_that_is_restarted_without_control_does_not_know_revoked_keys_again(
    system: System,
) -> None:
    path, key = subscription(system, "fault-late")
    with CountingClient(system, key=key) as clients:
        clients.wait_for(10)
        system.admin("DELETE", path)
        answered = time.monotonic()
        control = system.pids("control")
        for pid in control:
            os.kill(pid, signal.SIGSTOP)
        try:
            kill_and_await(system, "gateway")
            refused = len(clients.seen.refused)
            eventually("refusals", lambda: len(clients.seen.refused) > refused + 20)
        finally:
            for pid in control:
                os.kill(pid, signal.SIGCONT)
    assert clients.seen.last_success < answered + 1.0


def test_no_limit_is_exceeded_whatever_is_killed_beside_it(tmp_path: Path) -> None:
    limit = (
        '<rate-limit-by-key calls="60" renewal-period="300" counter-key="all"'
        ' remaining-calls-header-name="x-left" />'
    )
    with running_system(tmp_path, config=lab_file(tmp_path, inbound=limit)) as system:
        with CountingClient(system, clients=8) as clients:
            clients.wait_for(10)
            kill_and_await(system, "control")
            (gateway,) = system.pids("gateway")
            os.kill(gateway, signal.SIGSTOP)
            kill_and_await(system, "shipper")
            os.kill(gateway, signal.SIGCONT)
            eventually("refusals", lambda: clients.seen.statuses[429] > 40, within_s=30)
        assert (len(clients.seen.finished), set(clients.seen.statuses)) == (60, {429})
        every_finished_call_has_one_row(system, clients.seen)
