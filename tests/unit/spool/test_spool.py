"""Writer and reader of one spool folder: order, rotation, counting, refusal, space."""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from pathlib import Path

import msgspec
import pytest

from aforo.errors import Conflict, Invalid, Unavailable
from aforo.spool import frame
from aforo.spool import space as space_module
from aforo.spool.reader import SpoolReader
from aforo.spool.records import KIND_CONTEXT, KIND_ROWS, CallRecord, Message, RowsRecord
from aforo.spool.sync import FolderSync
from aforo.spool.writer import SpoolWriter
from tests.support.calls import make_call


def open_writer(folder: Path, **options: int) -> SpoolWriter:
    return SpoolWriter(folder, sync_interval_s=0, **{"segment_bytes": 4096, **options})


def payloads(reader: SpoolReader) -> list[bytes]:
    return [f.payload for f in reader.read() if f.kind != KIND_CONTEXT]


def test_frames_come_back_in_order_over_many_segments(tmp_path: Path) -> None:
    written = [bytes([i % 251]) * (i * 7 % 900) for i in range(200)]
    with open_writer(tmp_path) as writer:
        sequences = [writer.append(KIND_ROWS, p) for p in written]
        assert writer.accepted == 200
    assert sequences == sorted(set(sequences))
    reader = SpoolReader(tmp_path)
    got = reader.read()
    assert [(f.sequence, f.payload) for f in got] == list(zip(sequences, written, strict=True))
    assert len([p for p in tmp_path.iterdir() if p.suffix == ".seg"]) > 10
    assert reader.accepted() == reader.count(reader.last) == 200
    assert reader.read() == []


