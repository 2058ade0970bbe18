"""Every policy that API Management has a page for compiles, or is refused by name with a reason."""

from __future__ import annotations

import pytest

from aforo.policy import catalog
from aforo.policy.compile import CompileContext, compile_document
from aforo.policy.scopes import Scope
from aforo.source import Source

# The policy reference's index, and what Azure's toolkit for policies knows besides.
COMPILED = """
rate-limit rate-limit-by-key quota quota-by-key limit-concurrency azure-openai-token-limit llm-token-limit
azure-openai-emit-token-metric llm-emit-token-metric azure-openai-semantic-cache-lookup llm-semantic-cache-lookup
azure-openai-semantic-cache-store llm-semantic-cache-store llm-content-safety check-header ip-filter validate-jwt
validate-azure-ad-token validate-client-certificate get-authorization-context authentication-basic
authentication-certificate authentication-managed-identity validate-content validate-parameters validate-headers
validate-status-code forward-request set-backend-service proxy cache-lookup cache-store cache-lookup-value
cache-store-value cache-remove-value set-method set-status set-variable set-body set-header set-query-parameter
rewrite-uri json-to-xml xml-to-json find-and-replace redirect-content-urls return-response mock-response cors jsonp
send-request send-one-way-request log-to-eventhub trace emit-metric choose retry wait include-fragment
"""
REFUSED = """
validate-graphql-request validate-odata-request xsl-transform cross-domain invoke-dapr-binding publish-to-dapr
sql-data-source cosmosdb-data-source http-data-source publish-event send-service-bus-message cache-value invoke-request
"""


def test_every_policy_is_declared() -> None:
    assert sorted(COMPILED.split()) == sorted(n for n in catalog.BY_NAME if n != "base")


@pytest.mark.parametrize("name", REFUSED.split())
def test_a_policy_that_never_runs_is_refused_with_a_reason(name: str) -> None:
    source = Source("api.xml", f"<policies><inbound><{name} /></inbound></policies>")
    found = compile_document(source, Scope.API, CompileContext())
    (diagnostic,) = found.diagnostics
    assert found.document is None
    assert f"`{name}` is refused: {catalog.NEVER[name]}" == diagnostic.message
