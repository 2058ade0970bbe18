"""`listEffectivePolicy` over ARM: which documents are taken, where each line comes from, who may see it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from aforo.control.access import bearer_or_admin
from aforo.control.api import routes
from aforo.control.lab import lab_yaml
from aforo.errors import Denied, Invalid
from aforo.identity.access import Principal
from aforo.policy.effective import effective
from aforo.policy.scopes import Scope
from aforo.snapshot.build import Builder
from aforo.source import Source
from tests.support.asgi import Answer, call
from tests.support.control_door import Bench

ACTION = "listEffectivePolicy?api-version=2024-05-01"
CANARY = "CANARY-of-a-named-value"
READER_ROLE = "71522526-b88f-4d52-b57f-d31fc3546d0d"
OPERATION = "operations/ChatCompletions_Create"
POLICIES = {
    "policies/policy": "<policies>\n<inbound><set-method>POST</set-method></inbound>\n"
    "<backend><forward-request /></backend>\n</policies>",
    "products/generative-ai/policies/policy": "<policies><inbound>\n<base />\n"
    '<rate-limit calls="{{calls}}" renewal-period="60" /></inbound></policies>',
    f"apis/azure-openai/{OPERATION}/policies/policy": "<policies><inbound>\n<base />\n"
    '<include-fragment fragment-id="Team" />\n</inbound></policies>',
}
FRAGMENT = (
    '<fragment>\n\n<set-header name="x-secret"><value>{{canary}}</value></set-header>'
    '<set-header name="x-team"><value>blue</value></set-header></fragment>'
)


class Control:
    def __init__(self, folder: Path) -> None:
        self.bench = Bench(folder, build=lambda b: Builder(lambda sealed: sealed).build(b).problems)
        self.bench.apply(lab_yaml())
        self.reader = Principal("11111111-1111-1111-1111-111111111111", "app-reader", "reader")
        self.put("namedValues/canary", displayName="canary", value=CANARY, secret=True)
        self.put("namedValues/calls", displayName="calls", value="5")
        self.put("policyFragments/Team", value=FRAGMENT, format="rawxml")
        for place, value in POLICIES.items():
            self.put(place, value=value, format="rawxml")

        async def verify(token: str) -> Principal:
            if token == "reader":
                return self.reader
            raise Denied("bad token", authenticated=False)

        app = routes(self.bench.door, bearer_or_admin(lambda token: token == "admin", verify))
        self.app = Starlette(routes=app)

    def id(self, place: str) -> str:
        return self.bench.id(place).rstrip("/")

    def put(self, place: str, **properties: Any) -> None:
        self.bench.door.put(self.id(place), {"properties": properties})

    def __call__(self, target: str, body: Any = None, token: str = "admin") -> Answer:
        path = f"{self.id(target)}/{ACTION}"
        return asyncio.run(
            call(self.app, "POST", path, headers={"authorization": f"Bearer {token}"}, body=body)
        )

    def assign(self, number: int, scope: str = "") -> None:
        place = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{number:08}-0000-4000-8000-000000000001"
        at = self.id(place.lstrip("/"))
        properties = {"roleDefinitionId": READER_ROLE, "principalId": self.reader.object_id}
        self.bench.door.put(at, {"properties": properties})


@pytest.fixture
def control(tmp_path: Path) -> Control:
    return Control(tmp_path)


def inbound(answer: Answer) -> list[tuple[str, str, str | None, int]]:
    """(scope, resource below the service, fragment, line) of what stands in inbound."""
    assert answer.status == 200, answer.body
    lines = answer.json()["lines"]
    texts = [line["text"].strip() for line in lines]
    inner = lines[texts.index("<inbound>") + 1 : texts.index("</inbound>")]
    service = inner[0]["resourceId"].partition("/service/")[2].partition("/")[0]
    return [
        (e["scope"], e["resourceId"].partition(f"{service}/")[2], e["fragment"], e["line"]) for e in inner
    ]


def test_an_operation_through_a_product(control: Control) -> None:
    answer = control(f"apis/azure-openai/{OPERATION}", {"productId": "generative-ai"})
    found = inbound(answer)
    assert found[:2] == [
        ("global", "policies/policy", None, 2),
        ("product", "products/generative-ai/policies/policy", None, 3),
    ]
    assert {f[:3] for f in found[2:-2]} == {("api", "apis/azure-openai/policies/policy", None)}
    assert found[-2:] == [("operation", "policyFragments/Team", "Team", 3)] * 2
    body = answer.json()
    assert body["value"] == "".join(f"{line['text']}\n" for line in body["lines"])
    assert body["apiId"] == control.id("apis/azure-openai")
    assert body["operationId"] == control.id(f"apis/azure-openai/{OPERATION}")
    assert body["productId"] == control.id("products/generative-ai")
    assert (body["products"], body["diagnostics"]) == (["generative-ai"], [])
    # Values are not told: who may read policies may not read those.
    assert "{{canary}}" in body["value"]
    assert 'calls="{{calls}}"' in body["value"]
    assert CANARY not in str(body)


def test_without_a_product_and_without_an_operation(control: Control) -> None:
    assert {f[0] for f in inbound(control(f"apis/azure-openai/{OPERATION}"))} == {
        "global",
        "api",
        "operation",
    }
    assert {f[0] for f in inbound(control("apis/azure-openai", {"productId": None}))} == {"global", "api"}
    full = control.id("products/generative-ai")
    for product in (full, "/products/generative-ai", "products/Generative-AI"):
        through = inbound(control("apis/azure-openai", {"productId": product}))
        assert {f[0] for f in through} == {"global", "product", "api"}


def test_a_service_without_a_policy_has_the_default_one(control: Control) -> None:
    control.bench.door.delete(control.id("policies/policy"))
    lines = control("apis/azure-openai").json()["lines"]
    (forwarded,) = (line for line in lines if "forward-request" in line["text"])
    assert (forwarded["scope"], forwarded["resourceId"], forwarded["line"]) == ("global", None, 1)


def test_it_is_made_of_what_the_gateway_compiles(control: Control) -> None:
    """The texts of the bundle in the runtime's own order give the same document."""
    bundle = control.bench.door.bundle
    api = next(a for a in bundle.apis if a.subject.id == "azure-openai")
    operation = next(o for o in api.operations if o.subject.id == "ChatCompletions_Create")
    (product,) = bundle.products
    texts = {
        Scope.GLOBAL: bundle.global_policy,
        Scope.PRODUCT: product.policy,
        Scope.API: api.policy,
        Scope.OPERATION: operation.policy,
    }
    documents = {scope: Source("", text) for scope, text in texts.items() if text is not None}
    fragments = {name: Source("", text) for name, text in bundle.fragments}
    made = effective(documents, fragments, {})
    answer = control(f"apis/azure-openai/{OPERATION}", {"productId": "generative-ai"})
    assert answer.json()["value"] == made.text


