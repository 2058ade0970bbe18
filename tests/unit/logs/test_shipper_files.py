"""A batch of which a part is in files before its end: the rest of it is stored as well."""

from __future__ import annotations

from pathlib import Path

import pytest

from aforo.logs import shipper as shipper_module
from aforo.spool.records import Message
from tests.support.calls import make_call, open_writer
from tests.unit.logs.test_shipper import ids, shipper_of


@pytest.mark.parametrize("behind", [0, 1, 20])
def test_what_comes_behind_the_files_of_a_batch_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behind: int
) -> None:
    monkeypatch.setattr(shipper_module, "_FILE_BYTES", 200_000)
    monkeypatch.setattr(shipper_module, "_SLICE_BYTES", 100_000)
    writer, context = open_writer(tmp_path / "spool" / "g")
    body = Message([], b'{"a": "%b"}' % (b"x" * 250_000), 250_000)
    with writer, shipper_of(tmp_path) as shipper:
        # The table is there: only then are files written ahead.
        writer.append_call(make_call(number=0, context=context))
        shipper.run_once()
        writer.append_call(make_call(number=1, context=context, request=body))
        for number in range(2, behind + 2):
            writer.append_call(make_call(number=number, context=context))
        while shipper.run_once():
            pass
        assert ids(tmp_path) == list(range(behind + 2))
