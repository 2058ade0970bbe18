"""A model server for stories of faults: streams begin, and end when the story lets them. Threads, real sockets."""

from __future__ import annotations

import contextlib
import socket
import threading

CHUNK = b'data: {"id":"1","model":"gpt-35-turbo","choices":[{"index":0,"delta":{"content":"Good "}}]}\n\n'
DONE = b"data: [DONE]\n\n"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


class HoldingBackend:
    """Each call gets the start of a stream; its end comes when `release` is set."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.release = threading.Event()
        self.asked = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> HoldingBackend:
        return self

    def __exit__(self, *_: object) -> None:
        self.release.set()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            heard = b""
            while True:
                while b"\r\n\r\n" not in heard:
                    data = client.recv(65536)
                    if not data:
                        return
                    heard += data
                head, _, body = heard.partition(b"\r\n\r\n")
                length = next(
                    int(line.partition(b":")[2])
                    for line in head.lower().split(b"\r\n")
                    if line.startswith(b"content-length:")
                )
                while len(body) < length:
                    body += client.recv(65536)
                heard = body[length:]
                self.asked += 1
                client.sendall(HEAD + _chunk(CHUNK))
                self.release.wait()
                client.sendall(_chunk(DONE) + b"0\r\n\r\n")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
