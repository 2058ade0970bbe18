"""What a query process is asked and what it answers, as plain values and as frames on a pipe.

The one vocabulary that engine, pool and APIs share. It knows no process, no engine and no HTTP.
"""

from __future__ import annotations

import struct
from enum import StrEnum
from typing import Any

import msgspec

# Log Analytics' limits of one answer (Azure Monitor service limits, "Log queries").
ROW_LIMIT = 500_000
BYTE_LIMIT = 64_000_000

US_PER_S = 1_000_000


class Outcome(StrEnum):
    """How a query ended. Everything but OK has no rows."""

    OK = "ok"
    INVALID = "invalid"  # the author's mistake: see `mistakes`
    RUNTIME = "runtime"  # the data did not allow it (an overflow): `message` says what
    TIMEOUT = "timeout"
    MEMORY = "memory"
    CANCELLED = "cancelled"
    FAILED = "failed"  # a bug of ours: `message` carries the id that the log has
    FILES = "files"  # not begun: the files of `wanted` must come with the question


class TimeRange(msgspec.Struct, array_like=True, frozen=True):
    """Closed range of `TimeGenerated` in unix microseconds; None is open."""

    start_us: int | None = None
    end_us: int | None = None

    def meet(self, other: TimeRange) -> TimeRange:
        """The range that both allow."""
        starts = [s for s in (self.start_us, other.start_us) if s is not None]
        ends = [e for e in (self.end_us, other.end_us) if e is not None]
        return TimeRange(max(starts, default=None), min(ends, default=None))


class QueryRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One question. `readable` are the tables that the asker may see per workspace (None: all); others do not
    exist for him. With `describe` the answer is the schema of those tables, one row per column, and `text` is
    not looked at.

    `resource_scopes` are lower-case ARM ids: with them only rows of those resources and of what lies below
    them are seen. `now_us` is the query's `now()`, unix microseconds.

    `custom` are the tables that the workspaces declare: per table its columns as (name, type, what it holds).
    `functions` are saved functions: name to KQL text. `withheld` are columns per table that the asker may not
    read, by the action `withheld_action`; `admitted` are alternatives per table of which a row must meet one, each
    of column name to value (`_ResourceId`: that resource or what lies below it); no entry: all rows.
    `names` are those of the place that is asked, for `workspace("...")`; `others` are further workspaces that the text
    names, whose tables stand in the other fields as `id/table`. `source` are rows that the query is about, as
    the only table. `external` are the workspaces that are asked by name, each with the files outside that it lets be
    read (`model.external_files`), `files` those that were fetched.
    """

    workspace_ids: tuple[str, ...]
    text: str
    now_us: int
    timespan: TimeRange | None = None
    parameters: dict[str, str] = {}
    readable: dict[str, tuple[str, ...]] | None = None
    describe: bool = False
    resource_scopes: tuple[str, ...] = ()
    timeout_s: float = 180.0
    row_limit: int = ROW_LIMIT
    byte_limit: int = BYTE_LIMIT
    custom: dict[str, tuple[tuple[str, str, str], ...]] = {}
    functions: dict[str, str] = {}
    withheld: dict[str, tuple[str, ...]] = {}
    withheld_action: str = ""
    admitted: dict[str, tuple[dict[str, str], ...]] = {}
    source: SourceRows | None = None
    names: tuple[str, ...] = ()
    others: tuple[OtherWorkspace, ...] = ()
    external: tuple[tuple[str, tuple[str, ...]], ...] = ()
    files: tuple[FileOutside, ...] = ()


class FileOutside(msgspec.Struct, array_like=True, frozen=True):
    """A file that a query reads, as it came: its address with all secrets, its `Content-Encoding`."""

    url: str
    body: bytes
    encoding: str = ""


class OtherWorkspace(msgspec.Struct, array_like=True, frozen=True):
    """A workspace beside those that are asked: its id, all that the query may call it, its saved functions, the files
    outside that it lets be read."""

    id: str
    names: tuple[str, ...]
    functions: dict[str, str] = {}
    external: tuple[str, ...] = ()

    def key(self, table: str) -> str:
        """What its table is called in a request."""
        return f"{self.id}/{table}"


class SourceRows(msgspec.Struct, array_like=True, frozen=True):
    """Rows in a request. `columns` are name and Kusto type; `rows` is a JSON array of arrays of cells: bool, numbers
    and text as they are, datetime as unix microseconds, timespan as ticks, dynamic as JSON text, null. The answer has
    its cells in the same form when it is to be `exact`: Log Analytics' own does not tell a dynamic text from JSON."""

    columns: tuple[tuple[str, str], ...]
    rows: bytes
    name: str = "source"
    exact: bool = False


