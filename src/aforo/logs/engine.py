"""A query process: `python -m aforo.logs.engine ROOT`. It answers one question after the other from its pipe.

It reads table files below ROOT and the database of where addresses are, nothing else; it lives within a memory limit of the operating system, and dies
with its parent. It knows no HTTP and nobody's identity; `query.py` holds the other end of the pipe.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import os
import queue
import resource
import signal
import sys
import threading
from pathlib import Path
from typing import BinaryIO

from aforo.kql.natives import geo_addresses
from aforo.logs.evaluate import Evaluator
from aforo.logs.question import FRAME, Ask, Cancel, Outcome, Ready, Reply, pack, unpack_to_process
from aforo.logs.versions import TableVersions

log = logging.getLogger("aforo.logs.engine")

# The part of the memory limit that DuckDB plans with; the rest is for what it does not count (string vectors).
_PLANNED_SHARE = 0.6
# Of addresses alone, which glibc reserves for each of its arenas (query.py says how many); the limit counts them.
ARENA_BYTES = 64 << 20
# What a failed allocation, an interrupt or a bug leaves behind is not worth trusting: the process makes room for a
# new one.
_LEAVING = frozenset({Outcome.MEMORY, Outcome.TIMEOUT, Outcome.FAILED})


def main(arguments: list[str]) -> int:
    """Serve until the pipe closes."""
    parser = argparse.ArgumentParser(prog="aforo.logs.engine")
    parser.add_argument("root", type=Path)
    parser.add_argument("--memory", type=int, required=True, help="bytes that a query may use")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--geoip", type=Path, help="a database of where addresses are, in MaxMind's format")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="query[%(process)d] %(levelname)s %(message)s")
    # Ctrl-C goes to the whole group; only the parent decides when this ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, sink = _take_pipes()
    evaluator = Evaluator(
        TableVersions(options.root),
        memory_bytes=int(options.memory * _PLANNED_SHARE),
        threads=options.threads,
    )
    evaluator.warm()
    geo_addresses.look_in(options.geoip)
    limit_memory(options.memory + options.threads * ARENA_BYTES)
    serve(source, sink, evaluator)
    return 0


def serve(source: BinaryIO, sink: BinaryIO, evaluator: Evaluator) -> None:
    """Answer what comes in; end the process when the pipe closes, also in the middle of a query."""
    asked: queue.SimpleQueue[Ask] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(source, asked, evaluator), daemon=True).start()
    _say(sink, Ready(os.getpid()))
    evaluator.rehearse()
    while True:
        ask = asked.get()
        answer = evaluator.answer(ask.request, ask.number)
        leaving = answer.outcome in _LEAVING
        _say(sink, Reply(ask.number, answer, leaving))
        del ask, answer  # rows, and files that came with the question, are not kept until the next one
        if leaving:
            return
        evaluator.warm()


def limit_memory(size_bytes: int) -> None:
    """From now on the process may map `size_bytes` more than it has mapped already."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:  # not Linux: the kernel there does not hold such a limit; the engine's own has to do
        log.info("no operating-system memory limit on this platform")
        return
    limit = pages * resource.getpagesize() + size_bytes
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _listen(source: BinaryIO, asked: queue.SimpleQueue[Ask], evaluator: Evaluator) -> None:
    while True:
        lengths = source.read(FRAME.size)
        if len(lengths) < FRAME.size:
            os._exit(0)  # the parent is gone; a query that still runs has nobody to answer to
        head_size, _ = FRAME.unpack(lengths)
        match unpack_to_process(source.read(head_size)):
            case Ask() as ask:
                asked.put(ask)
            case Cancel(number):
                evaluator.cancel(number)


def _say(sink: BinaryIO, message: Ready | Reply) -> None:
    for part in pack(message):
        sink.write(part)
    sink.flush()


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The pipes of the parent, moved out of the way of anything that prints."""
    source, sink = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.close(nowhere)
    os.dup2(2, 1)
    return io.BufferedReader(io.FileIO(source, "rb")), io.BufferedWriter(io.FileIO(sink, "wb"), 1 << 20)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