@pytest.mark.parametrize(
    ("target", "body", "status", "says"),
    [
        ("apis/azure-openia", {}, 404, "There is no API 'azure-openia'; did you mean 'azure-openai'"),
        (f"apis/zzz/{OPERATION}", {}, 404, "There is no API 'zzz'; there is: azure-openai, azure-openai-v1."),
        (
            "apis/azure-openai/operations/ChatCompletion_Create",
            {},
            404,
            "There is no operation in the API 'azure-openai' that is called 'ChatCompletion_Create'; did you mean 'ChatC",
        ),
        ("apis/azure-openai", {"productId": "generative"}, 400, "did you mean 'generative-ai'?"),
        ("apis/azure-openai", {"productId": "/apis/azure-openai"}, 400, "there is no product"),
        ("apis/azure-openai", {"productId": 5}, 400, "has to be the id of a product"),
        ("apis/azure-openai", {"productId": "other"}, 400, "is not in the product 'other'; it is in 'gen"),
        ("products/generative-ai", {}, 404, "has no action 'listEffectivePolicy'"),
    ],
)
def test_what_is_refused(control: Control, target: str, body: Any, status: int, says: str) -> None:
    control.put("products/other", displayName="Other", state="published")
    answer = control(target, body)
    assert answer.status == status
    assert says in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("fragments", "code", "says"),
    [
        (
            {"me": '<fragment><include-fragment fragment-id="me" /></fragment>'},
            "POL0303",
            "in the policy fragment `me`, line 1, column 11: the policy fragment `me` includes itself",
        ),
        (
            {
                "first": '<fragment><include-fragment fragment-id="second" /></fragment>',
                "second": '<fragment>\n<include-fragment fragment-id="first" /></fragment>',
            },
            "POL0303",
            "the policy fragment `second` includes itself",
        ),
        (
            {"open": "<fragment>\n<set-method>GET</fragment>"},
            "POL0002",
            "in line 2, column 1 of the text: `<set-m",
        ),
        ({"other": "<policies />"}, "POL0103", "the root element is `<policies>`, it must be `<fragment>`"),
    ],
)
def test_a_fragment_that_nobody_includes_is_judged_all_the_same(
    control: Control, fragments: dict[str, str], code: str, says: str
) -> None:
    *before, last = fragments
    for name in before:
        control.put(f"policyFragments/{name}", value=fragments[name], format="rawxml")
    with pytest.raises(Invalid) as caught:
        control.put(f"policyFragments/{last}", value=fragments[last], format="rawxml")
    told = str(caught.value.details) + caught.value.message
    assert code in told
    assert says in told
    # Who includes what is not there yet is told where that is included.
    control.put("policyFragments/early", value='<fragment><include-fragment fragment-id="late" /></fragment>')


