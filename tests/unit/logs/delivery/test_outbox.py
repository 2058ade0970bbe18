"""Batches on their way to one place: however many wait, each costs the same, and none is lost or given twice."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from aforo.logs.delivery import outbox
from aforo.logs.delivery.destination import deliver
from aforo.logs.delivery.outbox import Batch, Outbox, Part, Positions
from aforo.private_files import write_private


class Order:
    """A place that notes which batches it was given."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def deliver(self, batch: Batch) -> None:
        self.numbers.append(batch.positions.number)

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("count", [20, 3_000])
def test_a_batch_costs_the_same_however_many_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    write = write_private
    monkeypatch.setattr(outbox, "write_private", lambda path, data: write(path, data, durable=False))
    begun = Outbox(tmp_path / "out")
    part = Part("GatewayLogs", "f", [b"{}"])
    looks: list[str] = []
    for name, plain in (("listdir", os.listdir), ("scandir", os.scandir)):

        def counted(*arguments: Any, name: str = name, plain: Any = plain) -> Any:
            looks.append(name)
            return plain(*arguments)

        monkeypatch.setattr(os, name, counted)
    for number in range(1, count + 1):
        begun.put(Positions(number, {"s": number}, {"s": number}), [part])
        assert begun.waiting() == number
    assert looks == []
    # Also what a restart finds is looked through no more than a few times.
    again, place = Outbox(tmp_path / "out"), Order()
    assert len(looks) < 4
    size = sum(p.stat().st_size for p in (tmp_path / "out").glob("*.batch"))
    looks.clear()
    assert (again.waiting(), again.size(), again.decided.taken) == (count, size, {"s": count})
    assert (begun.size(), begun.decided.number) == (size, count)
    assert deliver(again, place, lambda: False) == count
    assert looks == []
    assert place.numbers == list(range(1, count + 1))
    assert (again.waiting(), again.size(), again.delivered.number) == (0, 0, count)
    assert not list((tmp_path / "out").glob("*.batch"))


def test_a_batch_that_cannot_be_written_or_taken_away_is_not_forgotten_and_not_given_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    box, part = Outbox(tmp_path / "out"), Part("GatewayLogs", "f", [b"{}"])
    box.put(Positions(1), [part])
    with monkeypatch.context() as broken:
        broken.setattr(outbox, "write_private", _full)
        with pytest.raises(OSError, match="full"):
            box.put(Positions(2), [part])
    assert (box.waiting(), box.decided.number) == (1, 1)
    first = box.first()
    assert first is not None
    with monkeypatch.context() as broken:
        broken.setattr(outbox, "write_private", _full)
        with pytest.raises(OSError, match="full"):
            box.done(first)
    assert box.first() == first  # given again under its number
    box.put(Positions(2), [part])
    box.put(Positions(3), [part])
    with monkeypatch.context() as broken:
        broken.setattr(Path, "unlink", _full)
        with pytest.raises(OSError, match="full"):
            box.done(first)
    # Somebody has tidied up.
    (tmp_path / "out" / f"{2:016d}.batch").unlink()
    place = Order()
    assert deliver(box, place, lambda: False) == 1
    assert place.numbers == [3]
    assert "has been taken away" in caplog.text
    assert (box.waiting(), box.size(), box.delivered.records) == (0, 0, 2)
    assert Outbox(tmp_path / "out").waiting() == 0


def _full(*_: Any, **__: Any) -> None:
    raise OSError("full")
