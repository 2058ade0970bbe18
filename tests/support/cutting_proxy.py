"""A TCP proxy for faults of the network: passes bytes on until it is told to cut, to stall, or to refuse."""

from __future__ import annotations

import contextlib
import socket
import threading


class CuttingProxy:
    """Listens on `port` of loopback and passes everything on to `target`; threads, for tests with real processes.

    `cut_after`: bytes of an answer after which a connection is reset; None for never. `stalled`: nothing is passed on
    while it is clear.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cut_after: int | None = None
        self.refusing = False
        self.flowing = threading.Event()
        self.flowing.set()
        self.accepted = 0
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> CuttingProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.flowing.set()
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Reset all connections that there are."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for sock in pair:
                _reset(sock)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            if self.refusing:
                _reset(client)
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                _reset(client)
                continue
            pair = client, server
            self._pairs.append(pair)
            threading.Thread(target=self._pass_on, args=(client, server, pair, False), daemon=True).start()
            threading.Thread(target=self._pass_on, args=(server, client, pair, True), daemon=True).start()

    def _pass_on(
        self, source: socket.socket, sink: socket.socket, pair: tuple[socket.socket, ...], answers: bool
    ) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.flowing.wait()
                limit = self.cut_after if answers else None
                if limit is not None and passed + len(data) > limit:
                    sink.sendall(data[: max(0, limit - passed)])
                    break
                sink.sendall(data)
                passed += len(data)
            else:
                sink.shutdown(socket.SHUT_WR)
                return
        for sock in pair:
            _reset(sock)


def _reset(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        # Wakes a thread that reads from it; what is closed under it stays open until it reads.
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
