"""Large frames: written in slices beside the segments, found whole or not at all, in order with what came meanwhile."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import zlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aforo.errors import Invalid, Unavailable
from aforo.spool import aside as aside_module
from aforo.spool import frame
from aforo.spool.aside import Aside
from aforo.spool.parts import APART_BYTES, body_bytes, parts_of, slices
from aforo.spool.reader import SpoolReader
from aforo.spool.records import KIND_CALL, KIND_CONTEXT, KIND_ROWS, BeginRecord, CallRecord, Message
from aforo.spool.sync import FolderSync
from aforo.spool.writer import SpoolWriter
from tests.support.calls import make_call

SEGMENT = 256 * 1024
PAYLOAD = os.urandom(100_000)


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aside_module, "SLICE_BYTES", 10_000)


def open_writer(folder: Path, **options: int) -> SpoolWriter:
    writer = SpoolWriter(folder, sync_interval_s=0, **{"segment_bytes": SEGMENT, **options})
    writer.context("/lab", "here", {})
    return writer


def payloads(folder: Path) -> list[bytes]:
    reader = SpoolReader(folder)
    found = [f.payload for f in reader.read(max_bytes=1 << 30) if f.kind != KIND_CONTEXT]
    assert reader.damaged == 0
    assert reader.accepted() == reader.count(reader.last)
    return found


def finish(writer: SpoolWriter, aside: Aside) -> int:
    while not aside.step():
        pass
    return writer.publish(aside)


def left_over(folder: Path) -> list[str]:
    return [p.name for p in folder.iterdir() if p.suffix == aside_module.SUFFIX]


@given(st.binary(max_size=300), st.binary(max_size=300), st.integers(1, 1 << 60))
def test_a_checksum_that_was_read_before_its_head(one: bytes, other: bytes, sequence: int) -> None:
    crc = zlib.crc32(other, zlib.crc32(one))
    made = frame.head_of_checked(sequence, KIND_CALL, len(one) + len(other), crc)
    assert made == frame.encode_head(sequence, KIND_CALL, one + other)


@pytest.mark.parametrize("sizes", [(0, 0), (APART_BYTES, 10), (10, 200_000), (300_000, APART_BYTES)])
def test_a_record_in_parts_is_the_record(sizes: tuple[int, int]) -> None:
    asked, said = (os.urandom(size) for size in sizes)
    record = make_call(
        request=Message([(b"a", b"b")], asked, 7, cut=True),
        response=Message([], said, 9, stream=True),
        noted={"caller": "ada"},
    )
    parts = parts_of(record)
    assert msgspec.msgpack.decode(b"".join(parts), type=CallRecord) == record
    # Large bodies stand there as they are, not as copies.
    assert [p for p in parts if len(p) >= APART_BYTES] == [p for p in (asked, said) if len(p) >= APART_BYTES]
    assert all(any(p is part for part in parts) for p in (asked, said) if len(p) >= APART_BYTES)
    begin = BeginRecord(record)
    assert msgspec.msgpack.decode(b"".join(parts_of(begin)), type=BeginRecord) == begin
    assert body_bytes(record) == sum(sizes)
    assert b"".join(slices(parts, 10)) == b"".join(parts)


def test_small_frames_go_on_while_a_large_one_is_written(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        writer.append(KIND_ROWS, b"before")
        one = writer.begin_aside(KIND_CALL, [PAYLOAD[:5], PAYLOAD[5:]])
        other = writer.begin_aside(KIND_CALL, [PAYLOAD[::-1]])
        count = 0
        while not one.step():
            other.step()
            count += 1
            writer.append(KIND_ROWS, b"%d" % count)
            # Nobody sees a part of it.
            assert len(payloads(tmp_path)) == count + 1
        assert count == 11
        first = writer.publish(one)
        second = writer.append(KIND_ROWS, b"between")
        third = finish(writer, other)
        assert first < second < third < writer.append(KIND_ROWS, b"after")
        small = [b"before", *(b"%d" % n for n in range(1, count + 1))]
        expected = [*small, PAYLOAD, b"between", PAYLOAD[::-1], b"after"]
        assert payloads(tmp_path) == expected
        assert writer.publish(one) == first
    assert payloads(tmp_path) == expected
    assert not left_over(tmp_path)
    with open_writer(tmp_path) as writer:
        writer.append(KIND_ROWS, b"next")
    assert payloads(tmp_path) == [*expected, b"next"]


def test_a_follower_steps_over_to_a_large_frame(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        reader = SpoolReader(tmp_path)
        for number in range(5):
            writer.append(KIND_ROWS, b"%d" % number)
            finish(writer, writer.begin_aside(KIND_CALL, [PAYLOAD]))
            found = [f.payload for f in reader.read() if f.kind != KIND_CONTEXT]
            found += [f.payload for f in reader.read() if f.kind != KIND_CONTEXT]
            assert found == [b"%d" % number, PAYLOAD]
        assert reader.accepted() == writer.accepted == reader.count(reader.last)


def test_a_frame_larger_than_a_segment(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        finish(writer, writer.begin_aside(KIND_CALL, [PAYLOAD] * 5))
        writer.append(KIND_ROWS, b"after")
        with pytest.raises(Invalid, match="larger than a frame"):
            writer.begin_aside(KIND_CALL, [b"x" * 1024] * (frame.MAX_PAYLOAD // 1024 + 1))
    assert payloads(tmp_path) == [PAYLOAD * 5, b"after"]


def test_a_context_that_comes_meanwhile_stands_before_it(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        aside = writer.begin_aside(KIND_CALL, [PAYLOAD])
        writer.context("/other", "there", {})
        finish(writer, aside)
        assert not left_over(tmp_path)
    assert payloads(tmp_path) == [PAYLOAD]


def test_a_segment_without_a_frame_keeps_its_name(tmp_path: Path) -> None:
    with SpoolWriter(tmp_path, segment_bytes=SEGMENT, sync_interval_s=0) as writer:
        reader = SpoolReader(tmp_path)
        assert reader.read() == []
        finish(writer, writer.begin_aside(KIND_CALL, [PAYLOAD]))
        assert [f.payload for f in reader.read()] == [PAYLOAD]


def test_the_end_of_the_writer_finishes_what_is_being_written(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        aside = writer.begin_aside(KIND_CALL, [PAYLOAD])
        aside.step()
        writer.append(KIND_ROWS, b"meanwhile")
    assert payloads(tmp_path) == [b"meanwhile", PAYLOAD]
    # Who drives it may come once more.
    assert aside.step()
    assert writer.publish(aside) == aside.sequence
    with pytest.raises(Unavailable, match="closed"):
        writer.begin_aside(KIND_CALL, [PAYLOAD])


def test_a_disk_that_fills_in_the_middle_of_it_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_writer(tmp_path) as writer:
        writer.append(KIND_ROWS, b"before")
        aside = writer.begin_aside(KIND_CALL, [PAYLOAD])
        aside.step()
        real = os.write

        def full(fd: int, data: bytes) -> int:
            if fd != aside.fd:
                return real(fd, data)
            real(fd, memoryview(data)[:100])
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(Unavailable, match="No space left") as refused:
            aside.step()
        assert refused.value.code == "SpoolFull"
        monkeypatch.undo()
        assert not left_over(tmp_path)
        with pytest.raises(Unavailable, match="large record"):
            writer.publish(aside)
        writer.append(KIND_ROWS, b"after")
    assert payloads(tmp_path) == [b"before", b"after"]


def test_a_name_that_the_disk_refuses_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_path: Path, _to: Path) -> Path:
        raise OSError(errno.EIO, "Input/output error")

    with open_writer(tmp_path) as writer:
        aside = writer.begin_aside(KIND_CALL, [PAYLOAD])
        monkeypatch.setattr(Path, "rename", refused)
        with pytest.raises(Unavailable, match="Input/output"):
            finish(writer, aside)
        monkeypatch.undo()
        assert not left_over(tmp_path)
        writer.append(KIND_ROWS, b"after")
    assert payloads(tmp_path) == [b"after"]


def test_the_kernel_may_take_a_part_of_a_slice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    with open_writer(tmp_path) as writer:
        aside = writer.begin_aside(KIND_CALL, [PAYLOAD])
        monkeypatch.setattr(os, "write", lambda fd, data: real(fd, memoryview(data)[:333]))
        finish(writer, aside)
        monkeypatch.undo()
    assert payloads(tmp_path) == [PAYLOAD]


def test_what_is_being_written_counts_for_the_bound_of_the_folder(tmp_path: Path) -> None:
    with open_writer(tmp_path, max_bytes=3 * SEGMENT) as writer:
        asides = [writer.begin_aside(KIND_CALL, [PAYLOAD]) for _ in range(2)]
        with pytest.raises(Unavailable, match="is full"):
            writer.begin_aside(KIND_CALL, [PAYLOAD])
        # What is left of the current segment is its all the same.
        writer.append_parts(KIND_CALL, [b"a", PAYLOAD])
        for aside in asides:
            finish(writer, aside)
    assert payloads(tmp_path) == [b"a" + PAYLOAD, PAYLOAD, PAYLOAD]


def test_parts_are_written_like_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_writer(tmp_path) as writer:
        writer.append_parts(KIND_CALL, [b"one", PAYLOAD, b"two"])
        writer.append_parts(KIND_CALL, [PAYLOAD, PAYLOAD])  # begins a segment
        monkeypatch.setattr(os, "writev", lambda fd, parts: os.write(fd, b"".join(parts)[:10]))
        writer.append_parts(KIND_CALL, [b"short ", b"write"])
        monkeypatch.undo()

        def full(fd: int, parts: tuple[bytes, ...]) -> int:
            os.write(fd, parts[0])
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "writev", full)
        with pytest.raises(Unavailable, match="No space left"):
            writer.append_parts(KIND_CALL, [b"lost"])
        monkeypatch.undo()
        writer.append(KIND_ROWS, b"after")
    assert payloads(tmp_path) == [b"one" + PAYLOAD + b"two", PAYLOAD * 2, b"short write", b"after"]


_WRITES = """
import os, sys
from pathlib import Path
from aforo.spool import aside
from aforo.spool.records import KIND_CALL, KIND_ROWS
from aforo.spool.writer import SpoolWriter
aside.SLICE_BYTES = 10_000
writer = SpoolWriter(Path(sys.argv[1]), segment_bytes=256 * 1024, sync_interval_s=0)
writer.context("/lab", "here", {})
writer.append(KIND_ROWS, b"before")
for number in range(3):
    one = writer.begin_aside(KIND_CALL, [bytes([number]) * 100_000])
    steps = 0
    while not one.step():
        steps += 1
        if (number, steps) == (2, int(sys.argv[2])):
            os.kill(os.getpid(), 9)
        writer.append(KIND_ROWS, b"%d %d" % (number, steps))
    if number == 2:
        os.kill(os.getpid(), 9)
    writer.publish(one)
