"""What `aforo doctor` asks over the network: the certificates that are shown and carried, the backends that are named."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from aforo.app.examining import GOOD, WARNING, WRONG, Finding
from aforo.egress.policy import EgressPolicy, parse
from aforo.egress.pool import Origin, Pool
from aforo.errors import Refusal
from aforo.messages import parse_url
from aforo.snapshot.snapshot import Bundle

SOON_DAYS = 14.0
_TIMEOUT_S = 5.0
_NAMED = re.compile(r"\{\{([^{}]+)\}\}")


def shown(listener: str, url: str, now_s: float) -> Finding:
    """The certificate that an https listener shows to clients."""
    parts = urlsplit(url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((parts.hostname or "", parts.port or 443), _TIMEOUT_S) as plain,
            context.wrap_socket(plain) as tls,
        ):
            data = tls.getpeercert(binary_form=True)
    except OSError as error:
        return Finding("certificate", listener, WRONG, f"{url} shows none: {error}")
    assert data is not None
    return _end(listener, x509.load_der_x509_certificate(data), now_s)


def carried(ca: Path | None, bundle: Bundle | None, now_s: float) -> list[Finding]:
    """The local CA, and the certificates of the configuration."""
    found = []
    texts = [("authority", ca.read_bytes())] if ca is not None and ca.exists() else []
    texts += [(entry.id, entry.pem.encode()) for entry in bundle.certificates] if bundle is not None else []
    for name, pem in texts:
        try:
            found.append(_end(name, x509.load_pem_x509_certificate(pem), now_s))
        except ValueError as error:
            found.append(Finding("certificate", name, WRONG, f"it cannot be read: {error}"))
    return found


def _end(name: str, certificate: x509.Certificate, now_s: float) -> Finding:
    end = certificate.not_valid_after_utc
    left_days = (end.timestamp() - now_s) / 86_400
    begins_s = certificate.not_valid_before_utc.timestamp()
    facts = {"not_after": end.isoformat(), "days_left": round(left_days, 1)}
    day = f"{end:%Y-%m-%d}"
    if left_days < 0:
        return Finding("certificate", name, WRONG, f"it ended on {day}", facts)
    if begins_s > now_s + 60:
        begin = datetime.fromtimestamp(begins_s, UTC)
        return Finding("certificate", name, WRONG, f"it is not valid before {begin:%Y-%m-%d %H:%M}", facts)
    if left_days < SOON_DAYS:
        return Finding("certificate", name, WARNING, f"it ends on {day}, in {left_days:.0f} days", facts)
    return Finding("certificate", name, GOOD, f"until {day}", facts)


def named_backends(bundle: Bundle) -> dict[str, tuple[str, bool, bool]]:
    """What the configuration names as a backend: label to (URL, check the chain, check the name).

    Backends, service URLs of APIs, and named values that are URLs (policies set backends by them).
    """
    values = {v.name: v.value for v in bundle.named_values if not v.secret}

    def filled(url: str) -> str:
        return _NAMED.sub(lambda m: values.get(m[1].strip(), m[0]), url)

    found = {
        f"backend {b.id}": (filled(b.url), b.validate_chain, b.validate_name)
        for b in bundle.backends
        if b.url and not b.members
    }
    for api in bundle.apis:
        if api.subject.service_url:
            found[f"API {api.subject.id}"] = filled(api.subject.service_url), True, True
    for name, value in values.items():
        if value.startswith(("http://", "https://")):
            found[f"named value {name}"] = value, True, True
    return found


def reach(bundle: Bundle, ca: Path | None, own: Iterable[tuple[str, int]]) -> list[Finding]:
    """Whether a connection to each backend can be made, by the rules that gateways have; nothing is asked there.

    `own`: addresses of this system that may be called (the local account).
    """
    rules = parse(bundle.egress_private)
    ports = rules.allowed_ports | set(own)
    pool = Pool(EgressPolicy(rules.allowed, ports, allowed_sockets=rules.allowed_sockets), ca)
    return asyncio.run(_reach(pool, named_backends(bundle)))


async def _reach(pool: Pool, backends: dict[str, tuple[str, bool, bool]]) -> list[Finding]:
    return list(await asyncio.gather(*_looks(pool, backends)))


def _looks(pool: Pool, backends: dict[str, tuple[str, bool, bool]]) -> Iterator[asyncio.Task[Finding]]:
    for label, (url, chain, name) in backends.items():
        yield asyncio.get_running_loop().create_task(_look(pool, label, url, chain=chain, name=name))


async def _look(pool: Pool, label: str, url: str, *, chain: bool, name: bool) -> Finding:
    try:
        parts = parse_url(url)
    except ValueError:
        return Finding("backend", label, WARNING, "its URL is made by secrets or expressions: not tried")
    where = f"{parts.scheme}://{parts.host}:{parts.port}"
    started = time.perf_counter()
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            connection = await pool.connect(Origin(parts.scheme, parts.host, parts.port, chain, name))
    except TimeoutError:
        return Finding("backend", label, WRONG, f"{where}: no connection within {_TIMEOUT_S:g} s")
    except Refusal as error:
        return Finding("backend", label, WRONG, f"{where}: {error.message}")
    connection.close()
    took_ms = (time.perf_counter() - started) * 1e3
    facts = {"url": where, "connect_ms": round(took_ms, 1)}
    return Finding("backend", label, GOOD, f"{where} in {took_ms:.0f} ms", facts)
