"""An open loop of calls against one port, made by a process of its own (bench/generator.py), and what it saw."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.load import BODY, PATH
from bench.processes import ROOT

# So many calls may be under way at once where nothing else is said.
CONNECTIONS = 64
# Calls that were due in this share of a run warm it up; they count as calls and not as latencies.
WARM_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Seen:
    """What one run saw. Latencies in microseconds, from the moment at which a call was meant to be sent."""

    rate: float
    calls: int
    elapsed_s: float
    failed: int
    broken: int
    unanswered: int
    received: int
    cpu_s: float
    late_p99_ms: float
    took_us: list[int] = field(repr=False, default_factory=list)
    first_us: list[int] = field(repr=False, default_factory=list)

    @property
    def answered(self) -> int:
        return self.calls - self.broken - self.unanswered

    @property
    def is_whole(self) -> bool:
        """Whether every call was answered with success."""
        return not (self.failed or self.broken or self.unanswered)

    def ms(self, share: float) -> float:
        """The latency that this share of the calls did not exceed, in milliseconds."""
        return quantile_ms(self.took_us, share)


def quantile_ms(values_us: Sequence[int], share: float) -> float:
    """The value (ms) that this share of some microseconds does not exceed; infinite when there are none."""
    if not values_us:
        return float("inf")
    ordered = sorted(values_us)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1e3


def run(
    port: int,
    rate: float,
    seconds: float,
    *,
    key: str = "none",
    path: str = PATH,
    body: str = BODY,
    connections: int = CONNECTIONS,
    ca: str = "",
    seed: int = 1,
    first_byte: bool = False,
) -> Seen:
    """`rate` calls per second for `seconds`. The same seed means the same moments. `ca`: https, with this authority."""
    process = start(
        port,
        rate,
        seconds,
        key=key,
        path=path,
        body=body,
        connections=connections,
        ca=ca,
        seed=seed,
        first_byte=first_byte,
    )
    return finish(process, rate)


def start(port: int, rate: float, seconds: float, **given: Any) -> subprocess.Popen[str]:
    """The same, but beside something else; `finish` waits for it."""
    body = given.get("body", BODY)
    head = (
        f"POST {given.get('path', PATH)} HTTP/1.1\r\nHost: 127.0.0.1\r\napi-key: {given.get('key', 'none')}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body.encode())}\r\n\r\n"
    )
    spec = {
        "port": port,
        "rate": rate,
        "seconds": seconds,
        "warm_s": seconds * WARM_SHARE,
        "head": head,
        "body": body,
        "connections": given.get("connections", CONNECTIONS),
        "ca": given.get("ca", ""),
        "seed": given.get("seed", 1),
        "first_byte": given.get("first_byte", False),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.generator"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(spec))
    process.stdin.close()
    process.stdin = None
    return process


def finish(process: subprocess.Popen[str], rate: float) -> Seen:
    """What it saw. RuntimeError when it could not be run; it is ended when the wait is given up."""
    try:
        said, _ = process.communicate()
    except BaseException:
        process.kill()
        process.wait()
        raise
    return read(json.loads(said or '{"failed": "the generator ended without a word"}'), rate)


def read(found: dict[str, Any], rate: float) -> Seen:
    """From the generator's figures."""
    if "failed" in found:
        raise RuntimeError(f"no load at {rate:g} calls/s: {found['failed']}")
    return Seen(
        rate=rate,
        calls=found["calls"],
        elapsed_s=found["elapsed_s"],
        failed=sum(number for status, number in found["statuses"].items() if status != "200"),
        broken=found["broken"],
        unanswered=found["unanswered"],
        received=found["received"],
        cpu_s=found["cpu_s"],
        late_p99_ms=found["late_p99_ms"],
        took_us=found["took_us"],
        first_us=found["first_us"],
    )


def padded(size: int) -> str:
    """A chat request of about `size` bytes; the usual one when that is larger."""
    if size <= len(BODY):
        return BODY
    request = json.loads(BODY)
    request["messages"][1]["content"] += _words(size - len(BODY))
    return json.dumps(request)


def padded_answer(answer: str, size: int) -> str:
    """A chat answer of about `size` bytes."""
    if size <= len(answer):
        return answer
    made = json.loads(answer)
    made["choices"][0]["message"]["content"] += _words(size - len(answer))
    return json.dumps(made, separators=(",", ":"))


def _words(size: int) -> str:
    """Text of that size that is no run of one letter: it is to compress as text does."""
    out, at = [], 0
    number = 7
    while at < size:
        number = (number * 1103515245 + 12345) % 2147483648
        word = f" word{number % 5003}"
        out.append(word)
        at += len(word)
    return "".join(out)[:size]
