"""Files of any size through the lab: streamed to the account, written down as what they were, in constant memory."""

from __future__ import annotations

import http.client
import json
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import openai
import pytest

from tests.support.system import System, eventually, running_system

MB = 1024 * 1024
PIECE = (b'{"prompt": "' + b"x" * 1000 + b'", "completion": "y"}\n') * 256


def multipart(size: int) -> tuple[str, int, Iterator[bytes]]:
    """(content type, bytes in all, the body in pieces) of a file of about that size."""
    boundary = uuid.uuid4().hex
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="train.jsonl"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    tail = f"\r\n--{boundary}--\r\n".encode()
    count = size // len(PIECE)

    def pieces() -> Iterator[bytes]:
        yield head
        for _ in range(count):
            yield PIECE
        yield tail

    total = len(head) + count * len(PIECE) + len(tail)
    return f"multipart/form-data; boundary={boundary}", total, pieces()


def resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("size", "chunked"), [(600 * MB, False), (64 * MB, True)])
def test_a_file_streams_through_in_constant_memory(tmp_path: Path, size: int, chunked: bool) -> None:
    """600 MB: more than any limit that there once was."""
    with running_system(tmp_path) as system:
        (pid,) = system.pids("gateway")
        before_mb = highest_mb = resident_mb(pid)
        content_type, total, pieces = multipart(size)
        parts = urlsplit(system.gateway)
        assert parts.hostname
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=120)
        mark = f"m{uuid.uuid4().hex[1:]}"
        connection.putrequest("POST", f"/openai/files?api-version=2023-05-15&mark={mark}")
        connection.putheader("api-key", system.key)
        connection.putheader("content-type", content_type)
        connection.putheader(
            *(("transfer-encoding", "chunked") if chunked else ("content-length", str(total)))
        )
        connection.endheaders()
        for number, piece in enumerate(pieces):
            connection.send(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            if number % 64 == 0:
                highest_mb = max(highest_mb, resident_mb(pid))
        if chunked:
            connection.send(b"0\r\n\r\n")
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        # The sample account reads an upload to its end and says that it keeps none.
        assert "file" in answer["error"]["message"]
        assert highest_mb < before_mb + 40
        kql = f"ApiManagementGatewayLogs | where Url contains '{mark}'"
        (row,) = eventually("the row of the upload", lambda: system.query(kql), within_s=20)
        assert (row["ResponseCode"], row["RequestSize"]) == (response.status, total)
        assert (row["Method"], row["RequestBody"] or "") == ("POST", "")
        assert "files" in row["BackendUrl"]


def test_the_client_library_uploads_a_file(lab: System) -> None:
    client = openai.AzureOpenAI(
        azure_endpoint=lab.gateway, api_key=lab.key, api_version="2023-05-15", max_retries=0
    )
    assert client.files.list().data == []
    with pytest.raises(openai.APIStatusError) as refused:
        client.files.create(file=("train.jsonl", PIECE), purpose="fine-tune")
    assert "file" in str(refused.value)
