"""accepted = stored + pending, counted each by itself: with a writer at work, with a begun call, with damage."""

from __future__ import annotations

from pathlib import Path

from aforo.logs.accounting import Account, account_of
from aforo.logs.shipper import Shipper
from aforo.spool import frame
from aforo.spool.records import BeginRecord
from aforo.spool.recover import segments
from tests.support.calls import START_NS, make_call, open_writer


def account(folder: Path) -> Account:
    found = account_of(folder)
    assert found is not None
    return found


def ship(root: Path) -> None:
    with Shipper(root / "spool", root / "tables", clock=lambda: START_NS / 1e9) as shipper:
        while shipper.run_once():
            pass


def test_a_folder_without_a_spool_has_no_account(tmp_path: Path) -> None:
    assert account_of(tmp_path) is None


def test_it_adds_up_over_segments_sessions_and_what_is_given_back(tmp_path: Path) -> None:
    folder = tmp_path / "spool" / "g"
    number = 0
    for _ in range(3):
        writer, context = open_writer(folder, segment_bytes=8 * 1024)
        with writer:
            for _ in range(40):
                number += 1
                writer.append_call(make_call(number=number, context=context))
            now = account(folder)
            assert (now.adds_up, now.accepted) == (True, writer.accepted)
            assert now.oldest_ns == START_NS + 45_600_000
            ship(tmp_path)
            now = account(folder)
            assert (now.stored, now.pending, now.oldest_ns) == (writer.accepted, 0, 0)
            writer.append_call(make_call(number=0, context=context))
            assert account(folder).pending == 1


def test_a_begun_call_is_pending_and_nobody_waits_for_its_rows(tmp_path: Path) -> None:
    folder = tmp_path / "spool" / "g"
    writer, context = open_writer(folder)
    with writer:
        writer.append_begin(BeginRecord(make_call(number=1, context=context, status=0)))
        writer.append_call(make_call(number=2, context=context))
        ship(tmp_path)
        now = account(folder)
        assert (now.adds_up, now.pending, now.oldest_ns) == (True, 2, 0)


def test_damaged_frames_are_pending_and_lost(tmp_path: Path) -> None:
    folder = tmp_path / "spool" / "g"
    writer, context = open_writer(folder)
    with writer:
        for number in range(5):
            writer.append_call(make_call(number=number, context=context))
        (segment,) = segments(folder)
        data = bytearray(segment.read_bytes())
        first = frame.wanted_size(data, frame.SEGMENT_HEAD_SIZE)
        at = frame.SEGMENT_HEAD_SIZE + first + 200
        data[at] ^= 0xFF
        segment.write_bytes(data)
        now = account(folder)
        assert (now.adds_up, now.lost, now.pending, now.accepted) == (True, 1, 6, writer.accepted)
