"""What data masking costs a record: microseconds per KB of text and per event of a stream, by detector and altogether.

`python -m bench.masking` prints a table; nothing is asserted by time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from aforo.gateway.masking.bodies import BodyRules
from aforo.gateway.masking.detectors import DETECTORS
from aforo.gateway.masking.marks import Marks
from aforo.gateway.masking.written import Finder
from aforo.model.field_path import read_path

PROSE = (
    "The quick brown fox jumps over the lazy dog, and then 3 more came at 10:45 on 2024-05-01. It cost 17.50 euros "
    "(about 19 dollars), said the report.\n"
) * 60
EVENTS = 1_000
ROUNDS = 7


def best(work: Callable[[], object]) -> float:
    """Seconds of the fastest of some rounds."""
    found = 60.0
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        found = min(found, time.perf_counter() - began)
    return found


def main() -> None:
    """Measure and print."""
    marks = Marks(bytes(32))
    size_kb = len(PROSE) / 1024
    print(f"{'what':34}{'µs':>9}")
    for name, find in DETECTORS.items():
        print(
            f"{'detector ' + name + ', per KB':34}{best(lambda find=find: list(find(PROSE))) * 1e6 / size_kb:9.1f}"
        )
    finder = Finder(dict.fromkeys(DETECTORS, "Mask"), marks)
    rules = BodyRules((), finder, marks)
    fields = BodyRules([(read_path("$.user"), "Hash")], Finder({}, marks), marks)
    for what, text in (
        ("nothing found", PROSE),
        ("a mail per 130 characters", PROSE.replace("fox", "f@x.org")),
    ):
        body = json.dumps({"messages": [{"role": "user", "content": text}], "user": "u"}).encode()
        cost = best(lambda body=body: rules.mask(body, cut=False, told=[]))
        print(f"{'all, JSON, ' + what + ', per KB':34}{cost * 1e6 / (len(body) / 1024):9.1f}")
    cost = best(lambda: fields.mask(body, cut=False, told=[]))
    print(f"{'one field, JSON, per KB':34}{cost * 1e6 / (len(body) / 1024):9.1f}")
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    stream = b"".join(
        b"data: "
        + json.dumps(chunk | {"choices": [{"index": 0, "delta": {"content": f" word{n % 7}"}}]}).encode()
        + b"\n\n"
        for n in range(EVENTS)
    )
    cost = best(lambda: rules.mask(stream, cut=False, told=[]))
    print(f"{'all, chat stream, per event':34}{cost * 1e6 / EVENTS:9.1f}")


if __name__ == "__main__":
    main()