class ResultColumn(msgspec.Struct, array_like=True, frozen=True):
    """A column of an answer; `type` is Kusto's name of it."""

    name: str
    type: str


# The answer to `describe`: one row per column of each table.
SCHEMA_COLUMNS = tuple(
    ResultColumn(name, kind)
    for name, kind in (
        ("TableName", "string"),
        ("TableDoc", "string"),
        ("HasData", "bool"),
        ("ColumnName", "string"),
        ("ColumnType", "string"),
        ("ColumnDoc", "string"),
    )
)


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    """A diagnostic with its place: `start` and `end` in characters, `line` and `column` from 1."""

    code: str
    severity: str
    message: str
    start: int
    end: int
    line: int
    column: int
    token: str
    hints: tuple[str, ...] = ()


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """What a query cost. Times in seconds, `files` and `rows` as (looked at, in the tables)."""

    compile_s: float = 0.0
    execution_s: float = 0.0
    cpu_s: float = 0.0
    peak_bytes: int = 0
    files: tuple[int, int] = (0, 0)
    rows: tuple[int, int] = (0, 0)
    size_bytes: int = 0


class QueryAnswer(msgspec.Struct, kw_only=True):
    """The answer. `rows` is JSON text: the rows as arrays, separated by commas, without outer brackets.

    Cells are Log Analytics': datetime, timespan, guid, decimal and dynamic are strings, NaN and infinities
    too; bool, int, long and real are JSON's own. `cut` says which limit ended the rows ("rows", "bytes", "").
    `wanted` are the addresses of the files that the query reads, when they are not there.
    """

    outcome: Outcome
    columns: tuple[ResultColumn, ...] = ()
    row_count: int = 0
    rows: bytes = b""
    cut: str = ""
    render: dict[str, Any] | None = None
    mistakes: tuple[Mistake, ...] = ()
    message: str = ""
    tables: tuple[str, ...] = ()
    statistics: Statistics = Statistics()
    wanted: tuple[str, ...] = ()

    @property
    def errors(self) -> tuple[Mistake, ...]:
        return tuple(m for m in self.mistakes if m.severity == "error")


class Ask(msgspec.Struct, frozen=True, tag=True):
    """To the process: answer this."""

    number: int
    request: QueryRequest


class Cancel(msgspec.Struct, frozen=True, tag=True):
    """To the process: nobody waits for this any more."""

    number: int


class Ready(msgspec.Struct, frozen=True, tag=True):
    """From the process: warm, `pid` listens."""

    pid: int


class Reply(msgspec.Struct, frozen=True, tag=True):
    """From the process: the answer (its rows travel behind the head). `leaving`: it ends itself after this."""

    number: int
    answer: QueryAnswer
    leaving: bool = False


# A frame: length of the head, length of the body, head (MessagePack), body (rows as they are).
FRAME = struct.Struct("<IQ")

_encoder = msgspec.msgpack.Encoder()
_to_process: msgspec.msgpack.Decoder[Ask | Cancel] = msgspec.msgpack.Decoder(Ask | Cancel)
_from_process: msgspec.msgpack.Decoder[Ready | Reply] = msgspec.msgpack.Decoder(Ready | Reply)


def pack(message: Ask | Cancel | Ready | Reply) -> tuple[bytes, bytes]:
    """(head with its lengths, body) of a message."""
    body = b""
    if isinstance(message, Reply):
        body, message.answer.rows = message.answer.rows, b""
    head = _encoder.encode(message)
    return FRAME.pack(len(head), len(body)) + head, body


def unpack_to_process(head: bytes) -> Ask | Cancel:
    """What the pool said."""
    return _to_process.decode(head)


def unpack_from_process(head: bytes, body: bytes) -> Ready | Reply:
    """What a process said."""
    message = _from_process.decode(head)
    if isinstance(message, Reply):
        message.answer.rows = body
    return message