def test_a_reader_follows_a_live_writer(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        reader = SpoolReader(tmp_path)
        assert reader.read() == []
        for i in range(100):
            writer.append(KIND_ROWS, b"x" * i)
            assert payloads(reader) == [b"x" * i]


def test_reading_is_bounded_by_frames_and_bytes(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        for _ in range(30):
            writer.append(KIND_ROWS, b"y" * 100)
    reader = SpoolReader(tmp_path)
    assert len(reader.read(max_frames=7)) == 7
    assert len(reader.read(max_bytes=250)) == 3
    assert len(reader.read()) == 20


def test_folder_and_files_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    with open_writer(folder) as writer:
        writer.append(KIND_ROWS, b"a" * 3000)
        writer.sync()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()} == {0o600}


def test_one_writer_per_folder(tmp_path: Path) -> None:
    with open_writer(tmp_path), pytest.raises(Conflict, match="in use"):
        open_writer(tmp_path)
    open_writer(tmp_path).close()


def test_a_new_session_goes_on_with_larger_sequences_and_the_same_count(tmp_path: Path) -> None:
    last = 0
    for session in range(1, 5):
        with open_writer(tmp_path) as writer:
            first = writer.append(KIND_ROWS, b"1")
            assert first > last
            assert frame.session_of(first) == session
            last = writer.append(KIND_ROWS, b"2")
            assert writer.accepted == 2 * session
    reader = SpoolReader(tmp_path)
    assert payloads(reader) == [b"1", b"2"] * 4
    assert reader.count(reader.last) == reader.accepted() == 8


def test_the_identity_survives_and_a_new_folder_has_another(tmp_path: Path) -> None:
    ids = set()
    for _ in range(2):
        with open_writer(tmp_path / "a") as writer:
            ids.add(writer.spool_id)
    assert len(ids) == 1
    with open_writer(tmp_path / "b") as writer:
        assert writer.spool_id not in ids
        assert SpoolReader(tmp_path / "b").spool_id == writer.spool_id


def test_sequences_grow_even_when_all_segments_are_gone(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        last = writer.append(KIND_ROWS, b"1")
    for path in tmp_path.glob("*.seg"):
        path.unlink()
    with open_writer(tmp_path) as writer:
        assert writer.append(KIND_ROWS, b"2") > last


def test_contexts_stand_at_the_start_of_every_segment_and_survive_restarts(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        one = writer.context("/a", "here", {"GatewayLogs": ["w"]})
        two = writer.context("/b", "here", {})
        assert one != two
        assert writer.context("/a", "here", {"GatewayLogs": ["w"]}) == one
        for _ in range(20):
            writer.append(KIND_ROWS, b"z" * 1000)
        accepted = writer.accepted
    with open_writer(tmp_path) as writer:
        assert writer.context("/b", "here", {}) == two
        assert writer.context("/c", "here", {}) == max(one, two) + 1
        assert writer.accepted == accepted + 3
    reader = SpoolReader(tmp_path)
    reader.seek(reader.read()[-5].sequence)
    again = [f.kind for f in reader.read()]
    assert again.count(KIND_CONTEXT) >= 2


def test_a_frame_larger_than_a_segment_gets_its_own(tmp_path: Path) -> None:
    big = os.urandom(100_000)
    with open_writer(tmp_path) as writer:
        for payload in (b"a", big, b"b"):
            writer.append(KIND_ROWS, payload)
        with pytest.raises(Invalid, match="larger than a frame"):
            writer._rotate(frame.MAX_PAYLOAD + 1)
    assert payloads(SpoolReader(tmp_path)) == [b"a", big, b"b"]


def test_a_full_spool_refuses_counts_exactly_and_goes_on_after_discard(tmp_path: Path) -> None:
    with open_writer(tmp_path, max_bytes=16 * 1024, reserve_bytes=1024) as writer:
        reader = SpoolReader(tmp_path)
        accepted = 0
        assert writer.has_room()
        while writer.has_room():
            writer.append(KIND_ROWS, b"q" * 500)
            accepted += 1
            writer.sync()
        with pytest.raises(Unavailable, match="full"):
            writer.append(KIND_ROWS, b"q" * 5000)
        assert not writer.has_room()
        assert writer.accepted == accepted == reader.accepted()
        assert len(reader.read()) == accepted
        assert reader.discard(reader.last) >= 2
        writer.sync()
        assert writer.has_room()
        writer.append(KIND_ROWS, b"after")
        assert payloads(reader) == [b"after"]
        assert reader.accepted() == accepted + 1 == reader.count(reader.last)


def test_what_has_room_promises_is_kept(tmp_path: Path) -> None:
    with open_writer(tmp_path, max_bytes=12 * 1024, reserve_bytes=2048) as writer:
        while writer.has_room():
            writer.append(KIND_ROWS, b"r" * 100)
            writer.sync()
        writer.append(KIND_ROWS, b"admitted" * 150)
    assert payloads(SpoolReader(tmp_path))[-1] == b"admitted" * 150


def test_more_than_a_segment_between_two_looks_of_the_owner_finds_room(tmp_path: Path) -> None:
    with open_writer(tmp_path, max_bytes=1024 * 1024, reserve_bytes=1024) as writer:
        for i in range(50):
            assert writer.has_room(), i
            writer.append(KIND_ROWS, b"l" * 3500)
    assert len(payloads(SpoolReader(tmp_path))) == 50


def test_a_full_spool_is_not_tried_again_by_every_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_writer(tmp_path, max_bytes=8 * 1024, reserve_bytes=1024) as writer:
        while writer.has_room():
            writer.append(KIND_ROWS, b"l" * 3500)
        tries: list[int] = []
        allocate = writer._space.reserve
        monkeypatch.setattr(
            writer._space, "reserve", lambda name, size: (tries.append(size), allocate(name, size))[1]
        )
        assert not any(writer.has_room() for _ in range(20))
        assert tries == []
        writer.prepare()
        assert len(tries) == 1
        assert not writer.has_room()
        reader = SpoolReader(tmp_path)
        reader.read()
        assert reader.discard(reader.last) >= 1
        writer.prepare()
        assert writer.has_room()


def test_a_large_record_leaves_no_large_buffer(tmp_path: Path) -> None:
    with open_writer(tmp_path, segment_bytes=64 * 1024) as writer:
        for size in (100, 5_000_000, 300_000, 100):
            record = make_call(request=Message([], b"b" * size, size))
            writer.append_call(record)
            assert sys.getsizeof(writer._buffer) < 1024 * 1024
    bodies = [
        msgspec.msgpack.decode(p, type=CallRecord).request.body for p in payloads(SpoolReader(tmp_path))
    ]
    assert [len(b) for b in bodies] == [100, 5_000_000, 300_000, 100]


def test_a_disk_error_is_refused_and_leaves_no_half_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_writer(tmp_path) as writer:
        writer.append(KIND_ROWS, b"before")
        real = os.writev

        def torn(fd: int, parts: tuple[bytes, bytes]) -> int:
            os.write(fd, parts[0])
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "writev", torn)
        with pytest.raises(Unavailable, match="No space left"):
            writer.append(KIND_ROWS, b"lost")
        monkeypatch.setattr(os, "writev", real)
        assert writer.accepted == 1
        writer.append(KIND_ROWS, b"after")
    reader = SpoolReader(tmp_path)
    assert payloads(reader) == [b"before", b"after"]
    assert reader.damaged == 0


def test_a_short_write_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_writer(tmp_path) as writer:
        monkeypatch.setattr(os, "writev", lambda fd, parts: os.write(fd, b"".join(parts)[:10]))
        writer.append(KIND_ROWS, b"whole")
        monkeypatch.undo()
        writer.append(KIND_ROWS, b"next")
    assert payloads(SpoolReader(tmp_path)) == [b"whole", b"next"]


def test_discard_keeps_what_is_not_stored_and_the_newest_segment(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        sequences = [writer.append(KIND_ROWS, b"d" * 1500) for _ in range(9)]
        reader = SpoolReader(tmp_path)
        reader.read()
        assert reader.discard(sequences[3]) == 2
        fresh = SpoolReader(tmp_path)
        assert [f.sequence for f in fresh.read()] == sequences[4:]
        assert reader.discard(sequences[-1]) == 2
        assert reader.discard(sequences[-1]) == 0
        assert len(list(tmp_path.glob("*.seg"))) == 1
        assert reader.count(sequences[-1]) == reader.accepted() == 9


def test_a_spool_of_a_later_version_is_refused_by_name(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        writer.append(KIND_ROWS, b"v")
    (segment,) = tmp_path.glob("*.seg")
    data = bytearray(segment.read_bytes())
    head = frame.decode_segment_head(bytes(data))
    assert head is not None
    later = frame.SegmentHead(head.spool, head.session, head.first, 0, 0, version=9)
    segment.write_bytes(frame.encode_segment_head(later) + data[frame.SEGMENT_HEAD_SIZE :])
    with pytest.raises(Unavailable, match="version 9"):
        open_writer(tmp_path)
    with pytest.raises(Unavailable, match="version 9"):
        SpoolReader(tmp_path).read()


def test_rows_records_and_background_sync(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, segment_bytes=4096, sync_interval_s=0.001)
    for i in range(200):
        writer.append_rows(RowsRecord(["w"], "T", [{"n": i}]))
    writer.close()
    writer.close()
    assert len(SpoolReader(tmp_path).read()) == 200
    with pytest.raises(Unavailable, match="closed"):
        writer.append(KIND_ROWS, b"x" * 5000)


def test_prepare_reserves_ahead_without_syncing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_writer(tmp_path, reserve_bytes=1500) as writer:
        for _ in range(30):
            writer.append(KIND_ROWS, b"p" * 1000)
            with monkeypatch.context() as patched:
                patched.delattr(os, "fsync")
                patched.delattr(os, "fdatasync")
                writer.prepare()
            assert writer.has_room()
            assert len(writer._retired) == 0
    assert len(SpoolReader(tmp_path).read()) == 30
    writer.prepare()


def test_a_new_segment_waits_for_no_disk_and_its_name_is_synced_from_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync, folders = os.fsync, []

    def spy(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            folders.append(descriptor)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    with SpoolWriter(tmp_path, segment_bytes=4096, reserve_bytes=1500, sync_interval_s=0) as writer:
        outside = FolderSync(tmp_path)
        outside.sync()
        folders.clear()
        with monkeypatch.context() as patched:
            patched.delattr(os, "fsync")
            patched.delattr(os, "fdatasync")
            for _ in range(4):
                writer.append(KIND_ROWS, b"p" * 1000)
        outside.sync()
        assert len(folders) == 1
        writer.append(KIND_ROWS, b"p")
        outside.sync()
        assert len(folders) == 1
        # An owner that syncs by itself does both.
        writer.sync()
        assert len(folders) == 2
        writer.sync()
        assert len(folders) == 2


def test_the_disk_is_left_room_for_who_empties_the_spool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records leave the spool by being written down elsewhere, often on the same disk."""
    size, free = 64 * 1024, 1 << 40
    monkeypatch.setattr(space_module, "_free", lambda _: free)
    with SpoolWriter(tmp_path, segment_bytes=size) as writer:
        free = 3 * size - 1
        written = 0
        with pytest.raises(Unavailable, match="No space left"):  # noqa: PT012 - which of them is not ours to say
            for _ in range(200):
                writer.append(KIND_ROWS, bytes(1_000))
                written += 1
        assert written > 50  # what was reserved could be written to its end
        assert not writer.has_room()
        free = 3 * size
        time.sleep(0.06)
        writer.prepare()
        assert writer.has_room()
        writer.append(KIND_ROWS, b"again")
    assert len(payloads(SpoolReader(tmp_path))) == written + 1
