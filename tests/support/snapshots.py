"""Parts of a snapshot, made by hand with as few words as a test needs."""

from __future__ import annotations

from aforo.policy.subject import Api, Deployment, Operation, Subscription, User
from aforo.snapshot.snapshot import OperationEntry

DEPLOYMENT = Deployment("service", "service", "local")


def api_subject(
    name: str = "api",
    path: str = "echo",
    *,
    key_header: str = "api-key",
    key_query: str = "api-key",
    service_url: str = "",
    protocols: tuple[str, ...] = ("http", "https"),
) -> Api:
    return Api(name, name, path, "1", "", service_url, True, protocols, key_header, key_query)


def operation(method: str, template: str) -> OperationEntry:
    """An operation whose id says what it is."""
    return OperationEntry(Operation(f"{method} {template}", template, method, template))


def subscription(name: str) -> Subscription:
    return Subscription(name, name, 0, None, None)


def user(name: str, state: str = "active") -> User:
    return User(name, f"{name}@example.com", name, name, "", 0, (), (), state)
