"""What an earlier version wrote is read: `version-1` is a spool as Aforo 0.1 wrote it, never written anew."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from aforo.errors import Unavailable
from aforo.logs.shipper import Shipper
from aforo.spool import frame
from aforo.spool.reader import SpoolReader
from aforo.spool.recover import segments
from aforo.spool.writer import SpoolWriter
from tests.support.calls import WORKSPACE, make_call, open_writer, rows_of

KEPT = Path(__file__).with_name("version-1")
LOGS = "ApiManagementGatewayLogs"


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """The kept spool where a shipper finds it."""
    folder = tmp_path / "spool" / "gateway-0"
    shutil.copytree(KEPT, folder)
    return folder


def test_every_kind_of_frame_becomes_its_rows(tmp_path: Path, spool: Path) -> None:
    with Shipper(tmp_path / "spool", tmp_path / "tables") as shipper:
        shipper.drain()
        (status,) = shipper.status()
    assert (status.accepted, status.pending, status.damaged, status.refused) == (7, 0, 0, 0)
    rows = rows_of(tmp_path / "tables", LOGS, "CorrelationId", "Aborted", "ResponseCode", "LastErrorReason")
    assert [(int(i.replace("-", ""), 16), *rest) for i, *rest in rows] == [
        (1, "", 200, ""),
        (2, "gateway", None, ""),
        (3, "client", 200, "Timeout"),
    ]
    assert rows_of(tmp_path / "tables", "ApiManagementGatewayLlmLog", "PromptTokens")[0] == (11,)
    assert rows_of(tmp_path / "tables", "AppTraces", "Message") == [("it broke",)]
    assert rows_of(tmp_path / "tables", "AzureDiagnostics", "DurationMs") == [(7,)]
    assert rows_of(tmp_path / "tables", "Own_CL", "Text") == [("x",)]
    assert ("Requests", 2.0) in rows_of(tmp_path / "tables", "AzureMetrics", "MetricName", "Total")


def test_todays_writer_goes_on_in_it(tmp_path: Path, spool: Path) -> None:
    writer, context = open_writer(spool)
    with writer:
        assert writer.accepted == 8  # seven frames, and the context at the head of the new segment
        writer.append_call(make_call(number=4, context=context))
    with Shipper(tmp_path / "spool", tmp_path / "tables") as shipper:
        shipper.drain()
        shipper.drain()
    ids = [int(i.replace("-", ""), 16) for (i,) in rows_of(tmp_path / "tables", LOGS, "CorrelationId")]
    assert ids == [1, 2, 3, 4]
    assert WORKSPACE in [p.name for p in (tmp_path / "tables").iterdir()]


def test_what_a_later_version_wrote_is_refused_by_name_and_left_as_it_is(spool: Path) -> None:
    (path,) = segments(spool)
    data = path.read_bytes()
    head = frame.decode_segment_head(data)
    assert head is not None
    later = frame.SegmentHead(head.spool, head.session, head.first, head.frames_before, head.created_ns, 2)
    path.write_bytes(frame.encode_segment_head(later) + data[frame.SEGMENT_HEAD_SIZE :])
    for look in (lambda: SpoolReader(spool).read(), lambda: SpoolWriter(spool, sync_interval_s=0)):
        with pytest.raises(Unavailable, match="version 2; this program reads version 1"):
            look()
    assert path.read_bytes()[frame.SEGMENT_HEAD_SIZE :] == data[frame.SEGMENT_HEAD_SIZE :]
