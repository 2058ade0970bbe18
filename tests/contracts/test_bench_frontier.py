"""The frontier's bench: what it tries next, what it reads, what it writes of what it found, and that its loop is open."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench import figures, load, open_loop, proxies
from bench.frontier import __main__ as frontier
from bench.frontier import bodies, https, mixed, rates, sides, slow_disk, throughput, waiting
from bench.frontier.search import HIGHEST, LOWEST, Search
from bench.frontier.sides import Scale
from bench.load import Load
from bench.neighbours import ANSWER
from bench.processes import ROOT


def seen(took_us: list[int], *, rate: float = 100.0, failed: int = 0, unanswered: int = 0) -> open_loop.Seen:
    calls = len(took_us) + unanswered
    return open_loop.Seen(rate, calls, 1.0, failed, 0, unanswered, 0, 0.1, 0.05, took_us, list(took_us))


def searched(p99_ms_at_capacity: float, capacity: float, limits: tuple[float, ...]) -> Search:
    """A search on a system whose p99 grows towards its capacity, where it breaks."""
    return went_on(Search(limits), p99_ms_at_capacity, capacity)


def went_on(search: Search, p99_ms_at_capacity: float, capacity: float) -> Search:
    while (rate := search.next()) is not None:
        search.note(
            rate, float("inf") if rate >= capacity else p99_ms_at_capacity * (rate / capacity) ** 3 + 0.1
        )
    return search


@pytest.mark.parametrize("capacity", [130.0, 900.0, 3_000.0, 14_000.0])
def test_each_limit_is_found_to_the_precision_that_was_asked(capacity: float) -> None:
    limits = (1.0, 5.0, 10.0, 50.0)
    first = searched(60.0, capacity, limits)
    # Found again where the system has become somewhat slower, or faster, with fewer rates.
    for change, search in ((1.0, first), (0.9, first.again()), (1.2, first.again())):
        went_on(search, 60.0, capacity * change)
        for limit in limits:
            exact = change * capacity * ((limit - 0.1) / 60.0) ** (1 / 3)
            held = search.held(limit)
            if exact < LOWEST:
                assert held is None
                continue
            assert held is not None
            assert exact / 1.3 <= held < exact
        assert len(search.points) <= 16


def test_what_never_breaks_is_tried_up_to_the_highest_rate_and_what_always_does_down_to_the_lowest() -> None:
    search = searched(0.1, float("inf"), (1.0, 50.0))
    assert search.held(1.0) == HIGHEST
    assert search.is_open(1.0)
    search = searched(1.0, LOWEST, (1.0, 50.0))
    assert search.held(50.0) is None
    assert min(search.points) == LOWEST


def test_failed_calls_hold_no_rate_and_late_ones_are_counted_from_when_they_were_meant() -> None:
    assert seen([100] * 100).is_whole
    assert not seen([100] * 100, failed=1).is_whole
    assert not seen([100] * 100, unanswered=1).is_whole
    assert seen([1_000] * 99 + [50_000]).ms(0.99) == 50.0
    assert open_loop.quantile_ms([], 0.5) == float("inf")
    with pytest.raises(RuntimeError, match="ECONNREFUSED"):
        open_loop.read({"failed": "ECONNREFUSED: refused"}, 5)


class Stalling(http.server.BaseHTTPRequestHandler):
    """Answers at once, but for one pause of 300 ms in which nobody is answered."""

    protocol_version = "HTTP/1.1"
    stalled = threading.Lock()
    until = 0.0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(max(0.0, type(self).until - time.monotonic()))
        self.send_response(200)
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER.encode())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def stalling() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stalling)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_stall_is_the_latency_of_every_call_that_came_meanwhile() -> None:
    with stalling() as port:
        process = open_loop.start(port, 100, 1.0, connections=2)
        Stalling.until = time.monotonic() + 1.0
        found = open_loop.finish(process, 100)
    assert found.is_whole
    assert found.answered == found.calls
    # With two connections a closed loop would have seen two slow calls; a third of all came while nobody was answered.
    slow = sum(took > 50_000 for took in found.took_us)
    assert slow > 10


def test_a_port_where_nobody_listens_is_an_error_with_its_name() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "bench.generator"],
        input=json.dumps(
            {
                "port": 1,
                "rate": 10,
                "seconds": 0.1,
                "warm_s": 0,
                "head": "",
                "body": "",
                "connections": 1,
                "ca": "",
                "seed": 1,
                "first_byte": False,
            }
        ),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    with pytest.raises(RuntimeError, match="ECONNREFUSED"):
        open_loop.read(json.loads(said.stdout), 10)


@pytest.mark.parametrize("size", [1 << 10, 32 << 10, 256 << 10])
def test_bodies_are_chat_calls_of_the_size_that_is_said(size: int) -> None:
    assert abs(len(open_loop.padded(size)) - size) < 700
    assert json.loads(open_loop.padded(size))["messages"][1]["role"] == "user"
    assert abs(len(open_loop.padded_answer(ANSWER, size)) - size) < 700
    assert json.loads(open_loop.padded_answer(ANSWER, size))["usage"]["total_tokens"] == 109


def test_envoy_that_records_has_a_limit_and_both_bodies_and_a_bare_one_has_neither(tmp_path: Path) -> None:
    files = (tmp_path / "chain", tmp_path / "key")
    bare = json.dumps(proxies.envoy_configuration(1, 2))
    recording = json.dumps(
        proxies.envoy_configuration(1, 2, log=tmp_path / "calls.log", tls_port=3, files=files)
    )
    for word in (
        "local_ratelimit",
        "envoy_on_response",
        "DYNAMIC_METADATA(bodies:answer)",
        "DownstreamTlsContext",
    ):
        assert word in recording
        assert word not in bare


def test_a_line_of_a_proxys_log_counts_once_when_it_is_whole(tmp_path: Path) -> None:
    said = json.loads(load.BODY)["messages"][1]["content"]
    line = json.dumps({"status": 200, "request": load.BODY}, separators=(",", ":")).encode()
    log = proxies.CallLog(tmp_path / "calls.log", said.encode())
    assert log.count() == 0
    with log.path.open("wb") as file:
        file.write(line + b"\n" + line.replace(b"200", b"429") + b"\n" + b'{"status":200,"request":"-"}\n')
        file.write(line[:40])
        file.flush()
        assert log.count() == 1
        file.write(line[40:] + b"\n" + line + b"\n")
    assert [log.count(), log.count()] == [3, 3]


def test_what_was_not_measured_leaves_no_rows() -> None:
    for found, markdown in (
        (throughput.Throughput(), throughput.markdown),
        (rates.Rates(), rates.markdown),
        (bodies.Bodies(), bodies.markdown),
        (mixed.Mixed(), mixed.markdown),
        (waiting.Waiting(), waiting.markdown),
        (https.Encrypted(), https.markdown),
        (slow_disk.SlowDisk(), slow_disk.markdown),
    ):
        text = "\n".join(markdown(found))  # type: ignore[operator]
        assert "nginx |" not in text
        assert "| Aforo" not in text


def test_tables_have_medians_their_spread_and_what_failed() -> None:
    found = rates.Rates(seconds=1.0)
    for took in (1_000, 3_000, 2_000):
        run = seen([took] * 100, failed=1)
        found.runs.setdefault((sides.AFORO, 500), []).append((run, 60.0))
    (line,) = [line for line in rates.markdown(found) if line.startswith("| Aforo")]
    assert (
        line
        == "| Aforo | 500 | 2.00 (1.00 to 3.00) | 2.00 (1.00 to 3.00) | 3.00 | 3.00 | 60.0 (60.0 to 60.0) | 3 |".replace(
            "60.0 (60.0 to 60.0)", "60 (60 to 60)"
        )
    )
    large = bodies.Bodies()
    large.runs[sides.NGINX_LOG, 5 << 20] = [(Load(10, 1.0, 0, 0, 5.0, 9.0), 20_000.0)]
    large.runs[sides.AFORO, 5 << 20] = [(Load(20, 1.0, 0, 1, 5.0, 9.0), 30_000.0)]
    (line,) = [line for line in bodies.markdown(large) if line.startswith("| Aforo")]
    assert line == "| Aforo | 5 MB | 20.0 | 210 | 5.00 | 9.00 | 30,000 | 1.50 | 1 |"


def lines(name: str, text: list[str]) -> list[list[str]]:
    """Cells of the rows of that system."""
    return [
        [cell.strip() for cell in line.split("|")[2:-1]] for line in text if line.startswith(f"| {name} |")
    ]


def test_every_figure_has_its_runs_and_what_is_added_has_them_turn_by_turn() -> None:
    runs = [[1_000] * 99 + [3_000], [1_200] * 100, [1_100] * 98 + [9_000] * 2]
    slow = waiting.Waiting(seconds=2.0)
    slow.runs[sides.DIRECT, 50] = [(seen([took] * 100), 10.0) for took in (900, 1_000, 950)]
    slow.runs[sides.AFORO, 50] = [(seen(run), 10.0) for run in runs]
    (cells,) = lines(sides.AFORO, waiting.markdown(slow))
    assert cells[1:5] == ["1.10 (1.00 to 1.20)", "3.00 (1.20 to 9.00)", "9.00", "0.15 (0.10 to 0.20)"]
    assert "3 runs of 2 s" in "\n".join(waiting.markdown(slow))
    beside = mixed.Mixed(
        {(sides.AFORO, True): [seen(run) for run in runs]}, {sides.AFORO: [seen([]), seen([40_000])]}
    )
    (cells,) = lines(sides.AFORO, mixed.markdown(beside))
    assert cells[1:6] == ["1.10 (1.00 to 1.20)", "3.00 (1.20 to 9.00)", "9.00", "9.00", "40.0"]
    tls = https.Encrypted()
    for scheme, cpu_us in (("http", (50.0, 60.0, 55.0)), ("https", (65.0, 70.0, 69.0))):
        tls.fast[sides.AFORO, scheme] = [(Load(10, 1.0, 0, 0, 5.0, 9.0), cpu) for cpu in cpu_us]
        tls.paced[sides.AFORO, scheme] = [seen(run) for run in runs]
    plain, secret = lines(sides.AFORO, https.markdown(tls))
    assert plain[2] == ""
    assert secret[2] == "14.0 (10.0 to 15.0)"
    assert secret[5] == "3.00 (1.20 to 9.00)"
    disk = slow_disk.SlowDisk({"as it is": [(seen(run), 0.5) for run in runs]}, 8.0)
    (cells,) = lines("as it is", slow_disk.markdown(disk))
    assert cells == [
        "1.10 (1.00 to 1.20)",
        "3.00 (1.20 to 9.00)",
        "9.00",
        "9.00",
        "300",
        "0",
        "0.5 (0.5 to 0.5)",
    ]


def test_a_whole_measurement_has_five_runs_of_everything_and_each_part_its_time() -> None:
    assert frontier.FULL.runs == 5
    assert frontier.QUICK.runs == 1
    (searches,) = [part for part in frontier.PARTS if part.name == "throughput"]
    assert searches.limit_s > throughput.ENOUGH_S


def test_a_rate_that_the_generator_could_not_exceed_is_said_to_be_at_least() -> None:
    found = throughput.Throughput(seconds=1.0)
    search = Search(throughput.LIMITS_MS, points={1_000.0: 0.5, 2_000.0: float("inf")})
    found.searches[sides.NGINX] = [search]
    found.searches[sides.AFORO] = [Search(throughput.LIMITS_MS, points={500.0: 0.5, 600.0: float("inf")})]
    found.own_end[sides.NGINX] = {2_000.0}
    text = throughput.markdown(found)
    assert "| nginx |" + " at least 1,000 |" * 4 in text
    assert "| Aforo |" + " 500 |" * 4 in text


def test_searches_in_which_no_rate_held_are_told() -> None:
    found = throughput.Throughput(seconds=1.0)
    slow = Search(throughput.LIMITS_MS, points={50.0: 7.0})
    fast = Search(throughput.LIMITS_MS, points={50.0: 0.5, 60.0: float("inf")})
    found.searches[sides.AFORO] = [slow, fast, slow]
    (line,) = [line for line in throughput.markdown(found) if line.startswith("| Aforo |")]
    assert "| Aforo | below 50 (below 50 to 50) |" in line
    assert line.endswith("| 50 (50 to 50) |")
    found.searches[sides.AFORO] = [slow, slow]
    assert "| Aforo | below 50 | below 50 |" in "\n".join(throughput.markdown(found))


def test_a_part_that_fails_or_takes_too_long_says_so_and_leaves_what_it_had() -> None:
    def fails(place: sides.Place, _scale: Scale, found: list[str]) -> None:
        found.append("half of it")
        raise RuntimeError(f"no row\n{place.folder} and more")

    def sleeps(_place: sides.Place, _scale: Scale, _found: list[str]) -> None:
        time.sleep(5)

    part = frontier.Part("x", "Some part", 60.0, list, fails, list)
    text = "\n".join(frontier.run(part, frontier.QUICK))
    assert "### Some part\n\nhalf of it\n\n**This part was not finished.** RuntimeError: no row" in text
    assert "and more" not in text
    began = time.monotonic()
    text = "\n".join(frontier.run(frontier.Part("x", "Late", 0.1, list, sleeps, list), frontier.QUICK))
    assert "it took longer than 0.1 s" in text
    assert time.monotonic() - began < 3


def test_figures_are_written_with_the_digits_that_they_deserve() -> None:
    assert figures.number(12_345.6) == "12,346"
    assert figures.number(12.345) == "12.3"
    assert figures.number(0.123) == "0.12"
    assert figures.number(float("inf")) == "none"
    assert figures.spread([3.0, 1.0, 2.0]) == "2.00 (1.00 to 3.00)"
    assert figures.spread([]) == ""
    assert figures.number(-0.001) == "0.00"
    assert figures.ratio([2.0], [4.0]) == "0.50"
    assert figures.ratio([2.0, 6.0, 4.0], [4.0, 4.0, 4.0]) == "1.00 (0.50 to 1.50)"
    assert figures.ratio([2.0, 6.0], [2.0, 6.0]) == "1.00"
    assert figures.ratio([], [4.0]) == ""
    assert figures.ratio([1.0], [0.0]) == ""
    assert figures.ratio([0.0, 0.0], [0.0, 0.0]) == ""
    # A turn that one side has not counts on neither.
    assert figures.difference([2.0, 6.0, 900.0], [1.0, 3.0]) == "2.00 (1.00 to 3.00)"
    assert figures.size(5 << 20) == "5 MB"
    assert figures.size(32 << 10) == "32 KB"
