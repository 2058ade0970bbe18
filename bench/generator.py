"""`python -m bench.generator`: an open loop of calls, from a specification on stdin to figures on stdout (bench/open_loop.py).

Calls are due at random moments (Poisson) that are fixed before the first is sent; latency counts from then, so that
a system that stalls answers for every call that came meanwhile. One thread, raw sockets, a timer of the kernel.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import json
import os
import random
import re
import select
import socket
import sys
import time
from collections import deque
from typing import Any

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_LAST_CHUNK = b"0\r\n\r\n"
_AT_ONCE = 128 * 1024
# So long a call may go on after the last was sent.
PATIENCE_S = 10.0
# Until a call that is due sooner the process does not sleep.
_SPIN_S = 20e-6
_CLOCK_MONOTONIC, _ABSOLUTE, _NONBLOCKING = 1, 1, 0o4000


class _Timer:
    """A timer of the kernel with nanoseconds: epoll's own time-out knows milliseconds only."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.fd: int = self._libc.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCKING)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        # struct itimerspec: interval (s, ns), value (s, ns)
        self._when = (ctypes.c_long * 4)()

    def set(self, at: float) -> None:
        """Ready at this moment of the monotonic clock (seconds), and not before."""
        seconds = int(at)
        self._when[2] = seconds
        self._when[3] = int((at - seconds) * 1e9)
        self._libc.timerfd_settime(self.fd, _ABSOLUTE, self._when, None)


class _Connection:
    """A kept connection with at most one call under way."""

    __slots__ = ("call", "first", "head", "left", "out", "sock", "status", "tail")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.call = -1  # index of the call under way
        self.out: memoryview | None = None  # what is not sent yet
        self.head = b""
        self.left = -1  # bytes of the body that are to come; -1: not known, -2: chunked
        self.tail = b""
        self.status = 0
        self.first = 0.0


