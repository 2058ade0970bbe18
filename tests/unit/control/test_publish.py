"""What other processes read: the signed bundle, the account's facts."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from aforo.control.lab import lab_yaml
from aforo.control.publish import FilePublisher, IssuerFacts
from aforo.errors import Invalid
from aforo.model import account_facts
from aforo.snapshot import bundle_file
from aforo.snapshot.snapshot import Bundle
from tests.support.control_door import Bench

KEY = b"k" * 32
ISSUER = IssuerFacts("tenant", ("http://127.0.0.1:8081/tenant/v2.0",), {"keys": []})


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.apply(lab_yaml())
    return bench


@pytest.fixture
def publisher(bench: Bench, tmp_path: Path) -> FilePublisher:
    publisher = FilePublisher(tmp_path / "snapshots", KEY, ISSUER)
    publisher(*bench.published[-1])
    return publisher


def test_what_was_published_is_read(bench: Bench, publisher: FilePublisher) -> None:
    assert bundle_file.load(publisher.bundle_path, KEY) == bench.door.bundle
    assert bundle_file.version_of(publisher.bundle_path) == 1
    assert publisher.bundle_path.stat().st_mode & 0o077 == 0
    assert [p.name for p in publisher.bundle_path.parent.iterdir() if p.name.startswith(".")] == []


def test_every_changed_byte_is_noticed(publisher: FilePublisher) -> None:
    data = publisher.bundle_path.read_bytes()
    step = max(1, len(data) // 200)
    for at in [*range(60), *range(60, len(data), step)]:
        broken = bytearray(data)
        broken[at] ^= 1
        publisher.bundle_path.write_bytes(broken)
        with pytest.raises(Invalid):
            bundle_file.load(publisher.bundle_path, KEY)
    for length in (0, 10, 47, 48, len(data) - 1):
        publisher.bundle_path.write_bytes(data[:length])
        with pytest.raises(Invalid):
            bundle_file.load(publisher.bundle_path, KEY)


def test_another_key_is_refused(publisher: FilePublisher) -> None:
    with pytest.raises(Invalid, match="signature"):
        bundle_file.load(publisher.bundle_path, b"x" * 32)


def test_something_signed_that_is_no_bundle_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_file, "encode", lambda _b: msgspec.msgpack.encode({"version": 1}))
    bundle_file.save(Bench(tmp_path).door.bundle, tmp_path / "b", KEY)
    with pytest.raises(Invalid, match="cannot be read"):
        bundle_file.load(tmp_path / "b", KEY)


def test_no_file_has_no_version(tmp_path: Path) -> None:
    assert bundle_file.version_of(tmp_path / "none") == 0
    with pytest.raises(FileNotFoundError):
        bundle_file.load(tmp_path / "none", KEY)


def test_when_it_cannot_be_written_the_old_one_stays(
    bench: Bench, publisher: FilePublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    newer: Bundle = msgspec.structs.replace(bench.door.bundle, version=2)
    with pytest.raises(OSError, match="No space"):
        bundle_file.save(newer, publisher.bundle_path, KEY)
    assert bundle_file.load(publisher.bundle_path, KEY).version == 1
    assert [p.name for p in publisher.bundle_path.parent.iterdir() if p.name.startswith(".")] == []


def test_the_account_is_told_of_what_concerns_it_only(bench: Bench, publisher: FilePublisher) -> None:
    first = account_facts.load(publisher.account_path)
    assert first.issuers == ISSUER.issuers
    bench.door.put(bench.id("products", "p"), {"properties": {"displayName": "P"}})
    publisher(*bench.published[-1])
    assert account_facts.load(publisher.account_path).version == first.version
    account = next(bench.door.graph.of_type("Microsoft.CognitiveServices/accounts")).id.text
    bench.door.put(
        f"{account}/deployments/new",
        {"properties": {"model": {"name": "gpt-4o"}}, "sku": {"name": "Standard", "capacity": 2}},
    )
    publisher(*bench.published[-1])
    changed = account_facts.load(publisher.account_path)
    assert (changed.version, changed.deployments[-1].id, changed.deployments[-1].tokens_per_minute) == (
        3,
        "new",
        2000,
    )


def test_disabled_keys_and_deleted_roles_are_gone_at_once(bench: Bench, publisher: FilePublisher) -> None:
    account = next(bench.door.graph.of_type("Microsoft.CognitiveServices/accounts")).id.text
    bench.door.put(
        account, {"kind": "OpenAI", "sku": {"name": "S0"}, "properties": {"disableLocalAuth": True}}
    )
    publisher(*bench.published[-1])
    assert account_facts.load(publisher.account_path).key_hashes == ()
    assignment = next(bench.door.graph.of_type("Microsoft.Authorization/roleAssignments")).id.text
    bench.door.delete(assignment)
    publisher(*bench.published[-1])
    assert account_facts.load(publisher.account_path).roles == ()


def test_an_account_that_was_taken_out_lets_nobody_in(bench: Bench, publisher: FilePublisher) -> None:
    text = lab_yaml()
    start, end = text.index("# The local account"), text.index("services:")
    without = text[:start] + text[end:].replace(
        "${accounts.aoai-activategenai.endpoint}", "https://h.example"
    )
    bench.apply(without)
    publisher(*bench.published[-1])
    facts = account_facts.load(publisher.account_path)
    assert (facts.resource_id, facts.key_hashes, facts.roles, facts.deployments) == ("", (), (), ())
    assert bench.published[-1][0].egress_private == ()
