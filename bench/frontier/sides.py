"""The systems of one part of a run: all started, each with its port, its CPU, and for Aforo the count of its rows."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

from bench import proxies
from bench.frontier import upstreams
from bench.processes import exact_cpu_s
from bench.system import configuration
from tests.support.certificates import certificate
from tests.support.system import System, running_system

DIRECT, AFORO, AFORO_2 = "direct", "Aforo", "Aforo, 2 workers"
NGINX, NGINX_LOG = proxies.NGINX, proxies.NGINX_LOG
ENVOY, ENVOY_LOG = proxies.ENVOY, proxies.ENVOY_LOG
ALL = (DIRECT, NGINX, NGINX_LOG, ENVOY, ENVOY_LOG, AFORO, AFORO_2)
RECORDING = (DIRECT, NGINX_LOG, ENVOY_LOG, AFORO)
SIZES = (32 << 10, 256 << 10, 5 << 20)
# Two gateways, their upstream and the load want a processor each.
PROCESSORS_FOR_TWO = 4
_ROWS_S = 60.0


FAILED = (RuntimeError, OSError, AssertionError)


@dataclass(frozen=True, slots=True)
class Scale:
    """How long a run of the whole is: seconds of one load (of most parts), runs of the same load."""

    seconds: float
    runs: int
    quick: bool = False


class AbsentError(Exception):
    """A system that this machine, or this environment, does not have."""


class Side:
    """One system while it runs. `tls_port` 0: it speaks no https here."""

    def __init__(self, name: str, port: int, pids: Sequence[int], *, tls_port: int = 0, ca: str = "") -> None:
        self.name = name
        self.port = port
        self.tls_port = tls_port
        self.ca = ca
        self.key = "none"
        self._pids = pids

    def cpu_s(self) -> float:
        """CPU of the processes that calls go through."""
        return sum(exact_cpu_s(pid) for pid in self._pids)

    def settle(self, answered: int, under_way: int = 0) -> float:
        """To be called after each load: seconds until all of it is recorded, where calls are."""
        del answered, under_way
        return 0.0


class AforoSide(Side):
    """Aforo: after each load the rows are counted. `under_way`: calls whose end the load did not wait for."""

    def __init__(self, name: str, system: System) -> None:
        def port(address: str) -> int:
            return int(address.rpartition(":")[2])

        super().__init__(
            name,
            port(system.gateway),
            system.pids("gateway"),
            tls_port=port(system["gateway_tls"]),
            ca=system.ca,
        )
        self.key = system.key
        self.system = system
        self.answered = 0
        self.rows = 0

    def settle(self, answered: int, under_way: int = 0) -> float:
        """Waits for a row of each call; RuntimeError when one is missing, or one is too many."""
        self.answered += answered
        expected = self.rows + answered
        began = time.monotonic()
        while (seen := self.count()) < expected:
            if time.monotonic() - began > _ROWS_S:
                raise RuntimeError(f"{expected} calls were answered, and {seen} rows can be queried")
            time.sleep(0.1)
        took_s = time.monotonic() - began
        while under_way:
            # How many more there are nobody knows: until no more come.
            time.sleep(0.5)
            before, seen = seen, self.count()
            if seen == before:
                break
        if seen > expected + under_way:
            raise RuntimeError(f"{expected} calls were answered, and {seen} rows can be queried")
        self.rows = seen
        return took_s

    def count(self) -> int:
        """Rows that can be queried now."""
        (found,) = self.system.query("ApiManagementGatewayLogs | summarize n = count()")
        return int(found["n"])


@dataclass(slots=True)
class Place:
    """Where a part starts its systems, and what it says of those that were not there."""

    folder: Path
    absent: dict[str, str] = field(default_factory=dict)
    calls: int = 0
    rows: int = 0

    @contextmanager
    def sides(self, wanted: Sequence[str]) -> Iterator[list[Side]]:
        """Those of them that can be started, in that order; what cannot is named in `absent`."""
        with ExitStack() as stack:
            files = certificate(self.folder, "neighbour", ip="127.0.0.1")
            scripted = stack.enter_context(upstreams.scripted(self.folder))
            upstream = stack.enter_context(upstreams.fast(self.folder, scripted.port, SIZES))
            started: list[Side] = []
            for name in wanted:
                for attempt in (1, 2):
                    try:
                        started.append(self._start(stack, name, upstream.port, upstream.pid, files))
                    except (AbsentError, *FAILED) as error:
                        # A port that was free may be taken a moment later; what is not there is not there again.
                        if isinstance(error, AbsentError) or attempt == 2:
                            self.absent[name] = str(error).partition("\n")[0]
                            break
                    else:
                        break
            yield started
            for side in started:
                if isinstance(side, AforoSide):
                    self.calls += side.answered
                    self.rows += side.count()

    def _start(
        self, stack: ExitStack, name: str, upstream_port: int, upstream_pid: int, files: tuple[Path, Path]
    ) -> Side:
        if name == DIRECT:
            return Side(name, upstream_port, [upstream_pid])
        if name in (AFORO, AFORO_2):
            workers = 2 if name == AFORO_2 else 1
            count = os.cpu_count() or 1
            if workers == 2 and count < PROCESSORS_FOR_TWO:
                raise AbsentError(
                    f"this machine has {count} processors; two workers beside their upstream, the load and what stores "
                    "the records would measure each other"
                )
            # A folder of its own for each start: a system goes on with what it finds, also with an upstream that is gone.
            place = Path(mkdtemp(prefix=f"aforo-{workers}-", dir=self.folder))
            return AforoSide(name, stack.enter_context(aforo(place, upstream_port, workers)))
        make = proxies.nginx if name in (NGINX, NGINX_LOG) else proxies.envoy
        proxy = make(self.folder, upstream_port, records=name in (NGINX_LOG, ENVOY_LOG), files=files)
        stack.enter_context(proxy.process)
        return Side(name, proxy.process.port, [proxy.process.pid], tls_port=proxy.tls_port, ca=str(files[0]))


@contextmanager
def aforo(folder: Path, upstream_port: int, workers: int = 1) -> Iterator[System]:
    """The lab, with that upstream as its only model."""
    config = configuration(folder, upstream_port)
    with running_system(folder, engine="scripted", config=config, workers=workers) as system:
        yield system