class Generator:
    """One run. `spec` as bench.open_loop.run writes it."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self._spec = spec
        self._request = spec["head"].encode() + spec["body"].encode()
        draw = random.Random(spec["seed"])
        self._due: list[float] = []
        at = draw.expovariate(spec["rate"])
        while at < spec["seconds"]:
            self._due.append(at)
            at += draw.expovariate(spec["rate"])
        count = len(self._due)
        self._took = [0.0] * count  # seconds from the moment that was meant; 0: no answer
        self._first = [0.0] * count
        self._late: list[float] = []  # a connection was free, and this process was late
        self._free_since = 0.0  # none was free before
        self._statuses: dict[int, int] = {}
        self._broken = 0
        self._done = 0
        self._received = 0
        self._epoll = select.epoll()
        self._connections: dict[int, _Connection] = {}
        self._idle: deque[_Connection] = deque()
        self._buffer = bytearray(_AT_ONCE)
        self._tls: Any = None
        self._wait: tuple[type[Exception], ...] = (BlockingIOError,)
        if spec["ca"]:
            import ssl

            self._tls = ssl.create_default_context(cafile=spec["ca"])
            self._wait = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

    def run(self) -> dict[str, Any]:
        """Sends all calls at their times and waits for the answers; the figures."""
        timer = _Timer()
        for _ in range(self._spec["connections"]):
            self._connect()
        self._epoll.register(timer.fd, select.EPOLLIN)
        gc.disable()
        due, count, index = self._due, len(self._due), 0
        began = time.monotonic()
        cpu = time.process_time()
        start = began + 0.01
        until = start + self._spec["seconds"] + PATIENCE_S
        self._start = start
        timed_at = -1
        while self._done < count:
            now = time.monotonic()
            while index < count and self._idle and start + due[index] <= now:
                self._late.append(now - max(start + due[index], self._free_since))
                self._send(self._idle.popleft(), index)
                index += 1
                now = time.monotonic()
            pause = -1.0
            if index < count and self._idle:
                if start + due[index] - now < _SPIN_S:
                    pause = 0.0
                elif timed_at != index:
                    timer.set(start + due[index])
                    timed_at = index
            elif timed_at >= 0 and not self._idle:
                # No connection is free: what is due waits for one, and a timer would only wake us.
                timer.set(until)
                timed_at = -1
            if now > until:
                break
            for fd, events in self._epoll.poll(pause if pause >= 0 else 1.0):
                connection = self._connections.get(fd)
                if connection is None:
                    if fd == timer.fd:
                        timer.set(until)
                        timed_at = -1
                    continue
                if connection.out is not None and events & select.EPOLLOUT:
                    self._go_on(connection)
                if events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
                    self._receive(connection)
        return self._figures(time.monotonic() - start, time.process_time() - cpu)

    def _connect(self) -> None:
        sock = socket.create_connection(("127.0.0.1", self._spec["port"]), timeout=10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is not None:
            sock = self._tls.wrap_socket(sock, server_hostname="127.0.0.1")
        sock.setblocking(False)
        connection = _Connection(sock)
        self._connections[sock.fileno()] = connection
        self._epoll.register(sock.fileno(), select.EPOLLIN)
        self._idle.append(connection)

    def _send(self, connection: _Connection, index: int) -> None:
        connection.call = index
        connection.head = b""
        connection.left = -1
        connection.tail = b""
        connection.first = 0.0
        try:
            sent = connection.sock.send(self._request)
        except self._wait:
            sent = 0
        except OSError:
            self._break(connection)
            return
        if sent < len(self._request):
            connection.out = memoryview(self._request)[sent:]
            self._epoll.modify(connection.sock.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def _go_on(self, connection: _Connection) -> None:
        """Send more of a body that did not fit into the kernel's buffers; not all at once, for the others' sake."""
        assert connection.out is not None
        try:
            sent = connection.sock.send(connection.out[:_AT_ONCE])
        except self._wait:
            return
        except OSError:
            self._break(connection)
            return
        connection.out = connection.out[sent:] if sent < len(connection.out) else None
        if connection.out is None:
            self._epoll.modify(connection.sock.fileno(), select.EPOLLIN)

    def _receive(self, connection: _Connection) -> None:
        while True:
            try:
                size = connection.sock.recv_into(self._buffer)
            except self._wait:
                return
            except OSError:
                size = 0
            if not size:
                self._break(connection)
                return
            self._take(connection, size)
            # What TLS has already taken from the socket no epoll tells of.
            if self._tls is None or connection.call < 0 or connection.sock.fileno() < 0:
                return

    def _take(self, connection: _Connection, size: int) -> None:
        self._received += size
        if connection.left == -1:
            data = connection.head + bytes(self._buffer[:size])
            end = data.find(b"\r\n\r\n") + 4
            if end < 4:
                connection.head = data
                return
            head = data[:end]
            connection.status = int(head[9:12])
            length = _LENGTH.search(head)
            if length:
                connection.left = int(length[1])
            elif _CHUNKED.search(head):
                connection.left = -2
            else:
                connection.left = 0
            size = len(data) - end
            if size:
                connection.first = time.monotonic()
            rest = data[end:][-5:]
        else:
            if not connection.first:
                connection.first = time.monotonic()
            rest = bytes(self._buffer[max(0, size - 5) : size])
        if connection.left == -2:
            connection.tail = (connection.tail + rest)[-5:]
            if connection.tail == _LAST_CHUNK:
                self._finish(connection)
            return
        connection.left -= size
        if connection.left <= 0:
            self._finish(connection)

    def _finish(self, connection: _Connection) -> None:
        index, connection.call = connection.call, -1
        if index < 0:
            return
        meant = self._start + self._due[index]
        now = time.monotonic()
        self._took[index] = now - meant
        self._first[index] = (connection.first or now) - meant
        self._statuses[connection.status] = self._statuses.get(connection.status, 0) + 1
        self._done += 1
        if connection.out is not None:
            # Answered before the body was sent: nothing more can be said on this connection.
            self._drop(connection)
        else:
            if not self._idle:
                self._free_since = now
            self._idle.append(connection)

    def _break(self, connection: _Connection) -> None:
        """The other side closed, or it failed: the call under way has no answer."""
        if connection.call >= 0:
            self._broken += 1
            self._done += 1
        self._drop(connection)

    def _drop(self, connection: _Connection) -> None:
        with contextlib.suppress(ValueError):
            self._idle.remove(connection)
        del self._connections[connection.sock.fileno()]
        self._epoll.unregister(connection.sock.fileno())
        connection.call = -1
        connection.sock.close()
        with contextlib.suppress(OSError):
            self._connect()

    def _figures(self, elapsed_s: float, cpu_s: float) -> dict[str, Any]:
        # What was due while caches and connections behind the proxy were cold counts as calls, not as latency.
        warm = next((i for i, at in enumerate(self._due) if at >= self._spec["warm_s"]), 0)
        late = sorted(self._late[warm:])
        return {
            "calls": len(self._due),
            "elapsed_s": elapsed_s,
            "statuses": {str(status): number for status, number in self._statuses.items()},
            "broken": self._broken,
            "unanswered": len(self._due) - self._done,
            "received": self._received,
            "cpu_s": cpu_s,
            "late_p99_ms": late[int(len(late) * 0.99)] * 1e3 if late else 0.0,
            "took_us": [int(took * 1e6) for took in self._took[warm:] if took],
            "first_us": [int(first * 1e6) for first in self._first[warm:] if first]
            if self._spec["first_byte"]
            else [],
        }


def main() -> None:
    """One run."""
    with contextlib.suppress(OSError):
        # Where it may: that this process is late is not to be the latency of others.
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    spec = json.load(sys.stdin)
    try:
        found = Generator(spec).run()
    except OSError as error:
        found = {"failed": f"{errno.errorcode.get(error.errno or 0, 'error')}: {error}"}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