@pytest.mark.parametrize(
    "policy",
    [
        '<set-backend-service backend-id="gpt4" />',
        '<llm-content-safety backend-id="gpt4" />',
        '<llm-semantic-cache-lookup score-threshold="0.05" embeddings-backend-id="gpt4" '
        'embeddings-backend-auth="system-assigned" />',
    ],
)
def test_a_backend_that_is_not_there_is_refused(control: Control, policy: str) -> None:
    value = f"<policies>\n<inbound>{policy}</inbound></policies>"
    control.put("backends/GPT-4", url="https://models.example", protocol="http")
    with pytest.raises(Invalid) as caught:
        control.put("apis/azure-openai/policies/policy", value=value, format="rawxml")
    told = str(caught.value.details) + caught.value.message
    assert "POL0304" in told
    assert "there is no backend `gpt4`" in told
    for good in ("gpt-4", "@(&quot;gpt4&quot;)"):
        again = value.replace("gpt4", good) if good[0] != "@" else value.replace('"gpt4"', f'"{good}"')
        control.put("apis/azure-openai/policies/policy", value=again, format="rawxml")


def test_who_may_read_all_that_is_shown_gets_it(control: Control) -> None:
    target = f"apis/azure-openai/{OPERATION}"
    through = {"productId": "generative-ai"}
    assert control(target, through, "nobody").status == 401
    assert control(target, through, "reader").status == 403
    # Of the API alone the reader may not see what stands in the service's policy.
    control.assign(1, "apis/azure-openai")
    answer = control(target, through, "reader")
    assert answer.status == 403
    assert "Microsoft.ApiManagement/service/policies/read" in answer.json()["error"]["message"]
    control.assign(2)
    assert control(target, through, "reader").status == 200


def test_what_no_longer_compiles_is_shown_with_the_reason(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control.bench.door, "_build", lambda _: ())  # as an older version had taken it
    control.put(
        "apis/azure-openai/policies/policy", value="<policies>\n<inboun /></policies>", format="rawxml"
    )
    body = control("apis/azure-openai").json()
    (told,) = body["diagnostics"]
    assert (told["code"], told["line"]) == ("POL0104", 2)
    assert told["resourceId"].endswith("/apis/azure-openai/policies/policy")
