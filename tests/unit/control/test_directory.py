"""Who exists: applications and identities of the graph, as the issuer asks for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from aforo.control.access import allowed
from aforo.control.directory import GraphDirectory
from aforo.control.lab import lab_yaml
from aforo.errors import Refusal
from aforo.identity.access import Principal
from aforo.identity.keys import hash_key
from aforo.model.kinds.role_assignment import ROLE_ASSIGNMENT_TYPE
from tests.support.control_door import Bench

GUID = "00000000-0000-0000-0000-000000000001"


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


def test_roles_end_with_their_application(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    door = bench.door
    app = "\napplications:\n  app-1: {}\n"
    bench.apply(lab_yaml() + app)
    group = bench.id("").partition("/providers/")[0]
    application = door.require(f"{group}/providers/Aforo.Identity/applications/app-1")
    principal = str(application.properties["principalId"])
    path = f"{group}/providers/Microsoft.Authorization/roleAssignments/{GUID}"
    role = {"properties": {"roleDefinitionId": "Owner", "principalId": principal}}
    door.put(path, role)
    others = [r.id for r in door.graph.of_type(ROLE_ASSIGNMENT_TYPE) if r.name != GUID]
    assert others
    scope = application.id.text
    somebody = Principal(principal, "", "app-1")
    assert allowed(door.graph, somebody, "Aforo.Identity/applications/write", scope)

    assert door.delete(application.id.text)
    assert [r.id for r in door.graph.of_type(ROLE_ASSIGNMENT_TYPE)] == others
    # Its principal is derived from its name: the next one of that name is the same principal without rights.
    door.put(application.id.text, {})
    assert door.require(application.id.text).properties["principalId"] == principal
    assert not allowed(door.graph, somebody, "Aforo.Identity/applications/write", scope)


def test_a_file_cannot_take_an_application_away_from_the_roles_that_it_gives(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.apply(lab_yaml() + "\napplications:\n  app-1: {}\n")
    group = bench.id("").partition("/providers/")[0]
    application = bench.door.require(f"{group}/providers/Aforo.Identity/applications/app-1")
    principal = application.properties["principalId"]
    role = f"    roleAssignments:\n      {GUID}: {{roleDefinitionId: Owner, principalId: {principal}}}\n"
    text = lab_yaml().replace("    roleAssignments:\n", role)
    assert role in text
    with pytest.raises(
        Refusal, match=r"application 'app-1' cannot be deleted: role assignment '0{8}.* uses it"
    ):
        bench.apply(text)
    assert bench.door.graph.get(application.id.text) is not None
