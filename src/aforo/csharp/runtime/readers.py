"""StringReader and StringWriter: text read and written piece by piece."""

from __future__ import annotations

from typing import Any, Final

from aforo.csharp.runtime.builders import StringBuilder, builder_append, builder_append_line
from aforo.csharp.runtime.exceptions import ArgumentNullException
from aforo.csharp.runtime.limits import made, work
from aforo.csharp.runtime.objects import Obj
from aforo.csharp.runtime.strings import string_format
from aforo.csharp.types import TypeDecl, declare, member


class Reader(Obj):
    __slots__ = ("at", "source")
    net_name = "System.IO.StringReader"

    def __init__(self, source: str | None) -> None:
        if source is None:
            raise ArgumentNullException("Value cannot be null.\r\nParameter name: s")
        self.source = source
        self.at = 0


class Writer(Obj):
    __slots__ = ("builder",)
    net_name = "System.IO.StringWriter"

    def __init__(self, builder: StringBuilder | None = None) -> None:
        self.builder = StringBuilder() if builder is None else builder

    def text(self, _spec: str | None = None) -> str:
        return self.builder.text()


def read_to_end(reader: Reader) -> str:
    rest = made(reader.source[reader.at :])
    reader.at = len(reader.source)
    return rest


def read_line(reader: Reader) -> str | None:
    source, start = reader.source, reader.at
    if start >= len(source):
        return None
    ends = [at for at in (source.find("\n", start), _find_return(source, start)) if at >= 0]
    end = min(ends, default=len(source))
    work(1 + ((end - start) >> 8))
    reader.at = end + (2 if source.startswith("\r\n", end) else 1)
    return made(source[start:end])


def _find_return(source: str, start: int) -> int:
    # Only as far as the next line feed: a text without returns is not searched to its end for every line.
    end = source.find("\n", start)
    return source.find("\r", start, end if end >= 0 else len(source))


def peek_char(reader: Reader) -> int:
    return ord(reader.source[reader.at]) if reader.at < len(reader.source) else -1


def read_char(reader: Reader) -> int:
    code = peek_char(reader)
    reader.at += code >= 0
    return code


def dispose(_value: Any) -> None:
    """Nothing is held."""


def builder_of(writer: Writer) -> StringBuilder:
    return writer.builder


def write(writer: Writer, value: Any) -> None:
    builder_append(writer.builder, value)


def write_line(writer: Writer, value: Any = None) -> None:
    builder_append(writer.builder, value)
    builder_append_line(writer.builder)


def write_format(writer: Writer, template: str, args: list[Any]) -> None:
    builder_append(writer.builder, string_format(template, args))


def write_line_format(writer: Writer, template: str, args: list[Any]) -> None:
    write_format(writer, template, args)
    builder_append_line(writer.builder)


TYPES: Final[tuple[TypeDecl, ...]] = (
    declare(
        "TextReader",
        member("string ReadToEnd()", read_to_end),
        member("string? ReadLine()", read_line),
        member("int Read()", read_char),
        member("int Peek()", peek_char),
        member("void Close()", dispose),
        member("void Dispose()", dispose),
        namespace="System.IO",
        bases=("IDisposable",),
        python=Reader,
    ),
    declare("StringReader", member("new(string s)", Reader), namespace="System.IO", bases=("TextReader",), python=Reader),
    declare(
        "TextWriter",
        member("void Write(object value)", write),
        member("void Write(string format, params object[] arg)", write_format),
        member("void WriteLine()", write_line),
        member("void WriteLine(object value)", write_line),
        member("void WriteLine(string format, params object[] arg)", write_line_format),
        member("void Flush()", dispose),
        member("void Close()", dispose),
        member("void Dispose()", dispose),
        namespace="System.IO",
        bases=("IDisposable",),
        python=Writer,
    ),
    declare(
        "StringWriter",
        member("new()", Writer),
        member("new(StringBuilder sb)", Writer),
        member("StringBuilder GetStringBuilder()", builder_of),
        namespace="System.IO",
        bases=("TextWriter",),
        python=Writer,
    ),
)  # fmt: skip
