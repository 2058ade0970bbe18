"""What gateways say they have in force: the newest of each counts, the dead do not, and nobody waits for ever."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from aforo.app.in_force import Acknowledgement, InForce, in_force

OLD = InForce(revision=6, published_ns=1_000)
NEW = InForce(revision=7, published_ns=2_000)


def waited(folder: Path, wanted: InForce) -> bool:
    return asyncio.run(in_force(folder, wanted, patience_s=0.0))


def test_every_living_gateway_is_waited_for(tmp_path: Path) -> None:
    assert waited(tmp_path, NEW)  # none runs, none has to have it
    first, second = Acknowledgement(tmp_path, 0), Acknowledgement(tmp_path, 1)
    first.say(NEW)
    second.say(OLD)
    assert waited(tmp_path, OLD)
    assert not waited(tmp_path, NEW)
    second.say(NEW)
    assert waited(tmp_path, NEW)
    second.say(OLD)
    second.withdraw()
    assert waited(tmp_path, NEW)
    second.withdraw()  # twice is no mistake


@pytest.mark.parametrize(
    "has",
    [
        InForce(revision=7, published_ns=1_999),  # published again by a start, with other addresses
        InForce(revision=6, published_ns=2_000),  # two publications within the grain of the file's time
    ],
)
def test_both_the_revision_and_the_file_have_to_be_as_new(tmp_path: Path, has: InForce) -> None:
    Acknowledgement(tmp_path, 0).say(has)
    assert not waited(tmp_path, NEW)


def test_it_comes_back_when_the_last_one_has_it(tmp_path: Path) -> None:
    async def story() -> bool:
        gateway = Acknowledgement(tmp_path, 0)
        gateway.say(OLD)
        waiting = asyncio.ensure_future(in_force(tmp_path, NEW, patience_s=30.0))
        await asyncio.sleep(0)
        assert not waiting.done()
        gateway.say(NEW)
        return await waiting

    assert asyncio.run(story())


def test_a_gateway_that_died_is_not_waited_for(tmp_path: Path) -> None:
    said = "from aforo.app.in_force import *; import pathlib, sys; Acknowledgement(pathlib.Path(sys.argv[1]), 3).say(InForce(6, 1))"
    subprocess.run([sys.executable, "-c", said, str(tmp_path)], check=True, timeout=60)
    (file,) = tmp_path.iterdir()
    assert file.name == "in-force-3"
    assert file.stat().st_mode & 0o777 == 0o600
    assert waited(tmp_path, NEW)


def test_what_is_no_acknowledgement_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "in-force-0").write_text("not JSON")
    (tmp_path / "current.bundle").write_bytes(b"")
    assert waited(tmp_path, NEW)
