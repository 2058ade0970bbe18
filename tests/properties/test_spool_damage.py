"""The spool survives truncation and corruption at any byte: what is lost is what was hit, and it is counted."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from aforo.spool import frame
from aforo.spool.reader import SpoolReader
from aforo.spool.records import KIND_ROWS
from aforo.spool.writer import SpoolWriter
from tests.support.examples import examples

SIZES = st.lists(st.integers(0, 400), min_size=1, max_size=25)


def written(folder: Path, sizes: list[int]) -> list[tuple[int, bytes]]:
    """Frames in one sealed segment, each with a payload of its own."""
    with SpoolWriter(folder, sync_interval_s=0) as writer:
        out = []
        for number, size in enumerate(sizes):
            payload = (number.to_bytes(2, "little") * (size // 2 + 1))[:size]
            out.append((writer.append(KIND_ROWS, payload), payload))
    return out


def read(folder: Path) -> tuple[list[tuple[int, bytes]], SpoolReader]:
    reader = SpoolReader(folder)
    return [(f.sequence, f.payload) for f in reader.read()], reader


@settings(max_examples=examples(150), deadline=None)
@given(SIZES, st.data())
def test_truncated_at_any_byte(sizes: list[int], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frames = written(folder, sizes)
        (segment,) = folder.glob("*.seg")
        cut = data.draw(st.integers(frame.SEGMENT_HEAD_SIZE, segment.stat().st_size))
        whole, end = 0, frame.SEGMENT_HEAD_SIZE
        for _, payload in frames:
            end += frame.HEAD_SIZE + len(payload)
            whole += end <= cut
        with segment.open("r+b") as file:
            file.truncate(cut)

        got, _ = read(folder)
        assert got == frames[:whole]
        with SpoolWriter(folder, sync_interval_s=0) as writer:
            assert writer.accepted == whole
            after = writer.append(KIND_ROWS, b"after")
        got, reader = read(folder)
        assert got == [*frames[:whole], (after, b"after")]
        assert reader.accepted() == whole + 1
        assert reader.damaged == 0


@settings(max_examples=examples(150), deadline=None)
@given(SIZES, st.data())
def test_one_byte_changed_anywhere(sizes: list[int], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frames = written(folder, sizes)
        (segment,) = folder.glob("*.seg")
        content = bytearray(segment.read_bytes())
        at = data.draw(st.integers(frame.SEGMENT_HEAD_SIZE, len(content) - 1))
        content[at] ^= data.draw(st.integers(1, 255))
        segment.write_bytes(content)
        hit, end = -1, frame.SEGMENT_HEAD_SIZE
        while end <= at:
            hit += 1
            end += frame.HEAD_SIZE + len(frames[hit][1])
        expected = frames[:hit] + frames[hit + 1 :]

        with SpoolWriter(folder, sync_interval_s=0) as writer:
            after = writer.append(KIND_ROWS, b"after")
        got, reader = read(folder)
        assert got == [*expected, (after, b"after")]
        # A last frame that was hit looks like a torn write: it was never accepted.
        torn = hit == len(frames) - 1
        assert reader.damaged == (0 if torn else 1)
        assert reader.accepted() == len(got) + reader.damaged
        assert bool(list(folder.glob("*.torn"))) == torn


@settings(max_examples=examples(60), deadline=None)
@given(st.binary(max_size=300), SIZES)
def test_garbage_behind_the_last_frame(garbage: bytes, sizes: list[int]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frames = written(folder, sizes)
        (segment,) = folder.glob("*.seg")
        with segment.open("ab") as file:
            file.write(garbage)
        got, _ = read(folder)
        assert got == frames
        SpoolWriter(folder, sync_interval_s=0).close()
        kept = [p.read_bytes() for p in folder.glob("*.torn")]
        assert kept == ([garbage.rstrip(b"\0")] if garbage.strip(b"\0") else [])


@settings(max_examples=examples(60), deadline=None)
@given(st.binary(min_size=frame.SEGMENT_HEAD_SIZE, max_size=400))
def test_any_bytes_as_a_segment(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        segment = folder / f"{frame.first_sequence(1):020d}.seg"
        segment.write_bytes(content)
        assert SpoolReader(folder).read() == []
        with SpoolWriter(folder, sync_interval_s=0) as writer:
            writer.append(KIND_ROWS, b"x")
        assert [f.payload for f in SpoolReader(folder).read()] == [b"x"]
