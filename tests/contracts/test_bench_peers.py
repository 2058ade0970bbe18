"""Measuring peers, held streams and limits: what is pinned, what is counted, what the tables say when something is absent."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

from bench import (
    held_client,
    held_upstream,
    limit_cost,
    log_receiver,
    peer_gateways,
    peer_report,
    peers,
    policy_cost,
    proxies,
    sections,
    served,
    stream_report,
)
from bench.load import Load
from bench.peer_report import PeerFindings, Seen
from bench.processes import Process
from bench.proxies import CallLog, Proxy
from bench.stream_report import Held, StreamFindings

LOCKS = peer_report.LOCKS
COMPROMISED = {"litellm 1.82.7", "litellm 1.82.8", "litellm 1.107.0"}


def loaded(calls: int, failed: int = 0) -> Load:
    return Load(calls, 2.0, failed, 0, 1.5, 120.0)


def test_peers_are_locked_to_the_versions_that_the_report_names_and_to_hashes() -> None:
    named = peer_report.versions()
    assert not COMPROMISED & set(named)
    assert [one.split()[0] for one in named] == ["litellm", "mlflow", "@portkey-ai/gateway"]
    for one in named[:2]:
        name, version = one.split()
        lock = (LOCKS / f"{name}.txt").read_text()
        assert f"\n{name}=={version} \\\n" in lock
        pins = re.findall(r"^\S+==.*$", lock, re.MULTILINE)
        assert len(pins) > 50
        assert all(pin.endswith("\\") for pin in pins), "a package without a hash"
    packages = json.loads((LOCKS / "package-lock.json").read_text())["packages"]
    assert packages["node_modules/@portkey-ai/gateway"]["version"] == named[2].split()[1]
    assert all("integrity" in package for name, package in packages.items() if name)
    assert not [name for name, package in packages.items() if "resolved" in package]


def test_a_row_that_is_missing_is_told_and_what_has_no_log_says_so() -> None:
    found = PeerFindings(3.0, absent=["mlflow (there is no wheel)"])
    found.seen["direct"] = Seen(
        loads=[loaded(9_000)], cpu_us=[5.0], whole_cpu_us=[5.0], first_byte_ms=[[0.5, 0.6, 0.7], [0.6]]
    )
    found.seen["Aforo"] = Seen(
        "always on",
        1.5,
        [loaded(4_000), loaded(5_000)],
        [50.0, 60.0],
        [150.0, 170.0],
        [[1.0, 1.1, 1.2], [1.3]],
        40.0,
        300.0,
        900,
        900,
    )
    found.seen["Other"] = Seen(
        "in batches", 9.0, [loaded(40, failed=3)], [11_000.0], [], [], 340.0, 340.0, 240, 232, 7.1
    )
    found.seen["Bare"] = Seen("none: it keeps nothing", None, [loaded(40)], [110.0], [], [], 34.0, 34.0)
    text = "\n".join(peer_report.markdown(found))
    assert "- left out: mlflow (there is no wheel)" in text
    assert "| Aforo | 2,250 (2,000 to 2,500) | 55.0 (50.0 to 60.0) | 1.00 | 160 (150 to 170) |" in text
    assert "| 0.60 (0.50 to 0.70) | 0.60 | 1.5 |" in text
    assert "| Other | 20 | 11,000 | 220 |  |" in text
    assert "- Other: 3 answers were no success" in text
    assert "| Other | 240 | 232 | 8 | 7.1 | in batches |" in text
    assert "| Aforo | 900 | 900 | 0 |" in text
    assert "| Bare |  |  |  |  | none: it keeps nothing |" in text


def test_why_a_peer_is_absent_comes_from_its_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_gateways, "INSTALLED", tmp_path)
    assert "install.sh" in str(peer_gateways.absent("mlflow"))
    (tmp_path / "mlflow.why").write_text("no wheel for this system\n")
    assert peer_gateways.absent("mlflow") == "no wheel for this system"
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow" / ".lock").write_text("x")
    assert peer_gateways.absent("mlflow") is None


def test_reasons_name_no_address_and_no_path() -> None:
    said = "cannot fetch `https://files.example.org/a/b.whl` into /var/x/peers:\n HTTP 403; `sh bench/peer_versions/install.sh`"
    assert (
        sections.nameless(said) == "cannot fetch `...` into ... HTTP 403; `sh bench/peer_versions/install.sh`"
    )


def test_only_rows_with_both_bodies_count() -> None:
    row = {"messages": [{"role": "user"}], "response": {"id": "1"}}
    assert log_receiver.whole_rows(json.dumps([row, row, {**row, "response": None}]).encode()) == 2
    assert log_receiver.whole_rows(json.dumps(row).encode()) == 1


@pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="CPU is read from /proc, which this system has not"
)
def test_children_are_counted_while_they_run_and_when_they_have_ended() -> None:
    burn = "import time\nwhile time.process_time() < 0.2: pass"
    before = served.tree_cpu_s(os.getpid())
    subprocess.run([sys.executable, "-S", "-c", burn], check=True)
    assert served.tree_cpu_s(os.getpid()) - before >= 0.1
    child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(30)"])
    try:
        assert child.pid in served.tree(os.getpid())
        assert served.tree_mb(os.getpid()) > served.tree_mb(child.pid)
    finally:
        child.kill()
        child.wait()


async def _streams_held_and_fed() -> None:
    held = held_upstream.Held()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: held_upstream.Connection(held), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    clock = asyncio.create_task(held.run())
    said = held_client.request(
        "/openai/deployments/x/chat/completions", {"api-key": "none"}, '{"stream": true}'
    )
    try:
        streams = await held_client.opened(port, said, 30)
        assert len(held.open) == 30
        assert {stream.events for stream in streams} == {1}
        held.control("/trickle/0.05")
        await asyncio.sleep(0.2)
        assert json.loads(held.control("/end"))["sent"] == held.sent > 2 * 30
        assert await held_client.ended(streams, 5) == 30
        assert sum(stream.events for stream in streams) == held.sent
        assert max(stream.events for stream in streams) - min(stream.events for stream in streams) <= 1
        assert not held.open
        held_client.close(streams)
    finally:
        clock.cancel()
        server.close()


def test_streams_are_held_fed_in_turn_and_ended() -> None:
    asyncio.run(_streams_held_and_fed())


def test_streams_that_were_not_held_are_told() -> None:
    found = StreamFindings(5_000, 6.0, absent=["5,000 streams (a process may have 1,024 descriptors here)"])
    found.seen["nginx"] = stream_report.Seen(
        [[0.7], [0.8]], [8.0, 10.0], [3_200.0, 3_200.0], failed=["TimeoutError: "]
    )
    found.seen["Aforo"] = stream_report.Seen(
        [[1.0], [1.2]],
        [18.0, 20.0],
        [3_200.0, 3_100.0],
        [
            Held(5_000, 4.0, 14.5, 15.3, 30.7, 4.0, 5_000, 5_000, 0.4),
            Held(5_000, 4.0, 14.7, 15.5, 29.7, 4.0, 4_999, 4_999, 0.6),
        ],
    )
    found.seen["direct"] = stream_report.Seen([[0.5], [0.6]])
    text = "\n".join(stream_report.markdown(found))
    assert "- left out: 5,000 streams (a process may have 1,024 descriptors here)" in text
    assert "- nginx: TimeoutError" in text
    assert "2 runs, each with processes" in text
    assert "| Aforo | 5,000 | 14.6 (14.5 to 14.7) | 15.4 (15.3 to 15.5) | 4.0 (4.0 to 4.0) |" in text
    assert "| 10,000 | 9,999 | 9,999 | 0.5 (0.4 to 0.6) |" in text
    assert (
        "| Aforo | 19.0 (18.0 to 20.0) | 2.11 (2.00 to 2.25) |  | 3,150 (3,100 to 3,200) | 0.55 (0.50 to 0.60) |"
        in text
    )
    assert "| nginx | 5,000" not in text


def test_a_neighbour_with_a_log_is_counted_and_says_what_it_cannot_log(tmp_path: Path) -> None:
    class Standing:
        port, pid = 1, os.getpid()

    file = tmp_path / "calls.log"
    file.write_bytes(b'{"status":200}\n')
    standing = cast(Process, Standing())
    for name, word in (
        (proxies.NGINX_LOG, "cannot log an answer's body"),
        (proxies.ENVOY_LOG, "holds a stream back"),
    ):
        peer = peers._neighbour(name, Proxy(standing, log=CallLog(file)))
        assert peer.rows is not None
        assert peer.rows() == 1
        assert word in peer.log
        # Longer than it may keep lines for itself.
        assert peer.holds_s > proxies.FLUSH_S
    bare = peers._neighbour(proxies.NGINX, Proxy(standing))
    assert bare.rows is None
    assert bare.log == "none"


def test_limits_without_a_server_are_told() -> None:
    costs = [limit_cost.Cost(1.5, 2.0), limit_cost.Cost(1.3, 2.0), limit_cost.Cost(1.9, 2.0)]
    found = [limit_cost.Limit("rate-limit", costs, [limit_cost.Cost(1.75, 2.0)])]
    text = "\n".join(limit_cost.markdown(found, 2_000))
    assert "3 runs of 2,000 operations" in text
    assert "| rate-limit | 1.5 (1.3 to 1.9) | 1.8 |  |  |  |  |  |" in text
    assert "left out: Valkey" in text
    beside = limit_cost.Limit(
        "quota",
        costs[:1],
        costs[:1],
        [limit_cost.Cost(20.0, 40.0)],
        [limit_cost.Cost(9.0, 11.0), limit_cost.Cost(11.0, 13.0)],
        [12.0, 13.0],
    )
    text = "\n".join(limit_cost.markdown([beside], 2_000))
    assert (
        "| quota | 1.5 | 1.5 | 20.0 | 40.0 | 10.0 (9.0 to 11.0) | 12.0 (11.0 to 13.0) | 12.5 (12.0 to 13.0) |"
        in text
    )
    assert "left out" not in text


def test_pipelines_take_turns_and_what_one_adds_is_of_the_same_run() -> None:
    order: list[str] = []
    found = policy_cost.in_turns({name: lambda name=name: order.append(name) for name in "ab"}, 2)  # type: ignore[misc]
    assert order == ["a", "b"] * 3
    assert {name: len(took) for name, took in found.items()} == {"a": 2, "b": 2}
    costs = policy_cost.Costs(
        1_000,
        {policy_cost.EMPTY_INBOUND: [1.0, 2.0, 1.5], policy_cost.LAB_INBOUND: [3.0, 3.5, 3.25]},
        {policy_cost.FIRST: [10.0, 12.0]},
        [40.0],
    )
    text = "\n".join(policy_cost.markdown(costs))
    assert text.startswith("\n## Policies\n")
    assert "3 runs of 1,000 calls each" in text
    assert "| what that adds | 1.75 (1.50 to 2.00) |" in text
    assert f"| {policy_cost.FIRST} | 11.0 (10.0 to 12.0) |" in text


def test_every_part_of_the_policies_is_measured() -> None:
    found = policy_cost.measure(10, runs=1)
    assert all(len(values) == 1 and values[0] > 0 for values in found.call_us.values())
    assert len(found.call_us) == 4
    assert len(found.compile_ms) == 3
    assert found.call_us[policy_cost.METERED_WHOLE][0] > found.call_us[policy_cost.EMPTY_WHOLE][0]
