"""What `aforo doctor` says of files, where it takes no running system to see it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from aforo.app.examining import GOOD, WARNING, WRONG, deliveries
from aforo.logs.delivery.state import FILE, DeliveryState
from aforo.settings import Layout

NOW_S = 1_000.0


def test_destinations_that_fail_or_missed_something_are_named(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    fine = DeliveryState("/services/one/settings/a#storage", "folder", "a", 7, 0, 0, 0, NOW_S)
    of = {
        "a": fine,
        "b": msgspec.structs.replace(fine, pending=9, failing_since=NOW_S - 5, error="away"),
        "c": msgspec.structs.replace(fine, failing_since=NOW_S - 500, error="away", skipped=3),
        "d": msgspec.structs.replace(fine, skipped=3),
    }
    assert deliveries(layout, NOW_S) == []
    for name, state in of.items():
        folder = layout.deliveries / name
        folder.mkdir(parents=True)
        (folder / FILE).write_bytes(msgspec.json.encode(state))
    found = deliveries(layout, NOW_S)
    assert [f.state for f in found] == [GOOD, WARNING, WRONG, WARNING]
    assert found[0].subject == "a#storage"
    assert found[1].says == "7 records delivered, 9 frames pending; it has failed for 5 s: away"
    assert "500 s" in found[2].says
    assert "3 frames were given up" in found[3].says
