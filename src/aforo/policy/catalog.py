"""The policies in one readable tuple, and those that are refused by name."""

from __future__ import annotations

from typing import Final

from aforo.policy.elements import (
    authentication_basic,
    authentication_certificate,
    authentication_managed_identity,
    base,
    check_header,
    choose,
    cors,
    find_and_replace,
    forward_request,
    include_fragment,
    ip_filter,
    json_to_xml,
    jsonp,
    limit_concurrency,
    mock_response,
    proxy,
    quota,
    quota_by_key,
    rate_limit,
    rate_limit_by_key,
    redirect_content_urls,
    retry,
    return_response,
    rewrite_uri,
    send_one_way_request,
    send_request,
    set_backend_service,
    set_body,
    set_header,
    set_method,
    set_query_parameter,
    set_status,
    set_variable,
    validate_azure_ad_token,
    validate_jwt,
    wait,
    xml_to_json,
)
from aforo.policy.spec import Element

ELEMENTS: Final[tuple[Element, ...]] = (
    base.ELEMENT,
    choose.ELEMENT,
    include_fragment.ELEMENT,
    return_response.ELEMENT,
    set_variable.ELEMENT,
    set_header.ELEMENT,
    set_query_parameter.ELEMENT,
    set_body.ELEMENT,
    set_method.ELEMENT,
    set_status.ELEMENT,
    rewrite_uri.ELEMENT,
    set_backend_service.ELEMENT,
    forward_request.ELEMENT,
    authentication_managed_identity.ELEMENT,
    check_header.ELEMENT,
    ip_filter.ELEMENT,
    cors.ELEMENT,
    authentication_basic.ELEMENT,
    authentication_certificate.ELEMENT,
    retry.ELEMENT,
    wait.ELEMENT,
    limit_concurrency.ELEMENT,
    send_request.ELEMENT,
    send_one_way_request.ELEMENT,
    mock_response.ELEMENT,
    find_and_replace.ELEMENT,
    json_to_xml.ELEMENT,
    xml_to_json.ELEMENT,
    redirect_content_urls.ELEMENT,
    jsonp.ELEMENT,
    proxy.ELEMENT,
    validate_jwt.ELEMENT,
    validate_azure_ad_token.ELEMENT,
    rate_limit.ELEMENT,
    rate_limit_by_key.ELEMENT,
    quota.ELEMENT,
    quota_by_key.ELEMENT,
)

BY_NAME: Final = {e.name: e for e in ELEMENTS}

# API Management's, and on the way.
NOT_YET: Final = frozenset(
    (
        "azure-openai-token-limit",
        "llm-token-limit", "azure-openai-emit-token-metric", "llm-emit-token-metric",
        "azure-openai-semantic-cache-lookup", "llm-semantic-cache-lookup", "azure-openai-semantic-cache-store",
        "llm-semantic-cache-store", "llm-content-safety",
        "validate-client-certificate", "get-authorization-context",
        "validate-content", "validate-parameters", "validate-headers",
        "validate-status-code", "cache-lookup", "cache-store", "cache-lookup-value", "cache-store-value",
        "cache-remove-value",
        "log-to-eventhub", "trace", "emit-metric",
    )
)  # fmt: skip

NEVER: Final = {
    "validate-graphql-request": "there are no GraphQL APIs here",
    "validate-odata-request": "there are no OData APIs here",
    "sql-data-source": "it is a GraphQL resolver's, and there are no GraphQL APIs here",
    "cosmosdb-data-source": "it is a GraphQL resolver's, and there are no GraphQL APIs here",
    "http-data-source": "it is a GraphQL resolver's, and there are no GraphQL APIs here",
    "publish-event": "it is a GraphQL resolver's, and there are no GraphQL APIs here",
    "invoke-dapr-binding": "Dapr is not a part of this gateway",
    "publish-to-dapr": "Dapr is not a part of this gateway",
    "send-service-bus-message": "Service Bus is not spoken here",
    "cross-domain": "it serves Flash clients, which exist no more",
    "xsl-transform": "XSLT is not run in this gateway",
}
