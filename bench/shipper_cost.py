"""What a recorded call costs behind the gateway: CPU of spool, projection, counting and table write.

`python -m bench.shipper_cost [calls [bytes]]` prints microseconds of CPU per recorded call (JSON bodies of 700 bytes, or of
that many, both logged, with messages), rows per second and the most memory that was held.
"""

from __future__ import annotations

import random
import resource
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import orjson

from aforo.logs.shipper import Shipper
from aforo.logs.tally_file import TallyFile
from aforo.spool.records import CallRecord, Message
from aforo.spool.writer import SpoolWriter

RESOURCE = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ApiManagement/service/apim"
WORKSPACE = "11111111-1111-1111-1111-111111111111"
NOW_NS = 1_795_000_000_000_000_000
# So many records are made before they are written.
_AT_ONCE = 16


def make_call(number: int, context: int) -> CallRecord:
    """A chat completion; both bodies have about 700 bytes, no two calls the same text."""
    words = " ".join(f"word{(number * 7919 + i * 104729) % 5003}" for i in range(60))
    request = orjson.dumps({"messages": [{"role": "user", "content": words[:520]}], "temperature": 0.7})
    answer = orjson.dumps(
        {
            "id": f"chatcmpl-{number}",
            "object": "chat.completion",
            "created": 1_795_000_000,
            "model": "gpt-35-turbo",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": words[:440]},
                }
            ],
            "usage": {"prompt_tokens": 130, "completion_tokens": 110, "total_tokens": 240},
        }
    )
    nothing = Message()
    started = NOW_NS + number * 1_000_000
    return CallRecord(
        call_id=f"{number:032x}",
        started_ns=started,
        ended_ns=started + 45_000_000,
        context=context,
        method="POST",
        url="http://127.0.0.1:8080/openai/deployments/gpt-35-turbo/chat/completions?api-version=2023-05-15",
        protocol="HTTP/1.1",
        tls_version="",
        peer_ip="127.0.0.1",
        client_ip="127.0.0.1",
        status=200,
        api_id="azure-openai",
        api_revision="1",
        operation_id="ChatCompletions_Create",
        product_id="lab",
        subscription_id="lab",
        user_id="1",
        backend_id="openai",
        backend_method="POST",
        backend_url="http://127.0.0.1:8082/openai/deployments/gpt-35-turbo/chat/completions",
        backend_protocol="HTTP/1.1",
        backend_status=200,
        client_us=150,
        backend_us=44_000,
        cache_us=0,
        cache="none",
        request=Message([(b"content-type", b"application/json")], request, len(request)),
        response=Message([(b"content-type", b"application/json")], answer, len(answer)),
        backend_request=nothing,
        backend_response=Message(size=len(answer)),
        same_request=True,
        same_response=True,
        first_byte_us=44_000,
        attempts=1,
        aborted="",
        errors=[],
        trace_records=[],
        trace_flags=0,
        log_flags=15,
        llm_wire="chat",
        deployment="gpt-35-turbo",
        api_version="2023-05-15",
        claims={},
    )


def enlarged(call: CallRecord, number: int, size: int) -> CallRecord:
    """The call with bodies of about that size, of words that come in no order."""
    chance = random.Random(number)
    said = " ".join(f"word{chance.randrange(5_003)}" for _ in range(size // 9))
    request, answer = orjson.loads(call.request.body), orjson.loads(call.response.body)
    request["messages"][0]["content"] = answer["choices"][0]["message"]["content"] = said
    asked, answered = orjson.dumps(request), orjson.dumps(answer)
    return msgspec.structs.replace(
        call,
        request=msgspec.structs.replace(call.request, body=asked, size=len(asked)),
        response=msgspec.structs.replace(call.response, body=answered, size=len(answered)),
    )


def main(calls: int, size: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        with SpoolWriter(root / "spool" / "gateway-0", sync_interval_s=0) as writer:
            context = writer.context(
                RESOURCE,
                "local",
                {"GatewayLogs": [WORKSPACE], "GatewayLlmLogs": [WORKSPACE], "AllMetrics": [WORKSPACE]},
            )
            spool_us = 0.0
            for first in range(0, calls, _AT_ONCE):
                records = [make_call(i, context) for i in range(first, min(first + _AT_ONCE, calls))]
                if size:
                    records = [enlarged(record, first + i, size) for i, record in enumerate(records)]
                cpu = time.process_time()
                for record in records:
                    writer.append_call(record)
                spool_us += (time.process_time() - cpu) / calls * 1e6
            del records
        tally = TallyFile(root / "metrics.prom")
        with Shipper(root / "spool", root / "tables", watchers=[tally]) as shipper:
            wall, cpu = time.perf_counter(), time.process_time()
            shipper.drain()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            (status,) = shipper.status()
        assert status.pending == 0
        held_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
            1 << (20 if sys.platform == "darwin" else 10)
        )
        files = list((root / "tables").glob("*/*/_day=*/*.parquet"))
        size = sum(f.stat().st_size for f in files)
    print(f"spool:   {spool_us:6.1f} µs of CPU per call")
    print(f"shipper: {cpu / calls * 1e6:6.1f} µs of CPU per call ({calls / wall:,.0f} calls/s)")
    print(f"rows:    {calls * 3 / wall:,.0f} per second (one gateway row and two message rows per call)")
    print(f"tables:  {size / calls:6.0f} bytes per call in {len(files)} files")
    print(f"memory:  {held_mb:6.0f} MB at most")


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 20_000,
        int(sys.argv[2]) if len(sys.argv) > 2 else 0,
    )
