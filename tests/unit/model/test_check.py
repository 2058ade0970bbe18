"""A body against its declaration: each mistake is told with its path, and what is fine is normalised."""

from __future__ import annotations

from typing import Any

import pytest

from aforo.model.catalog import kind_of
from aforo.model.check import check_body
from aforo.model.ids import parse_id
from aforo.model.secret import Secret

SERVICE = "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.ApiManagement/service/apim"


def check(tail: str, body: dict[str, Any], **options: bool) -> tuple[dict[str, Any], list[tuple[Any, str]]]:
    rid = parse_id(f"{SERVICE}/{tail}" if not tail.startswith("/") else tail)
    kind = kind_of(rid.type)
    assert kind is not None
    clean, problems = check_body(kind, rid, body, **options)
    return clean, [(p.path, " ".join((p.message, *p.hints))) for p in problems]


def props(**properties: Any) -> dict[str, Any]:
    return {"properties": properties}


@pytest.mark.parametrize(
    ("tail", "body", "path", "says"),
    [
        ("apis/a", props(), ("properties",), "'path' is required"),
        ("apis/a", props(path="x", serviceURI="http://h"), ("properties", "serviceURI"), "did you mean 'serviceUrl'"),
        ("apis/a", props(path=7), ("properties", "path"), "a text is expected here, not 7 put it in quotes"),
        ("apis/a", props(path="x", serviceUrl="h/y"), ("properties", "serviceUrl"), "absolute http or https URL"),
        ("apis/a", props(path="a?b"), ("properties", "path"), "No ?"),
        ("apis/a", props(path="x", subscriptionRequired="yes"), ("properties", "subscriptionRequired"), "true or false"),
        ("apis/a", props(path="x", protocols=["htps"]), ("properties", "protocols", 0), "did you mean 'https'"),
        ("apis/a", props(path="x", protocols="https"), ("properties", "protocols"), "a list is expected"),
        ("apis/a", props(path="x", type="soap"), ("properties", "type"), "one of: http"),
        ("apis/a", props(path="x", sourceApiId="/apis/b"), ("properties", "sourceApiId"), "not supported"),
        ("apis/a", props(path="x", Path="y"), ("properties", "Path"), "twice"),
        ("apis/a", {"properties": []}, ("properties",), "an object is expected"),
        ("apis/a%2Fb", props(path="x"), (), ""),
        ("policies/other", props(value="<policies/>"), (), "always called 'policy'"),
        ("products/p", props(displayName="P", subscriptionsLimit=-1), ("properties", "subscriptionsLimit"), "at least 0"),
        ("subscriptions/s", props(scope="/namedValues/x"), ("properties", "scope"), "products or apis or service"),
        ("subscriptions/s", props(scope="nonsense/x"), ("properties", "scope"), "begins with /"),
        ("subscriptions/s", props(scope="/apis", startDate="soon"), ("properties", "startDate"), "date and time"),
        (
            "backends/b",
            props(circuitBreaker={"rules": [{"tripDuration": "1 minute", "failureCondition": {"interval": "PT1M"}}]}),
            ("properties", "circuitBreaker", "rules", 0, "tripDuration"),
            "ISO 8601 duration",
        ),
        (
            "backends/b",
            props(pool={"services": [{"id": "/backends/a"}], "failureResponse": {"statusCode": 101}}),
            ("properties", "pool", "failureResponse", "statusCode"),
            "at least 200",
        ),
        (
            "backends/b",
            props(pool={"services": [{"id": "/backends/a"}], "sessionAffinity": {"sessionId": {"source": "header", "name": "s"}}}),
            ("properties", "pool", "sessionAffinity", "sessionId", "source"),
            "one of: cookie",
        ),
        ("namedValues/v", props(displayName="a b", value="x"), ("properties", "displayName"), "Letters, digits"),
        ("namedValues/v", props(secret=True), ("properties",), "it is a secret"),
        ("diagnostics/azuremonitor", props(loggerId="/loggers/l", frontend={"request": {"body": {"bytes": -1}}}),
         ("properties", "frontend", "request", "body", "bytes"), "at least 0"),
    ],
)  # fmt: skip
def test_mistakes(tail: str, body: dict[str, Any], path: tuple[Any, ...], says: str) -> None:
    _, problems = check(tail, body)
    if not says:
        assert problems == []
        return
    assert len(problems) == 1, problems
    assert problems[0][0] == path
    assert says in problems[0][1]


def test_every_mistake_is_told() -> None:
    _, problems = check("apis/a", props(path=1, protocols=3, foo=1, displayName=""))
    assert [p[0][-1] for p in problems] == ["path", "protocols", "foo", "displayName"]


def test_spelling_defaults_and_readonly() -> None:
    clean, problems = check(
        "subscriptions/s", {"id": "x", "properties": {"SCOPE": "/apis", "state": "ACTIVE", "createdDate": "2026-01-01T00:00:00Z"}}
    )  # fmt: skip
    assert problems == []
    assert clean == {"properties": {"scope": f"{SERVICE}/apis", "state": "active"}}
    clean, _ = check("apis/a", props(path="x"))
    assert clean["properties"]["subscriptionRequired"] is True
    assert clean["properties"]["protocols"] == ["https"]


@pytest.mark.parametrize(
    ("scope", "full"),
    [
        ("/products/gold", f"{SERVICE}/products/gold"),
        ("/apis/a", f"{SERVICE}/apis/a"),
        ("/apis", f"{SERVICE}/apis"),
        ("/", SERVICE),
        (f"{SERVICE}/products/gold", f"{SERVICE}/products/gold"),
        (f"{SERVICE}/apis".lower(), f"{SERVICE}/apis"),
        (SERVICE, SERVICE),
    ],
)
def test_short_and_full_references(scope: str, full: str) -> None:
    clean, problems = check("subscriptions/s", props(scope=scope))
    assert problems == []
    assert clean["properties"]["scope"] == full


def test_a_bare_name_means_the_only_type() -> None:
    setting = f"{SERVICE}/providers/Microsoft.Insights/diagnosticSettings/d"
    clean, problems = check(setting, props(workspaceId="law"))
    assert problems == []
    assert clean["properties"]["workspaceId"].endswith(
        "/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/law"
    )


def test_secrets_are_wrapped_where_declared() -> None:
    clean, _ = check("subscriptions/s", props(scope="/apis", primaryKey="k1"))
    assert clean["properties"]["primaryKey"] == Secret("k1")
    clean, _ = check("namedValues/v", props(value="x", secret=True))
    assert clean["properties"]["value"] == Secret("x")
    clean, _ = check("namedValues/v", props(value="x"))
    assert clean["properties"]["value"] == "x"
    clean, _ = check(
        "backends/b", props(url="http://h", protocol="http", credentials={"header": {"api-key": ["k"]}})
    )
    assert clean["properties"]["credentials"]["header"]["api-key"] == [Secret("k")]


def test_an_earlier_secret_may_stand() -> None:
    _, problems = check("namedValues/v", props(secret=True), may_lack_secrets=True)
    assert problems == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_are_finite(value: float) -> None:
    sampling = {"samplingType": "fixed", "percentage": value}
    _, problems = check(
        "diagnostics/azuremonitor", props(loggerId="/loggers/azuremonitor", sampling=sampling)
    )
    assert problems == [
        (("properties", "sampling", "percentage"), f"a finite number is expected here, not {value}")
    ]


def test_messages_do_not_repeat_secrets() -> None:
    _, problems = check("subscriptions/s", props(scope="/apis", primaryKey="k" * 300))
    assert len(problems) == 1
    assert "kkk" not in problems[0][1]
