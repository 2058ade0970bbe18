"""What `externaldata` asks for: files outside, and how they are read. It fetches nothing and reads no bytes: the caller
does, and gives the rows as a table of texts under `key`.
"""

from __future__ import annotations

from dataclasses import dataclass

# Kusto's ingestion formats that are read here, and those that are not.
FORMATS = (
    "csv",
    "tsv",
    "psv",
    "scsv",
    "sohsv",
    "txt",
    "raw",
    "json",
    "multijson",
    "singlejson",
)
UNREAD = ("tsve", "parquet", "avro", "apacheavro", "orc", "w3clogfile", "sstream", "zip")
# What the end of a file's name says of its format, where that is not its name.
_ENDINGS = {"log": "w3clogfile"}
PACKED = (".gz",)


@dataclass(frozen=True, slots=True)
class ExternalFile:
    """One file: its address, secrets included, and its format (one of FORMATS)."""

    url: str
    form: str


@dataclass(frozen=True, slots=True)
class ExternalData:
    """The files of one `externaldata`, one behind the other. `columns` are (name, whether a value of JSON stays JSON
    text): a table of texts with them is to lie under `key`, where what a file does not have is empty. `mapping` is an
    ingestion mapping (JSON text)."""

    key: str
    columns: tuple[tuple[str, bool], ...]
    files: tuple[ExternalFile, ...]
    skip_first: bool = False
    mapping: str = ""


def form_of(url: str) -> str:
    """The format that a file's name tells; csv where it tells none."""
    name = url.partition("?")[0].partition(";")[0].rpartition("/")[2].lower()
    for packed in PACKED:
        name = name.removesuffix(packed)
    ending = name.rpartition(".")[2] if "." in name else ""
    ending = _ENDINGS.get(ending, ending)
    return ending if ending in (*FORMATS, *UNREAD) else "csv"
