"""Takes log rows over HTTP (JSON arrays, or one object) and counts those with both bodies: `python -m bench.log_receiver PORT`."""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def whole_rows(said: bytes) -> int:
    """How many rows of a batch have what was asked and what was answered."""
    rows = json.loads(said)
    return sum(
        1
        for row in (rows if isinstance(rows, list) else [rows])
        if row.get("messages") and row.get("response")
    )


class Receiver(BaseHTTPRequestHandler):
    """POST adds, GET tells the count."""

    protocol_version = "HTTP/1.1"
    count = 0
    _one = threading.Lock()

    def do_POST(self) -> None:
        found = whole_rows(self.rfile.read(int(self.headers["Content-Length"])))
        with self._one:
            Receiver.count += found
        self._answer(b"")

    def do_GET(self) -> None:
        self._answer(str(self.count).encode())

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Says nothing."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
