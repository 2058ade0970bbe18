"""SIGKILL of a writing process: whatever it had been told is written is there, and the next one goes on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

from aforo.spool.reader import SpoolReader
from aforo.spool.records import KIND_CONTEXT

CHILD = """
import os, sys
from pathlib import Path
from aforo.spool.writer import SpoolWriter
writer = SpoolWriter(Path(sys.argv[1]), segment_bytes=20_000, sync_interval_s=0.002)
context = writer.context("/s", "here", {})
number = int(sys.argv[2])
while True:
    sequence = writer.append(2, b"%d " % number + b"p" * (number * 37 % 2000))
    os.write(1, b"%d %d\\n" % (number, sequence))
    number += 1
"""


def test_every_acknowledged_frame_survives_kills(tmp_path: Path) -> None:
    rng = random.Random(7)
    reader = SpoolReader(tmp_path)
    acknowledged: list[int] = []
    got: list[int] = []
    sequences: list[int] = []
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for round_number in range(8):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path), str(round_number * 1_000_000)],
            stdout=subprocess.PIPE,
            env=environment,
        )
        assert child.stdout is not None
        wanted = rng.randrange(1, 300)
        lines = [child.stdout.readline() for _ in range(wanted)]
        # Reading beside the living writer must not disturb what is found afterwards.
        batch = reader.read(max_frames=rng.randrange(1, 100))
        child.send_signal(signal.SIGKILL)
        lines += child.stdout.read().splitlines(keepends=True)
        child.stdout.close()
        child.wait()
        acknowledged += [int(line.split()[0]) for line in lines if line.endswith(b"\n")]
        while more := reader.read():
            batch += more
        frames = [f for f in batch if f.kind != KIND_CONTEXT]
        got += [int(f.payload.split()[0]) for f in frames]
        sequences += [f.sequence for f in frames]
        reader.discard(reader.last)
    # At most one frame per life was written without being acknowledged.
    assert set(acknowledged) <= set(got)
    assert len(set(got) - set(acknowledged)) <= 8
    assert len(got) == len(set(got))
    assert sequences == sorted(set(sequences))
    assert reader.damaged == 0
    assert reader.accepted() == reader.count(reader.last)
