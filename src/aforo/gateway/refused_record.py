"""The record of a call that never became an exchange: no operation, no key, no room. It knows no spool."""

from __future__ import annotations

import time

from aforo.gateway.call import Call, new_id
from aforo.policy.exchange import LastError
from aforo.spool.records import CallError, CallRecord, Message

_NOTHING = Message()


def record_of_refused(call: Call, flags: int, context: int, url: str, client_ip: str) -> CallRecord:
    """`url` is the target as it may be written down, `client_ip` whose call it was."""
    client = call.client
    api = call.api_runtime
    answer = call.answer
    with_ip = call.log.log_client_ip
    errors = [error_entry(call.error)] if call.error is not None else []
    return CallRecord(
        call_id=new_id(),
        started_ns=call.started_ns,
        ended_ns=call.started_ns + int((time.perf_counter() - call.started) * 1e9),
        context=context,
        method=call.method,
        url=f"{client.scheme}://{_host(call)}{url}",
        protocol=f"HTTP/{call.version}",
        tls_version=client.tls_version,
        peer_ip=client.peer_ip if with_ip else "",
        client_ip=client_ip if with_ip else "",
        status=answer.status if answer is not None else 0,
        api_id=api.entry.subject.id if api is not None else "",
        api_revision=api.entry.subject.revision if api is not None else "",
        operation_id="",
        product_id="",
        subscription_id="",
        user_id="",
        backend_id="",
        backend_method="",
        backend_url="",
        backend_protocol="",
        backend_status=0,
        client_us=0,
        backend_us=0,
        cache_us=0,
        cache="none",
        request=Message([], b"", call.received),
        response=Message([], b"", call.sent) if answer is not None else _NOTHING,
        backend_request=_NOTHING,
        backend_response=_NOTHING,
        same_request=False,
        same_response=False,
        first_byte_us=call.first_byte_us,
        attempts=0,
        aborted=call.aborted,
        errors=errors,
        trace_records=[],
        trace_flags=0,
        log_flags=flags,
        llm_wire="",
        deployment="",
        api_version="",
        claims={},
    )


def error_entry(error: LastError) -> CallError:
    """An error as a record has it."""
    return CallError(
        error.source,
        error.reason,
        error.message,
        error.scope,
        error.section,
        error.path,
        error.policy_id,
        error.elapsed_us,
        error.recovered,
    )


def _host(call: Call) -> str:
    host = call.headers.fields.get(b"host", b"")
    return host.decode("latin-1") if isinstance(host, bytes) else ""
