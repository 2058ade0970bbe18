"""A policy that holds the loop is named, with the author's file and line."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import asyncio, logging, sys, time
import uvloop
from aforo.app.held_loop import HeldLoop
logging.basicConfig(format="%(message)s", stream=sys.stdout)
policy = compile("\\n\\ndef run(until):\\n    while time.perf_counter() < until:\\n        pass\\n", "apis/a/policy.xml", "exec")
scope = {"time": time}
exec(policy, scope)

async def main():
    held = HeldLoop(0.1)
    for _ in range(5):
        held.beat()
        await asyncio.sleep(0.05)
    scope["run"](time.perf_counter() + 0.4)
    held.beat()
    await asyncio.sleep(0.05)
    held.end()

uvloop.run(main())
"""


def test_the_policy_that_holds_the_loop_is_named() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=True
    )
    assert "the loop has been held for 0.1 s by the policy apis/a/policy.xml, line " in done.stdout
    assert done.stdout.count("held") == 1
