"""A certificate is put into the service, and a server that asks for it sees it: by policy, by backend, in a policy's
own request. And an operation that answers with its example."""

from __future__ import annotations

import base64
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.certificates import asking_context, certificate, pfx
from tests.support.system import System, call, running_system

API_VERSION = "api-version=2023-05-01-preview"


@contextmanager
def asking_server(folder: Path, clients: Path) -> Iterator[tuple[int, list[str]]]:
    """(port, the names in the certificates that it was shown, one per request)"""
    chain, key = certificate(folder, "server", ip="127.0.0.1")
    shown: list[str] = []

    class Server(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            assert isinstance(self.connection, ssl.SSLSocket)
            peer: Any = self.connection.getpeercert()
            shown.append(peer["subject"][0][0][1])
            body = self.path.encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Says nothing: a test that fails shows what it saw."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.daemon_threads = True
    server.socket = asking_context(chain, key, clients).wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port, shown
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def put(system: System, path: str, /, **properties: Any) -> dict[str, Any]:
    where = (
        f"/subscriptions/{system['subscription_id']}/resourceGroups/{system['resource_group']}"
        f"/providers/Microsoft.ApiManagement/service/{system['service']}{path}?{API_VERSION}"
    )
    method = "PUT" if path else "PATCH"
    reply = system.admin(method, where, {"properties": properties})
    assert reply.status in (200, 201), reply.body
    found: dict[str, Any] = reply.json()
    return found


def api(system: System, name: str, inbound: str) -> None:
    """An API with one operation that anybody may call."""
    put(
        system,
        f"/apis/{name}",
        displayName=name,
        path=name,
        protocols=["http", "https"],
        subscriptionRequired=False,
    )
    examples = {"good": {"value": {"name": "an example"}}}
    put(
        system,
        f"/apis/{name}/operations/get",
        displayName="get",
        method="GET",
        urlTemplate="/*",
        responses=[
            {
                "statusCode": 200,
                "representations": [{"contentType": "application/json", "examples": examples}],
            }
        ],
    )
    policy = f"<policies><inbound><base/>{inbound}</inbound></policies>"
    put(system, f"/apis/{name}/policies/policy", format="rawxml", value=policy)


def test_a_server_sees_the_certificate_of_the_service(tmp_path: Path) -> None:
    chain, key = certificate(tmp_path, "partner")
    with asking_server(tmp_path, chain) as (port, shown), running_system(tmp_path) as system:
        url = f"https://127.0.0.1:{port}"
        put(system, "", privateEgress=[f"127.0.0.1:{port}"])
        data = base64.b64encode(pfx(chain, key, "word")).decode()
        made = put(system, "/certificates/partner", data=data, password="word")
        assert made["properties"]["subject"] == "CN=partner"
        assert "data" not in made["properties"] or data not in str(made)
        thumbprint = made["properties"]["thumbprint"]

        target = {"url": url, "protocol": "http", "tls": {"validateCertificateChain": False}}
        put(system, "/backends/plain", **target)
        put(system, "/backends/known", **target, credentials={"certificateIds": [made["id"]]})
        plain = '<set-backend-service backend-id="plain"/>'
        shows = f'<authentication-certificate thumbprint="{thumbprint}"/>'
        asks = (
            '<set-backend-service backend-id="known"/><send-request mode="copy" response-variable-name="r"/>'
            '<return-response response-variable-name="r"/>'
        )
        api(system, "bypolicy", plain + shows)
        api(system, "bybackend", '<set-backend-service backend-id="known"/>')
        api(system, "byrequest", asks)
        api(system, "without", plain)
        api(system, "mocked", "<mock-response/>")

        answers = {
            name: call("GET", f"{system.gateway}/{name}/a")
            for name in ("bypolicy", "bybackend", "byrequest", "without", "mocked")
        }
        for name in ("bypolicy", "bybackend", "byrequest"):
            assert (answers[name].status, answers[name].body) == (200, b"/a"), name
        assert answers["without"].status == 500
        assert answers["mocked"].json() == {"name": "an example"}
        assert shown == ["partner"] * 3

        # The key has left no trace in clear.
        secret = key.read_text().splitlines()[1].encode()
        kept = [f for f in system.data.rglob("*") if f.is_file()]
        assert kept
        assert not [f for f in kept if secret in f.read_bytes() or data[:200].encode() in f.read_bytes()]
