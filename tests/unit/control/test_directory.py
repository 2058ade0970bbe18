"""Who exists: applications and identities of the graph, as the issuer asks for them."""

from __future__ import annotations

from pathlib import Path

from aforo.control.directory import GraphDirectory
from aforo.control.lab import lab_yaml
from aforo.identity.keys import hash_key
from tests.support.control_door import Bench


def test_applications_and_identities(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.apply(
        lab_yaml()
        + "\napplications:\n  app-1: {appId: client-1, clientSecret: s3cret-text, appRoles: [Reader]}\n"
    )
    directory = GraphDirectory(lambda: bench.door.graph)
    found = directory.application("CLIENT-1")
    assert found is not None
    assert found.secret_hashes == (hash_key("s3cret-text"),)
    assert found.principal.roles == ("Reader",)
    assert found.principal.object_id
    assert directory.application("nobody") is None
    service = bench.door.require(bench.id(""))
    identity = directory.managed_identity()
    assert identity is not None
    assert identity.object_id == service.body["identity"]["principalId"]
    assert identity.resource_id == service.id.text
    assert directory.managed_identity(resource_id=service.id.text.upper()) == identity
    assert directory.managed_identity(object_id="other") is None
    bench.apply(lab_yaml().replace("    identity: {type: SystemAssigned}\n", "").replace(
        "principalId: ${services.apim-activategenai.principalId}", "principalId: someone"))  # fmt: skip
    assert directory.managed_identity() is None
    assert directory.application("client-1") is None
