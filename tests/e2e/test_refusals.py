"""What the gateway says to wrong calls: API Management's bodies to the byte, and nothing hangs or crashes."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest

from tests.support.system import System, call

CHAT = "/openai/deployments/gpt-35-turbo/chat/completions?api-version=2023-05-15"
BODY = {"messages": [{"role": "user", "content": "Hello!"}]}
INVALID = (
    b'{ "statusCode": 401, "message": "Access denied due to invalid subscription key. '
    b'Make sure to provide a valid key for an active subscription." }'
)
MISSING = (
    b'{ "statusCode": 401, "message": "Access denied due to missing subscription key. '
    b'Make sure to include subscription key when making requests to an API." }'
)
NOT_FOUND = b'{ "statusCode": 404, "message": "Resource not found" }'


@pytest.mark.parametrize(
    ("headers", "body"),
    [({"api-key": "0" * 32}, INVALID), ({"api-key": ""}, None), ({}, MISSING)],
    ids=["wrong", "empty", "missing"],
)
def test_keys(lab: System, headers: dict[str, str], body: bytes | None) -> None:
    reply = call("POST", lab.gateway + CHAT, body=BODY, headers=headers)
    assert reply.status == 401
    assert reply.body in ([body] if body else [INVALID, MISSING])
    assert reply.headers["content-type"] == "application/json"
    challenge = reply.headers["www-authenticate"]
    assert challenge.startswith("AzureApiManagementKey realm=")
    assert 'name="api-key",type="header"' in challenge


def test_a_key_in_the_query_is_looked_at_only_without_the_header(lab: System) -> None:
    assert call("POST", f"{lab.gateway}{CHAT}&api-key={lab.key}", body=BODY).status == 200
    wrong = call("POST", f"{lab.gateway}{CHAT}&api-key={lab.key}", body=BODY, headers={"api-key": "0" * 32})
    assert wrong.status == 401


@pytest.mark.parametrize(
    "path", ["/nowhere", "/openai/nowhere", "/", "/openai/deployments/x/chat/completion"]
)
def test_a_wrong_path(lab: System, path: str) -> None:
    reply = call("POST", lab.gateway + path, body=BODY, headers={"api-key": lab.key})
    assert (reply.status, reply.body) == (404, NOT_FOUND)


def test_an_api_for_https_alone_is_served_over_http_to_this_machine_alone(lab: System) -> None:
    api = (
        f"/subscriptions/{lab['subscription_id']}/resourceGroups/{lab['resource_group']}"
        f"/providers/Microsoft.ApiManagement/service/{lab['service']}/apis/tls-alone"
    )
    properties = {"path": "tls-alone", "displayName": "TLS alone", "subscriptionRequired": False}
    assert lab.admin("PUT", f"{api}?api-version=2024-05-01", {"properties": properties}).status == 201
    operation = {"displayName": "any", "method": "GET", "urlTemplate": "/*"}
    policy = (
        '<policies><inbound><return-response><set-status code="204" /></return-response></inbound></policies>'
    )
    for path, body in (
        ("operations/any", operation),
        ("policies/policy", {"format": "rawxml", "value": policy}),
    ):
        assert lab.admin("PUT", f"{api}/{path}?api-version=2024-05-01", {"properties": body}).status == 201, (
            path
        )
    try:
        # From elsewhere it is not there: tests/unit/gateway/test_server_calls.py.
        assert call("GET", f"{lab.gateway}/tls-alone/x").status == 204
        assert call("GET", f"{lab['gateway_tls']}/tls-alone/x", ca=lab.ca).status == 204
    finally:
        lab.admin("DELETE", f"{api}?api-version=2024-05-01")


def test_a_wrong_method(lab: System) -> None:
    reply = call("GET", lab.gateway + CHAT, headers={"api-key": lab.key})
    assert (reply.status, reply.body) == (404, NOT_FOUND)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"messages": 7}', b"\xff\xfe", b'{"messages": []}'])
def test_a_wrong_body_is_the_accounts_to_judge(lab: System, body: bytes) -> None:
    headers = {"api-key": lab.key, "Content-Type": "application/json"}
    reply = call("POST", lab.gateway + CHAT, body=body, headers=headers)
    assert reply.status == 400
    assert reply.json()["error"]["message"]


def test_the_probe_path_of_azure(lab: System) -> None:
    assert call("GET", f"{lab.gateway}/status-0123456789abcdef").status == 200
    for name in ("gateway", "control", "account"):
        assert call("GET", f"{lab[name]}/livez").status == 200
        assert call("GET", f"{lab[name]}/readyz").status == 200


@pytest.mark.parametrize(
    "head",
    [
        b"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}",
        b"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST {path} HTTP/1.1\r\nContent-Length: 2\r\n\r\n{{}}",
        b"POST {path} HTTP/1.1\r\nHost : x\r\nContent-Length: 2\r\n\r\n{{}}",
        b"POST {path} HTTP/1.1\nHost: x\nContent-Length: 2\n\n{{}}",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"nonsense\r\n\r\n",
    ],
    ids=[
        "two lengths",
        "length and chunked",
        "no host",
        "space before colon",
        "bare line feeds",
        "tls",
        "nonsense",
    ],
)
def test_what_two_parsers_could_read_differently_is_refused_and_closed(lab: System, head: bytes) -> None:
    address = urlsplit(lab.gateway)
    with socket.create_connection((address.hostname, address.port), timeout=10) as client:
        client.sendall(head.replace(b"{path}", CHAT.encode()).replace(b"{{", b"{").replace(b"}}", b"}"))
        said = b""
        while piece := client.recv(4096):
            said += piece
    assert said.startswith(b"HTTP/1.1 400 ")
    assert said.count(b"HTTP/1.1 ") == 1
