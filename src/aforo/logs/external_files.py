"""Files outside that queries read (`externaldata`): who allows one, and fetching them before the question is asked again.

The query's process finds out what it needs and has no network; here the same rule is applied once more, to each
address and to each redirect. What is fetched lives as long as the question.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urljoin

import msgspec

from aforo.errors import Refusal, Timeout
from aforo.kql.masking import shown
from aforo.logs.question import FileOutside, Outcome, QueryAnswer, QueryRequest
from aforo.model.external_files import address, refusal

# (address, seconds, bytes at most) to (status, header fields by lower-case name, body); raises refusals.
Get = Callable[[str, float, int], Awaitable[tuple[int, Mapping[str, str], bytes]]]
Query = Callable[[QueryRequest], Awaitable[QueryAnswer]]

# Of all files of a question, as they come.
LARGEST_BYTES = 64_000_000
LONGEST_S = 30.0
MOST_REDIRECTS = 5
# As many questions hold files at a time: each may be as large as the limit, here and in its process.
_AT_ONCE = 4


class _OutsideError(Exception):
    """A file cannot be had; the text says why, without secrets."""


def outside(asked: Sequence[tuple[str, Sequence[str]]]) -> Callable[[str], str]:
    """The judge of addresses for a place: each of the workspaces that are asked, (name, its `externalData`), must allow
    a file. It says why one may not be read; "" when it may."""

    def judge(url: str) -> str:
        if not asked:
            return "only a query that is sent to a workspace of a running system reads files outside"
        for workspace, entries in asked:
            if reason := refusal(url, entries):
                if address(url)[0] is None:
                    return reason
                return (
                    f"{reason} under `externalData` of the workspace {workspace!r}; whoever administers the workspace "
                    "can put the file's address there, or that of a folder above it with / at its end"
                )
        return ""

    return judge


def allowed(request: QueryRequest, url: str) -> bool:
    """Whether any place that the question may name lets the file be read."""
    others = [((o.names[0], o.external),) for o in request.others]
    return any(not outside(place)(url) for place in (request.external, *others))


@dataclass(slots=True)
class FilesOutside:
    """Fetches what questions want. `get` is the egress room's; None where nothing is ever fetched."""

    get: Get | None = None
    largest_bytes: int = LARGEST_BYTES
    longest_s: float = LONGEST_S
    _places: asyncio.Semaphore = field(init=False, default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def answered(self, query: Query, request: QueryRequest) -> QueryAnswer:
        """The answer to a question, asked again with the files that it turns out to want."""
        began = time.monotonic()
        answer = await query(request)
        if not answer.wanted:
            return answer
        try:
            async with asyncio.timeout(request.timeout_s - (time.monotonic() - began)), self._places:
                files: dict[str, FileOutside] = {}
                while answer.wanted:
                    files |= await self._fetched(request, answer.wanted, files)
                    left_s = max(0.001, request.timeout_s - (time.monotonic() - began))
                    answer = await query(
                        msgspec.structs.replace(request, files=tuple(files.values()), timeout_s=left_s)
                    )
        except _OutsideError as error:
            return QueryAnswer(outcome=Outcome.RUNTIME, message=str(error))
        except TimeoutError:
            return QueryAnswer(
                outcome=Outcome.TIMEOUT, message=f"The query did not end within {request.timeout_s:g} s."
            )
        return answer

    async def _fetched(
        self, request: QueryRequest, wanted: Sequence[str], held: Mapping[str, FileOutside]
    ) -> dict[str, FileOutside]:
        left = self.largest_bytes - sum(len(f.body) for f in held.values())
        out: dict[str, FileOutside] = {}
        for url in wanted:
            try:
                async with asyncio.timeout(self.longest_s):
                    out[url] = file = await self._file(request, url, left)
            except TimeoutError:
                raise _OutsideError(self._said(url, f"it did not come within {self.longest_s:g} s")) from None
            left -= len(file.body)
        return out

    async def _file(self, request: QueryRequest, url: str, most_bytes: int) -> FileOutside:
        at = url
        for _ in range(MOST_REDIRECTS + 1):
            if self.get is None or not allowed(request, at):
                where = "" if at == url else f"it leads to {shown(at)!r}, and "
                raise _OutsideError(self._said(url, f"{where}no asked workspace allows that"))
            try:
                status, headers, body = await self.get(at, self.longest_s, most_bytes)
            except Timeout as refused:
                raise _OutsideError(
                    self._said(url, f"it did not come within {self.longest_s:g} s")
                ) from refused
            except Refusal as refused:
                raise _OutsideError(self._said(url, _reason(refused, most_bytes))) from refused
            if status == 200:
                return FileOutside(url, body, headers.get("content-encoding", ""))
            location = headers.get("location", "")
            if status not in (301, 302, 303, 307, 308) or not location:
                # Not the answer's own text: storage services tell the signature in it.
                raise _OutsideError(self._said(url, f"its server answers with {status}"))
            try:
                at = urljoin(at, location)
            except ValueError:
                raise _OutsideError(self._said(url, "its redirect leads nowhere")) from None
        raise _OutsideError(self._said(url, f"it is redirected more than {MOST_REDIRECTS} times"))

    def _said(self, url: str, why: str) -> str:
        return f"{shown(url)} (externaldata) could not be read: {why}."


def _reason(refused: Refusal, most_bytes: int) -> str:
    if "larger than" in refused.message:
        return f"the files of a query have {LARGEST_BYTES:,} bytes at most, and it is larger than the {most_bytes:,} left"
    return refused.message