"""


@pytest.mark.parametrize("at", [1, 7, 99])
def test_a_kill_in_the_middle_of_it_takes_nothing_else(tmp_path: Path, at: int) -> None:
    done = subprocess.run([sys.executable, "-c", _WRITES, str(tmp_path), str(at)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(left_over(tmp_path)) == 1
    expected = [b"before"]
    for number in range(2):
        expected += [b"%d %d" % (number, step) for step in range(1, 11)]
        expected.append(bytes([number]) * 100_000)
    expected += [b"2 %d" % step for step in range(1, min(at, 11))]
    assert payloads(tmp_path) == expected
    with open_writer(tmp_path) as writer:
        assert not left_over(tmp_path)
        writer.append(KIND_ROWS, b"after")
    assert payloads(tmp_path) == [*expected, b"after"]


def test_several_large_frames_between_two_syncs_are_all_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fdatasync

    def spy(fd: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{fd}").readlink()))
        real(fd)

    monkeypatch.setattr(os, "fdatasync", spy)
    if not sys.platform.startswith("linux"):
        pytest.skip("descriptors have no names here")
    with open_writer(tmp_path) as writer:
        outside = FolderSync(tmp_path)
        writer.append(KIND_ROWS, b"one")
        outside.sync()
        synced.clear()
        writer.append(KIND_ROWS, b"two")
        for _ in range(4):
            finish(writer, writer.begin_aside(KIND_CALL, [PAYLOAD]))
        assert outside.is_dirty()
        outside.sync()
        assert sorted(Path(name).name for name in synced) == sorted(p.name for p in tmp_path.glob("*.seg"))
        assert len(synced) == 5
        assert not outside.is_dirty()
        synced.clear()
        outside.sync()
        assert not synced
