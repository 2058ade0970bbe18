"""AzureDiagnostics: logs of resources that have no table of their own (a model account's among them).

A property of a record becomes a column with a suffix for its type: `_s` string, `_d` real, `_b` bool, `_t`
datetime, `_g` guid. Those declared here are the ones that our resources write; others go to AdditionalFields.
"""

from __future__ import annotations

from aforo.tables.schema import Table
from aforo.tables.standard import STANDARD, TIME, bools, dynamics, longs, reals, strings

AZURE_DIAGNOSTICS = Table(
    "AzureDiagnostics",
    "Diagnostic logs of resources, all categories in one table.",
    (
        TIME,
        *strings("""
            Category          The category of the diagnostic setting, such as `RequestResponse`.
            OperationName     What was done, such as `ChatCompletions_Create`.
            OperationVersion  The api-version of it.
            CorrelationId     Ties records of one request together.
            CallerIPAddress   Address of the caller, its last part masked.
        """),
        *longs("DurationMs        Milliseconds that it took."),
        *strings("""
            Level             Severity.
            Message           What happened, in words.
            Resource          Name of the resource, upper case.
            ResourceGroup     Its resource group, upper case.
            ResourceProvider  Such as `MICROSOFT.COGNITIVESERVICES`.
            ResourceType      Such as `ACCOUNTS`.
            ResourceId        ARM id of the resource, upper case.
            SubscriptionId    Id of the Azure subscription.
            ResultType        How it ended.
            ResultSignature   The status, as text.
            ResultDescription How it ended, in words.
            properties_s      The record's properties as JSON text.
            Tenant_s          Region of the resource, as records of model accounts name it.
            event_s           The event's kind, such as `ShoeboxCallResult`.
            location_s        Region of the resource.
            AssetIdentity_g   Identity of the resource.
        """),
        *STANDARD,
        *dynamics("AdditionalFields  Properties that have no column of their own."),
        *strings("""
            apiName_s              From the properties: the API with its version.
            objectId_s             From the properties: the caller's object id.
            streamType_s           From the properties: `Streaming` or `Non-Streaming`.
            modelDeploymentName_s  From the properties.
            modelName_s            From the properties.
            modelVersion_s         From the properties.
        """),
        *reals("""
            requestTime_d     From the properties: .NET ticks.
            responseTime_d    From the properties: .NET ticks.
            requestLength_d   From the properties: bytes.
            responseLength_d  From the properties: bytes.
        """),
        *strings("""
            apiId_s           Gateway logs in this table: the API.
            apiRevision_s     Gateway logs in this table: its revision.
            operationId_s     Gateway logs in this table: the operation.
            productId_s       Gateway logs in this table: the product.
            userId_s          Gateway logs in this table: the user.
            method_s          Gateway logs in this table: HTTP method.
            url_s             Gateway logs in this table: URL of the client.
            backendMethod_s   Gateway logs in this table: HTTP method towards the backend.
            backendUrl_s      Gateway logs in this table: URL of the backend.
            cache_s           Gateway logs in this table: `hit`, `miss` or `none`.
        """),
        *reals("""
            responseCode_d         Gateway logs in this table: status of the response.
            backendResponseCode_d  Gateway logs in this table: status of the backend.
            backendTime_d          Gateway logs in this table: milliseconds in the backend.
            requestSize_d          Gateway logs in this table: bytes.
            responseSize_d         Gateway logs in this table: bytes.
        """),
        *bools("isRequestSuccess_b     Gateway logs in this table: status of 2xx or 3xx."),
    ),
)
