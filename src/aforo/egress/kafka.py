"""Event Hubs and Kafka clusters: where one is, and a producer for it (aiokafka, in the extra `events`).

The library connects by itself, so whoever uses it has the addresses judged by the egress policy before.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from aforo.errors import Invalid, Unavailable

EVENT_HUBS_PORT: Final = 9093
EMULATOR_PORT: Final = 9092

# (host, port) -> comes back when it may be connected to; Denied otherwise.
Judge = Callable[[str, int], Awaitable[None]]
# (resource, client id) -> an access token of the gateway's own identity.
TokenOf = Callable[[str, str | None], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Target:
    """Where events go. `password` signs in as `$ConnectionString`; `identity` with a token, "" for the system's own."""

    host: str
    port: int
    topic: str
    tls: bool
    password: str = ""
    identity: str | None = None

    def __repr__(self) -> str:
        return f"Target({self.host}:{self.port}/{self.topic})"


def read_target(
    who: str, connection: str, name: str, endpoint: str = "", client: str = "SystemAssigned"
) -> Target:
    """What a connection string, or else an endpoint with an identity, says. Invalid names `who` and what is missing, and
    shows no secret."""
    if connection:
        pairs = (part.partition("=") for part in connection.split(";") if part.strip())
        parts = {name.strip().lower(): value.strip() for name, _, value in pairs}
        endpoint = parts.get("endpoint", "")
        emulator = parts.get("usedevelopmentemulator", "").lower() == "true"
        hub = name or parts.get("entitypath", "")
    else:
        parts, emulator, hub = {}, False, name
    scheme, found, rest = endpoint.partition("://")
    host, _, port = (rest if found else endpoint).rstrip("/").partition(":")
    if not host or (port and not port.isdigit()):
        raise Invalid(f"{who} has no endpoint that can be connected to")
    if not hub:
        raise Invalid(f"{who} does not say which event hub")
    if found and scheme.lower() == "kafka":
        # A broker of your own, without signing in.
        return Target(host, int(port or EMULATOR_PORT), hub, tls=False)
    if emulator:
        return Target(host, int(port or EMULATOR_PORT), hub, tls=False, password=connection)
    if connection:
        if "sharedaccesskey" not in parts:
            raise Invalid(f"the connection string of {who} has no SharedAccessKey")
        return Target(host, int(port or EVENT_HUBS_PORT), hub, tls=True, password=connection)
    own = "" if client.lower() == "systemassigned" else client
    return Target(host, int(port or EVENT_HUBS_PORT), hub, tls=True, identity=own)


def producer_of(target: Target, token_of: TokenOf) -> Any:
    """An AIOKafkaProducer that has not started; Unavailable where the library is not installed."""
    try:
        from aiokafka import AIOKafkaProducer
        from aiokafka.abc import AbstractTokenProvider
    except ImportError as error:
        raise Unavailable("events for Kafka need the extra: pip install 'aforo[events]'") from error

    options: dict[str, Any] = {}
    if target.identity is not None:
        resource = f"https://{target.host}"
        client = target.identity or None

        class Provider(AbstractTokenProvider):  # type: ignore[misc]
            async def token(self) -> str:
                return await token_of(resource, client)

        options = {"sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_provider": Provider()}
    elif target.password:
        options = {
            "sasl_mechanism": "PLAIN",
            "sasl_plain_username": "$ConnectionString",
            "sasl_plain_password": target.password,
        }
    signs_in = bool(options)
    protocol = ("SASL_" if signs_in else "") + ("SSL" if target.tls else "PLAINTEXT")
    return AIOKafkaProducer(
        bootstrap_servers=f"{target.host}:{target.port}",
        client_id="aforo",
        acks="all",
        linger_ms=10,
        request_timeout_ms=30_000,
        # Event Hubs closes what is idle for longer.
        connections_max_idle_ms=180_000,
        metadata_max_age_ms=180_000,
        security_protocol=protocol,
        ssl_context=ssl.create_default_context() if target.tls else None,
        **options,
    )
