"""ARM over the graph, as the SDKs speak it: verbs, codes, ETags, secrets, errors, roles, audit."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from aforo.control.access import bearer_or_admin
from aforo.control.api import routes
from aforo.control.lab import lab_yaml
from aforo.errors import Denied
from aforo.identity.access import Principal
from tests.support.asgi import Answer, call
from tests.support.control_door import Bench

READER = "11111111-1111-1111-1111-111111111111"


@dataclass
class Control:
    """The resource API over a bench, called as a client calls it."""

    bench: Bench
    rows: list[Mapping[str, Any]] = field(default_factory=list)
    page: tuple[int, bytes] = (404, b"")
    waits: list[int] = field(default_factory=list)  # the revisions for which an answer waited

    def __post_init__(self) -> None:
        async def verify(token: str) -> Principal:
            if token != "reader-token":
                raise Denied("bad token", code="InvalidAuthenticationToken", authenticated=False)
            return Principal(READER, "app-reader", "reader")

        async def fetch(*_: object) -> tuple[int, Mapping[str, str], bytes]:
            return self.page[0], {}, self.page[1]

        async def in_force() -> None:
            self.waits.append(self.bench.published[-1][0].version)

        authenticate = bearer_or_admin(lambda token: token == "admin-token", verify)
        self.app = Starlette(
            routes=routes(
                self.bench.door,
                authenticate,
                sink=self.rows.append,  # type: ignore[arg-type]
                fetch=fetch,
                in_force=in_force,
            )
        )

    def __call__(
        self, method: str, path: str, body: Any = None, token: str = "admin-token", **headers: str
    ) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["authorization"] = f"Bearer {token}"
        return asyncio.run(call(self.app, method, path, headers=sent, body=body))

    def at(self, kind: str, name: str = "") -> str:
        return self.bench.id(kind, name)


@pytest.fixture
def control(tmp_path: Path) -> Control:
    bench = Bench(tmp_path)
    bench.apply(lab_yaml())
    return Control(bench)


def test_a_change_is_answered_when_it_is_in_force(control: Control) -> None:
    path = control.at("products", "gold")
    body = props(displayName="Gold")
    assert control("PUT", path + VERSION, body).status == 201
    assert control.waits == [2]
    assert control("PATCH", path + VERSION, props(description="x")).status == 200
    assert control("DELETE", path + VERSION).status == 200
    assert control.waits == [2, 3, 4]
    assert control("DELETE", path + VERSION).status == 204
    assert control("GET", path + VERSION).status == 404
    assert control("PUT", path + VERSION, props(displayName=5)).status == 400
    assert control("PUT", path + VERSION, body, token="").status == 401
    assert control.waits == [2, 3, 4]  # nothing changed: nothing to wait for
    assert (
        control("POST", "/aforo/v1/apply", {"files": {"aforo.yaml": lab_yaml()}, "dryRun": True}).status
        == 200
    )
    assert control.waits == [2, 3, 4]


VERSION = "?api-version=2024-05-01"


def props(**properties: Any) -> dict[str, Any]:
    return {"properties": properties}


def test_a_resource_lives(control: Control) -> None:
    path = control.at("products", "gold")
    made = control("PUT", path + VERSION, props(displayName="Gold"))
    assert made.status == 201
    assert made.json() == {
        "id": path,
        "type": "Microsoft.ApiManagement/service/products",
        "name": "gold",
        "properties": {"displayName": "Gold", "subscriptionRequired": True, "state": "notPublished"},
    }
    again = control("PUT", path, props(displayName="Gold"))
    assert (again.status, again.headers["etag"]) == (200, made.headers["etag"])
    patched = control("PATCH", path, props(description="shiny"), if_match=made.headers["etag"])
    assert patched.status == 200
    assert patched.json()["properties"]["description"] == "shiny"
    assert patched.json()["properties"]["displayName"] == "Gold"
    head = control("HEAD", path)
    assert (head.status, head.headers["etag"], head.body) == (200, patched.headers["etag"], b"")
    assert control("PUT", path, props(displayName="X"), if_match=made.headers["etag"]).status == 412
    assert control("PUT", path, props(displayName="X"), if_none_match="*").status == 412
    assert control("DELETE", path, if_match="*").status == 200
    assert control("DELETE", path, if_match="*").status == 204
    gone = control("GET", path)
    assert gone.status == 404
    assert gone.json()["error"]["code"] == "ResourceNotFound"
    assert control("HEAD", path).status == 404


def test_paths_in_any_case_and_with_a_slash_too_many(control: Control) -> None:
    path = control.at("apis", "azure-openai")
    for variant in (
        path.replace("resourceGroups", "resourcegroups")
        .replace("/apis/", "/APIS/")
        .replace("azure-openai", "Azure-OpenAI"),
        "/" + path,
        path + "/",
    ):
        answer = control("GET", variant)
        assert answer.status == 200, variant
        assert answer.json()["id"] == path


def test_lists_filter_and_page(control: Control) -> None:
    operations = control.at("apis", "azure-openai/operations")
    everything = control("GET", operations).json()
    assert everything["count"] == len(everything["value"]) == 24
    first = control("GET", f"{operations}?$top=10&api-version=x").json()
    assert len(first["value"]) == 10
    assert first["nextLink"].startswith(f"http://127.0.0.1:8082{operations}?")
    rest = first["nextLink"].removeprefix("http://127.0.0.1:8082")
    assert control("GET", rest).json()["value"] == everything["value"][10:20]
    named = control("GET", f"{operations}?$filter=name%20eq%20'Models_List'").json()
    assert [o["name"] for o in named["value"]] == ["Models_List"]
    both = control(
        "GET", f"{operations}?$filter=method%20eq%20'POST'%20and%20contains(urlTemplate,%20'chat')"
    ).json()
    assert [o["name"] for o in both["value"]] == ["ChatCompletions_Create"]
    wrong = control("GET", f"{operations}?$filter=length(name)%20gt%205")
    assert (wrong.status, wrong.json()["error"]["code"]) == (400, "FilterNotSupported")
    services = "/".join(control.at("").split("/")[:3]) + "/providers/Microsoft.ApiManagement/service"
    assert [s["name"] for s in control("GET", services).json()["value"]] == ["apim-activategenai"]
    assert control("GET", control.at("apis", "none/operations")).status == 404


def test_keys_are_shown_on_demand_only(control: Control) -> None:
    path = control.at("subscriptions", "lab")
    shown = control("GET", path).json()["properties"]
    assert not {"primaryKey", "secondaryKey"} & set(shown)
    keys = control("POST", f"{path}/listSecrets").json()
    assert set(keys) == {"primaryKey", "secondaryKey"}
    assert keys["primaryKey"] not in str(control("GET", control.at("subscriptions")).json())
    assert control("POST", f"{path}/regeneratePrimaryKey").status == 204
    changed = control("POST", f"{path}/LISTSECRETS").json()
    assert changed["primaryKey"] != keys["primaryKey"]
    assert changed["secondaryKey"] == keys["secondaryKey"]
    account = next(control.bench.door.graph.of_type("Microsoft.CognitiveServices/accounts")).id.text
    assert set(control("POST", f"{account}/listKeys").json()) == {"key1", "key2"}
    before = control("POST", f"{account}/listKeys").json()
    after = control("POST", f"{account}/regenerateKey", {"keyName": "Key2"}).json()
    assert (after["key1"] == before["key1"], after["key2"] == before["key2"]) == (True, False)
    assert control("POST", f"{account}/regenerateKey", {"keyName": "Key3"}).status == 400
    missing = control("POST", f"{path}/explode")
    assert (missing.status, missing.json()["error"]["code"]) == (404, "ActionNotFound")


def test_named_values_and_backends_keep_what_a_client_cannot_see(control: Control) -> None:
    value = control.at("namedValues", "k")
    control("PUT", value, props(displayName="k", value="hush", secret=True))
    assert "value" not in control("GET", value).json()["properties"]
    assert control("POST", f"{value}/listValue").json() == {"value": "hush"}
    assert control("PATCH", value, props(tags=["t"])).status == 200
    assert control("POST", f"{value}/listValue").json() == {"value": "hush"}
    backend = control.at("backends", "b")
    control(
        "PUT",
        backend,
        props(url="https://h.example", protocol="http", credentials={"header": {"x": ["hush"]}}),
    )
    seen = control("GET", backend).json()
    assert seen["properties"]["credentials"]["header"]["x"] == ["***"]
    seen["properties"]["title"] = "changed"
    assert control("PUT", backend, seen).status == 200
    kept = control.bench.door.require(backend).properties["credentials"]["header"]["x"][0]
    assert kept.reveal() == "hush"


def test_policies(control: Control) -> None:
    path = control.at("apis", "azure-openai/policies/policy")
    raw = control("GET", f"{path}?format=rawxml", accept="application/vnd.ms-azure-apim.policy+xml")
    assert raw.headers["content-type"].startswith("application/vnd.ms-azure-apim.policy+xml")
    assert raw.body.startswith(b"<policies>")
    assert control("GET", path).json()["properties"]["format"] == "rawxml"
    control.page = (200, b"<policies><inbound><base /></inbound></policies>")
    linked = control("PUT", path, props(format="rawxml-link", value="https://h.example/p.xml"))
    assert linked.status == 200
    assert linked.json()["properties"] == {"format": "rawxml", "value": control.page[1].decode()}


def test_links_take_no_body_and_show_what_they_link(control: Control) -> None:
    control("PUT", control.at("products", "p"), props(displayName="P"))
    link = control.at("products", "p/apis/azure-openai")
    assert control("HEAD", link).status == 404
    made = control("PUT", link)
    assert made.status == 201
    assert made.json()["properties"]["path"] == "openai"
    assert control("HEAD", link).status == 204
    assert [a["name"] for a in control("GET", control.at("products", "p/apis")).json()["value"]] == [
        "azure-openai"
    ]
    missing = control("PUT", control.at("products", "p/apis/none"))
    assert (missing.status, missing.json()["error"]["code"]) == (400, "ReferenceNotFound")


SPEC = b'{"openapi": "3.0.1", "info": {"title": "Pets"}, "servers": [{"url": "https://pets.example"}], "paths": {"/pets": {"get": {"operationId": "List"}}}}'


def test_importing_and_importing_again(control: Control) -> None:
    path = control.at("apis", "pets")
    body = props(path="pets", displayName="My pets", format="openapi+json", value=SPEC.decode())
    made = control("PUT", path, body)
    assert made.status == 201
    assert made.json()["properties"]["serviceUrl"] == "https://pets.example"
    assert made.json()["properties"]["provisioningState"] == "Succeeded"
    assert not {"location", "azure-asyncoperation"} & set(made.headers)
    control.page = (200, SPEC.replace(b'"List"', b'"ListAll"'))
    body = props(path="pets", format="openapi-link", value="https://h.example/spec")
    assert control("PUT", path, body).status == 200
    names = [o["name"] for o in control("GET", f"{path}/operations").json()["value"]]
    assert names == ["ListAll"]
    for status, page, code in ((404, b"", "DescriptionNotFetched"), (200, b"<html>", "NotOpenApi")):
        control.page = (status, page)
        answer = control("PUT", path, body)
        assert answer.json()["error"]["code"] == code
    assert (
        control("PUT", path, props(path="pets", format="wsdl", value="x")).json()["error"]["code"]
        == "NotSupported"
    )
    assert control("DELETE", path).status == 204


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("PUT", "products/p", None, 400, "MissingRequestBody"),
        ("PUT", "products/p", "{", 400, "InvalidRequestContent"),
        ("PUT", "products/p", "[]", 400, "InvalidRequestContent"),
        ("PUT", "products/p", props(displayname=5), 400, "ValidationError"),
        ("PUT", "productz/p", props(), 404, "InvalidResourceType"),
        ("GET", "products/p/x", None, 404, "InvalidResourceType"),
        ("GET", "products?$top=ten", None, 400, "ValidationError"),
        ("PATCH", "products/none", props(), 404, "ResourceNotFound"),
        ("PUT", "gateways/g", props(), 404, "InvalidResourceType"),
        ("POST", "", None, 404, "InvalidResourceType"),
        ("DELETE", "loggers/azuremonitor", None, 409, "StillReferenced"),
    ],
)
def test_bad_requests_get_arms_error(
    control: Control, method: str, path: str, body: Any, status: int, code: str
) -> None:
    answer = control(method, control.at(path).rstrip("/"), body)
    assert (answer.status, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["message"]


def test_details_name_their_targets(control: Control) -> None:
    answer = control("PUT", control.at("backends", "b"), props(url="h", protocol="soap", nonsense=1))
    targets = [d["target"].rpartition("/b.")[2] for d in answer.json()["error"]["details"]]
    assert targets == ["properties.url", "properties.protocol", "properties.nonsense"]


def test_other_subscriptions_do_not_exist(control: Control) -> None:
    answer = control("GET", "/subscriptions/other/resourceGroups")
    assert (answer.status, answer.json()["error"]["code"]) == (404, "SubscriptionNotFound")
    listed = control("GET", "/subscriptions").json()["value"]
    assert [s["subscriptionId"] for s in listed] == [control.bench.door.tenancy.subscription_id]


def test_who_may(control: Control) -> None:
    path = control.at("products", "generative-ai")
    assert control("GET", path, token="").status == 401
    unknown = control("GET", path, token="made-up")
    assert unknown.status == 401
    assert "www-authenticate" in unknown.headers
    denied = control("GET", path, token="reader-token")
    assert (denied.status, denied.json()["error"]["code"]) == (403, "AuthorizationFailed")
    assert "Microsoft.ApiManagement/service/products/read" in denied.json()["error"]["message"]
    assignment = control.at(
        "providers/Microsoft.Authorization/roleAssignments", "22222222-2222-2222-2222-222222222222"
    )
    body = props(roleDefinitionId="Reader", principalId=READER)
    assert control("PUT", assignment, body).status == 201
    assert control("GET", path, token="reader-token").status == 200
    assert control("PUT", path, props(displayName="x"), token="reader-token").status == 403
    lab = control.at("subscriptions", "lab")
    assert control("POST", f"{lab}/listSecrets", token="reader-token").status == 403
    group = control.at("").partition("/providers/")[0]
    assert control("GET", group, token="reader-token").status == 403
    assert control("GET", "/aforo/v1/export", token="reader-token").status == 403
    control("DELETE", assignment)
    assert control("GET", path, token="reader-token").status == 403


def test_role_definitions_are_found_by_name(control: Control) -> None:
    scope = control.at("") + "/providers/Microsoft.Authorization/roleDefinitions"
    found = control("GET", f"{scope}?$filter=roleName%20eq%20'Cognitive%20Services%20User'").json()["value"]
    assert [r["name"] for r in found] == ["a97b65f3-24c7-4388-baec-2e87135dc908"]
    assert control("GET", found[0]["id"]).json()["properties"]["roleName"] == "Cognitive Services User"


def test_writes_are_kept_reads_are_not(control: Control) -> None:
    control("GET", control.at("products"))
    assert control.rows == []
    path = control.at("namedValues", "v")
    control("PUT", path, props(value="hush-hush", secret=True), x_ms_client_request_id="abc")
    control("PUT", path, props(vaule="x"))
    control("POST", f"{path}/listValue")
    control("DELETE", path, token="reader-token")
    assert [(r["OperationNameValue"], r["ActivityStatusValue"], r["Caller"]) for r in control.rows] == [
        ("MICROSOFT.APIMANAGEMENT/SERVICE/NAMEDVALUES/WRITE", "Success", "admin"),
        ("MICROSOFT.APIMANAGEMENT/SERVICE/NAMEDVALUES/WRITE", "Failure", "admin"),
        ("MICROSOFT.APIMANAGEMENT/SERVICE/NAMEDVALUES/LISTVALUE/ACTION", "Success", "admin"),
        ("MICROSOFT.APIMANAGEMENT/SERVICE/NAMEDVALUES/DELETE", "Failure", "reader"),
    ]
    assert control.rows[0]["CorrelationId"] == "abc"
    assert control.rows[0]["ResourceGroup"] == "rg-activategenai"
    assert "hush-hush" not in str(control.rows)


def test_audit_rows_have_the_tables_columns(control: Control) -> None:
    from aforo.tables.azure_activity import AZURE_ACTIVITY

    control("PUT", control.at("products", "p"), props(displayName="P"))
    names = {c.name for c in AZURE_ACTIVITY.columns}
    assert set(control.rows[0]) <= names


def test_apply_and_export(control: Control) -> None:
    exported = control("GET", "/aforo/v1/export").json()["files"]
    same = control("POST", "/aforo/v1/apply", {"path": "aforo.yaml", "files": exported, "dryRun": False})
    assert (same.status, same.json()) == (200, {"revision": 1, "changes": [], "diagnostics": []})
    text = lab_yaml().replace("displayName: Generative AI", "displayName: Models")
    dry = control(
        "POST", "/aforo/v1/apply", {"path": "lab.yaml", "files": {"lab.yaml": text}, "dryRun": True}
    ).json()
    assert [(c["action"], c["detail"]) for c in dry["changes"]] == [
        ("update", "displayName: Generative AI -> Models")
    ]
    assert control.bench.door.revision == 1
    wrong = control(
        "POST",
        "/aforo/v1/apply",
        {"path": "x.yaml", "files": {"x.yaml": lab_yaml().replace("path: openai\n", "pth: openai\n")}},
    )
    assert wrong.status == 400
    first = wrong.json()["diagnostics"][0]
    assert (first["file"], first["code"], first["severity"]) == ("x.yaml", "YAML0007", "error")
    assert "pth: openai" in first["rendered"]
    assert control("POST", "/aforo/v1/apply", {"path": "x", "files": {}}).status == 400
    assert control("GET", "/aforo/v1/revisions").json()["current"] == 1


def test_diagnostic_settings_answer_200_also_when_new(control: Control) -> None:
    workspace = next(control.bench.door.graph.of_type("Microsoft.OperationalInsights/workspaces")).id.text
    path = control.at("providers/Microsoft.Insights/diagnosticSettings", "second")
    answer = control(
        "PUT", path, props(workspaceId=workspace, logs=[{"categoryGroup": "allLogs", "enabled": True}])
    )
    assert answer.status == 200
    assert control.bench.published[-1][0].workspaces["GatewayLlmLogs"]


def test_keys_of_an_account_that_stands_elsewhere_are_not_given_out(control: Control) -> None:
    here = next(control.bench.door.graph.of_type("Microsoft.CognitiveServices/accounts")).id.text
    there = f"{here.rpartition('/')[0]}/there"
    assert control("PUT", there, props(endpoint="https://llm.example/")).status == 201
    for action, body in (("listKeys", {}), ("regenerateKey", {"keyName": "key1"})):
        answer = control("POST", f"{there}/{action}", body)
        assert answer.status == 409
        assert "stands elsewhere" in answer.json()["error"]["message"]


def test_live_addresses_are_shown(control: Control) -> None:
    assert control("GET", control.at("")).json()["properties"]["gatewayUrl"] == "http://127.0.0.1:8080"
    account = next(control.bench.door.graph.of_type("Microsoft.CognitiveServices/accounts")).id.text
    assert control("GET", account).json()["properties"]["endpoint"] == "http://127.0.0.1:8082/"
