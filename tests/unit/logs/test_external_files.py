"""Fetching files for a query: the leave once more, redirects, limits, secrets, and what the audit row keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from aforo.errors import Denied, Timeout, Upstream
from aforo.identity.access import Principal
from aforo.logs.audit import Asked, audit_row
from aforo.logs.external_files import FilesOutside
from aforo.logs.question import Outcome, QueryAnswer, QueryRequest
from tests.support.asked_files import InProcessPool

FOLDER = "https://files.example/lists/"
SECRET = "?sv=1&sig=very"


class Web:
    """Answers by address, and what was asked for."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[int, Mapping[str, str], bytes] | Exception] = {}
        self.asked: list[str] = []
        self.pause_s = 0.0

    async def get(self, url: str, _timeout_s: float, most_bytes: int) -> tuple[int, Mapping[str, str], bytes]:
        self.asked.append(url)
        await asyncio.sleep(self.pause_s)
        page = self.pages.get(url, (404, {}, b"nothing here, sig=very"))
        if isinstance(page, Exception):
            raise page
        if len(page[2]) > most_bytes:
            raise Upstream(f"the answer is larger than {most_bytes} bytes")
        return page


@pytest.fixture
def web() -> Web:
    return Web()


def ask(tmp_path: Path, web: Web, text: str, files: FilesOutside | None = None, **more: Any) -> QueryAnswer:
    pool = InProcessPool(tmp_path)
    asked: dict[str, Any] = {"workspace_ids": ("w",), "now_us": 0, "external": (("lab", (FOLDER,)),)}
    request = QueryRequest(text=text, **(asked | more))
    return asyncio.run((files or FilesOutside(web.get)).answered(pool.query, request))


def read(*names: str) -> str:
    return f"externaldata(a:string)[{', '.join(repr(FOLDER + n) for n in names)}]"


def test_files_are_fetched_and_asked_about(tmp_path: Path, web: Web) -> None:
    web.pages = {f"{FOLDER}a.csv{SECRET}": (200, {}, b"1\n"), f"{FOLDER}b.csv": (200, {}, b"2\n")}
    answer = ask(
        tmp_path, web, f"union ({read('a.csv' + SECRET)}), ({read('b.csv', 'b.csv')}) | sort by a asc"
    )
    assert (answer.outcome, answer.rows) == (Outcome.OK, b'["1"],["2"],["2"]')
    assert sorted(web.asked) == [f"{FOLDER}a.csv{SECRET}", f"{FOLDER}b.csv"]


def test_nothing_is_fetched_without_leave_or_for_other_queries(tmp_path: Path, web: Web) -> None:
    assert ask(tmp_path, web, read("a.csv"), external=(("lab", ()),)).outcome is Outcome.INVALID
    assert ask(tmp_path, web, "print 1").outcome is Outcome.OK
    assert web.asked == []


def test_what_a_query_process_wants_is_judged_here_too(web: Web) -> None:
    async def hijacked(_request: QueryRequest) -> QueryAnswer:
        return QueryAnswer(outcome=Outcome.FILES, wanted=("https://evil.example/x?sig=very",))

    request = QueryRequest(workspace_ids=("w",), text="", now_us=0, external=(("lab", (FOLDER,)),))
    answer = asyncio.run(FilesOutside(web.get).answered(hijacked, request))
    assert answer.outcome is Outcome.RUNTIME
    assert web.asked == []


@pytest.mark.parametrize(
    ("location", "read_in_the_end"),
    [
        ("b.csv", True),
        (f"{FOLDER}b.csv{SECRET}", True),
        ("https://evil.example/lists/b.csv?sig=very", False),
        ("http://files.example/lists/b.csv", False),
        ("../b.csv", False),
        ("https://files.example:444/lists/b.csv", False),
        ("//evil.example/lists/b.csv", False),
        ("file:///etc/passwd", False),
    ],
)
def test_redirects_lead_to_what_is_allowed_only(
    tmp_path: Path, web: Web, location: str, read_in_the_end: bool
) -> None:
    web.pages = {
        f"{FOLDER}a.csv": (302, {"location": location}, b""),
        f"{FOLDER}b.csv": (200, {}, b"1\n"),
        f"{FOLDER}b.csv{SECRET}": (200, {}, b"1\n"),
    }
    answer = ask(tmp_path, web, read("a.csv"))
    assert (answer.outcome is Outcome.OK) is read_in_the_end
    assert len(web.asked) == 1 + read_in_the_end
    if not read_in_the_end:
        assert "it leads to" in answer.message
        assert "very" not in answer.message


def test_redirects_in_a_circle_end(tmp_path: Path, web: Web) -> None:
    web.pages = {f"{FOLDER}a.csv": (302, {"location": "a.csv"}, b"")}
    assert "redirected more than 5 times" in ask(tmp_path, web, read("a.csv")).message
    assert len(web.asked) == 6


@pytest.mark.parametrize(
    ("page", "what"),
    [
        ((404, {}, b""), "answers with 404"),
        ((403, {}, b"<Error>very secret signature</Error>"), "answers with 403"),
        ((302, {}, b""), "answers with 302"),
        ((206, {}, b"1"), "answers with 206"),
        (
            Denied("outbound connections to the private address 10.0.0.1 need leave"),
            "private address 10.0.0.1",
        ),
        (Upstream("no connection to files.example:443"), "no connection"),
        (Timeout("no answer"), "did not come within 30 s"),
    ],
)
def test_what_cannot_be_read_is_said_without_secrets(tmp_path: Path, web: Web, page: Any, what: str) -> None:
    web.pages = {f"{FOLDER}a.csv{SECRET}": page}
    answer = ask(tmp_path, web, read(f"a.csv{SECRET}"))
    assert answer.outcome is Outcome.RUNTIME
    assert what in answer.message
    assert f"{FOLDER}a.csv (externaldata)" in answer.message
    assert "very" not in answer.message


def test_size_counts_over_all_files(tmp_path: Path, web: Web) -> None:
    web.pages = {FOLDER + n: (200, {}, b"x" * 60) for n in ("a", "b")}
    files = FilesOutside(web.get, largest_bytes=100)
    assert ask(tmp_path, web, read("a"), files).outcome is Outcome.OK
    answer = ask(tmp_path, web, read("a", "b"), files)
    assert (answer.outcome, "bytes at most" in answer.message) == (Outcome.RUNTIME, True)


def test_time_is_bounded_for_a_file_and_for_the_question(tmp_path: Path, web: Web) -> None:
    web.pause_s = 5.0
    answer = ask(tmp_path, web, read("a"), FilesOutside(web.get, longest_s=0.05))
    assert (answer.outcome, "within 0.05 s" in answer.message) == (Outcome.RUNTIME, True)
    assert ask(tmp_path, web, read("a"), timeout_s=0.3).outcome is Outcome.TIMEOUT


def test_the_audit_row_keeps_no_secret() -> None:
    text = "externaldata(a:string)['https://h/x.csv?sv=1&sig=very', h'https://h/very']"
    asked = Asked(Principal("o", "c", "n"), "id", "app", "t", (), (), text, None, 0.0, 1.0, 200)
    kept = audit_row(asked, None, "t", "w")["QueryText"]
    assert "very" not in kept
    assert kept.startswith("externaldata(a:string)['https://h/x.csv?****")
