"""Spool and shipper as a state machine: whatever happens to either, in whatever order, each call has its row, once.

Writers are killed (and may leave a torn tail), shippers die at any step, the store goes away for an hour, the disk fills
up and gets room, the clock is set back.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from unittest import mock

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aforo.errors import Unavailable
from aforo.logs import delta
from aforo.logs.accounting import account_of
from aforo.logs.shipper import Shipper
from aforo.spool.records import AmendRecord, BeginRecord
from aforo.spool.recover import segments
from aforo.spool.writer import SpoolWriter
from tests.properties.test_spool_shipping import Killed, dying_at
from tests.support.calls import START_NS, make_call, open_writer, rows_of
from tests.support.examples import examples

LOGS = "ApiManagementGatewayLogs"
SPOOLS = ("gateway-0", "gateway-1")
SEGMENT_BYTES = 16 * 1024
# Of the folder: a few segments, so that it runs full when nobody ships.
MAX_BYTES = 6 * SEGMENT_BYTES


class SpoolAndShipper(RuleBasedStateMachine):
    """`stored` of the model: number of a call to what its row must say of `Aborted`."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.writers: dict[str, tuple[SpoolWriter, int]] = {}
        self.shipper: Shipper | None = None
        self.now_s = START_NS / 1e9
        self.numbers = 0
        self.rows: dict[int, str] = {}
        self.begun: dict[str, set[int]] = {name: set() for name in SPOOLS}
        self.refused = 0

    @initialize()
    def start(self) -> None:
        for name in SPOOLS:
            self._open(name)

    def teardown(self) -> None:
        try:
            self._settle()
        finally:
            self._drop_shipper()
            for writer, _ in self.writers.values():
                writer.close()
            shutil.rmtree(self.root)

    # -- gateways ----------------------------------------------------------------------------------------

    @rule(
        name=st.sampled_from(SPOOLS),
        calls=st.integers(1, 8),
        audit=st.booleans(),
        end=st.sampled_from(["", "", "", "client"]),
    )
    def call(self, name: str, calls: int, audit: bool, end: str) -> None:
        """Calls that finish; with `end`, their clients turn out not to have taken all."""
        writer, context = self.writers[name]
        for _ in range(calls):
            self.numbers += 1
            record = make_call(
                number=self.numbers, context=context, ended_ns=int(self.now_s * 1e9), started_ns=START_NS
            )
            try:
                if audit:
                    writer.append_begin(BeginRecord(record))
                    self.begun[name].add(self.numbers)
                writer.append_call(record)
                self.rows[self.numbers] = ""
                self.begun[name].discard(self.numbers)
                if end:
                    writer.append_amend(AmendRecord(record.call_id, end, int(self.now_s * 1e9)))
                    self.rows[self.numbers] = end
            except Unavailable:
                self.refused += 1  # the client was told so

    @rule(name=st.sampled_from(SPOOLS))
    def begin(self, name: str) -> None:
        """A call that is under way, in audit mode."""
        writer, context = self.writers[name]
        self.numbers += 1
        try:
            writer.append_begin(BeginRecord(make_call(number=self.numbers, context=context, status=0)))
        except Unavailable:
            return
        self.begun[name].add(self.numbers)

    @precondition(lambda self: any(self.begun.values()))
    @rule(name=st.sampled_from(SPOOLS))
    def give_up(self, name: str) -> None:
        """A begun call whose own record is lost."""
        writer, _ = self.writers[name]
        for number in sorted(self.begun[name]):
            try:
                writer.append_amend(AmendRecord(f"{number:032x}", "gateway", int(self.now_s * 1e9)))
            except Unavailable:
                return
            self.begun[name].discard(number)
            self.rows[number] = "gateway"

    @rule(name=st.sampled_from(SPOOLS), torn=st.binary(max_size=40))
    def kill_gateway(self, name: str, torn: bytes) -> None:
        """Nothing is closed; half a frame may have been written."""
        writer, _ = self.writers[name]
        end = writer._size - writer._left
        os.close(writer._fd)
        os.close(writer._lock_fd)
        if torn.strip(b"\0"):
            newest = segments(writer.folder)[-1]
            with newest.open("r+b") as file:
                file.seek(end)
                file.write(torn)
        self._open(name)
        for number in self.begun[name]:
            self.rows[number] = "gateway"
        self.begun[name].clear()

    def _open(self, name: str) -> None:
        for attempt in range(3):
            try:
                self.writers[name] = open_writer(
                    self.root / "spool" / name,
                    segment_bytes=SEGMENT_BYTES,
                    max_bytes=MAX_BYTES,
                    clock_ns=lambda: int(self.now_s * 1e9),
                )
            except Unavailable:
                # Full: a gateway cannot start again before something has been stored.
                assert attempt < 2
                self._settle(gone=False)
            else:
                return

    # -- the shipper -------------------------------------------------------------------------------------

    @rule(rounds=st.integers(1, 4))
    def ship(self, rounds: int) -> None:
        for _ in range(rounds):
            self._ship()

    @rule(step=st.integers(1, 30))
    def ship_and_die(self, step: int) -> None:
        try:
            with dying_at(step):
                self._ship()
        except Killed:
            self._drop_shipper()

    @rule(tries=st.integers(1, 5))
    def store_away(self, tries: int) -> None:
        """For an hour; the shipper tries again and again."""
        for _ in range(tries):
            self.now_s += 3600 / tries
            with mock.patch.object(delta, "commit_files", side_effect=OSError("the store is away")):
                try:
                    self._ship()
                except OSError as error:
                    assert str(error) == "the store is away"  # noqa: PT017

    @rule(by_s=st.sampled_from([-7200.0, -61.0, -0.5, 0.2, 30.0, 61.0, 7200.0]))
    def clock(self, by_s: float) -> None:
        self.now_s += by_s

    def _ship(self) -> int:
        if self.shipper is None:
            self.shipper = Shipper(
                self.root / "spool", self.root / "tables", clock=lambda: self.now_s, batch_frames=20
            )
        return self.shipper.run_once()

    def _drop_shipper(self) -> None:
        if self.shipper is not None:
            self.shipper.close()
            self.shipper = None

    def _settle(self, *, gone: bool = True) -> None:
        """Everything that the spools have goes into the tables."""
        for _ in range(3):
            while self._ship():
                pass
            self.now_s = max(self.now_s, START_NS / 1e9) + 4 * 3600
        if gone:
            self._holds()

    # -- what holds --------------------------------------------------------------------------------------

    @invariant()
    def adds_up(self) -> None:
        for name, (writer, _) in self.writers.items():
            account = account_of(self.root / "spool" / name)
            assert account is not None
            assert account.adds_up, account
            assert (account.lost, account.accepted) == (0, writer.accepted)

    def _holds(self) -> None:
        found = rows_of(self.root / "tables", LOGS, "CorrelationId", "Aborted")
        numbers = [int(i.replace("-", ""), 16) for i, _ in found]
        assert len(numbers) == len(set(numbers)), "a row is there twice"
        under_way = set().union(*self.begun.values())
        rows = {n: a for n, (_, a) in zip(numbers, found, strict=True) if n not in under_way}
        assert rows == {n: a for n, a in self.rows.items() if n not in under_way}
        metrics = rows_of(self.root / "tables", "AzureMetrics", "MetricName", "Total")
        finished = sum(1 for a in self.rows.values() if a != "gateway")
        assert sum(total for metric, total in metrics if metric == "Requests") >= finished


TestSpoolAndShipper = SpoolAndShipper.TestCase
TestSpoolAndShipper.settings = settings(
    max_examples=examples(12),
    stateful_step_count=18,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
