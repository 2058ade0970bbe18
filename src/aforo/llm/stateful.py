"""What model services keep for their callers: which operations make, name and list such things, and the ids in bodies.
It keeps nothing itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aforo.llm.wire import Json, objects

# The collections, by the end of a template: what may follow their name is an id, and something of that thing.
_COLLECTIONS = (
    "responses",
    "chat/completions",
    "files",
    "files/import",
    "batches",
    "fine_tuning/jobs",
    "fine-tunes",
    "uploads",
    "vector_stores",
    "conversations",
    "assistants",
    "threads",
    "threads/runs",
    "evals",
)
_TEMPLATE = re.compile(
    r"(?:^|.*/)(?P<collection>"
    + "|".join(map(re.escape, _COLLECTIONS))
    + r")(?:/(?P<id>\{[^}/*]+\})(?P<rest>/.*)?)?/?$"
)
_PARAMETER = re.compile(r"(?:^|/)(?:" + "|".join(map(re.escape, _COLLECTIONS)) + r")/\{([^}/*]+)\}")
# Where requests name what was made before.
_NAMES_ONE = frozenset(
    (
        "previous_response_id",
        "input_file_id",
        "training_file",
        "validation_file",
        "file_id",
        "conversation",
        "assistant_id",
        "thread_id",
    )
)
_NAMES_MANY = frozenset(("file_ids", "vector_store_ids"))
# What callers name as they like: notes of their own, and the parameters of their tools.
_CALLERS_OWN = frozenset(("metadata", "parameters"))
# `{"type": "file_id", "id": ...}` names a file too.
_SOURCE = "file_id"
# Where a body may name one of them: in any case, or with an escape that stands for a letter. Two searches with a plain
# beginning each take a tenth of the time of one without.
_NAMES = sorted(_NAMES_ONE | _NAMES_MANY)
_FIRST = "".join(sorted({name[0] + name[0].upper() for name in _NAMES}))
_MAY_NAME = re.compile(f'"(?=[{_FIRST}])(?i:{"|".join(_NAMES)})"'.encode())
_MAY_TAKE_UP = re.compile(rb'"(?i:id)"')
_ESCAPED_LETTER = re.compile(rb"\\u00[4-7]")
# Files of a tool's container: they live and die within a response, and nobody is told when they are made.
_FLEETING = ("cfile_", "cntr_", "container")
# Where answers name what was made beside.
_MADE_BESIDE = ("output_file_id", "error_file_id", "thread_id")
_MADE_LISTS = ("result_files",)
_DAY_S = 86_400
_LIVES_S = {"responses": 31 * _DAY_S, "chat/completions": 31 * _DAY_S}
_LONGEST_S = 400 * _DAY_S


@dataclass(frozen=True, slots=True)
class Stateful:
    """An operation on kept things. `parameters` are the template's names of the ids of such."""

    collection: str
    parameters: tuple[str, ...]
    makes: bool
    lists: bool

    @property
    def lives_s(self) -> int:
        """How long it is remembered whose a thing is, longer than services keep it."""
        return _LIVES_S.get(self.collection, _LONGEST_S)

    @property
    def streams_in(self) -> bool:
        """Whether requests are files, which nobody here reads."""
        return self.makes and self.collection in ("files", "uploads")

    @property
    def asks_model(self) -> bool:
        """Whether what is made is a model's answer, kept where the request wants it."""
        return self.makes and self.collection in ("responses", "chat/completions")


def stateful_of(method: str, template: str) -> Stateful | None:
    """What an operation does with kept things, by its template; None where it does nothing with any."""
    path = template.partition("?")[0]
    found = _TEMPLATE.match(path)
    if found is None or "/containers/" in path:
        return None
    verb, whole = method.upper(), not found["id"]
    parameters = tuple(m[1] for m in _PARAMETER.finditer(template))
    return Stateful(found["collection"], parameters, verb == "POST" and whole, verb == "GET" and whole)


def is_kept(collection: str, request: Json) -> bool:
    """Whether a model's answer to that request is kept: responses are unless told not to, completions are when told to."""
    return request.get("store") is not False if collection == "responses" else request.get("store") is True


def named_in(body: bytes, *, form: bool = False) -> list[str]:
    """The ids of earlier things that any reader may find named in a request's body, each once: of equal names each is
    looked at, and names are compared without case. `form`: the request says that it is a form.

    ValueError for what another reader may see more in: a body that names some, and is no JSON, or that is no UTF-8.
    """
    if form and body.startswith(b"--"):
        return []
    if b"\0" in body:
        raise ValueError("it is not in UTF-8")
    if _MAY_NAME.search(body) is None and _ESCAPED_LETTER.search(body) is None:
        return []
    try:
        return named_ids(json.loads(body.decode("utf-8-sig"), object_pairs_hook=_Pairs))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def taken_up_in(body: bytes) -> list[str]:
    """The ids of single items of earlier answers that a request to a model takes up (`item_reference`), each once;
    [] where the body is no JSON: `named_in` has judged that."""
    if _MAY_TAKE_UP.search(body) is None and _ESCAPED_LETTER.search(body) is None:
        return []
    try:
        request = json.loads(body.decode("utf-8-sig"), object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        return []
    return list(dict.fromkeys(_references(_value_of("input", request))))


def _references(entries: Iterator[Any]) -> Iterator[str]:
    for listed in entries:
        for item in listed if isinstance(listed, list) and not isinstance(listed, _Pairs) else ():
            # The type of a reference may be left out; whatever else an item has, it says itself what it is.
            types = list(_value_of("type", item))
            if "item_reference" in types or (isinstance(item, _Pairs) and len(item) == 1):
                yield from _texts_of("id", item)


def _value_of(wanted: str, value: Any) -> Iterator[Any]:
    """What an object has under a name, in any case, each of its equal names."""
    if isinstance(value, _Pairs):
        yield from (each for name, each in value if name.lower() == wanted)


class _Pairs(list[tuple[str, Any]]):
    """An object with all its pairs, those with equal names too."""


def named_ids(request: Any) -> list[str]:
    """The ids of earlier things that a request names, each once."""
    return list(dict.fromkeys(_ids(request)))


def _ids(value: Any) -> Iterator[str]:
    if isinstance(value, _Pairs | dict):
        pairs = value if isinstance(value, _Pairs) else value.items()
        for written, each in pairs:
            name = written.lower()
            if name in _CALLERS_OWN:
                continue
            if name == "type" and each == _SOURCE:
                yield from _texts_of("id", value)
            if name in _NAMES_ONE:
                found = [each] if isinstance(each, str) else list(_texts_of("id", each))
                if any(found):
                    yield from (i for i in found if i and not i.startswith(_FLEETING))
                    continue
            if name in _NAMES_MANY and isinstance(each, list) and not isinstance(each, _Pairs):
                yield from (e for e in each if isinstance(e, str) and not e.startswith(_FLEETING))
            else:
                yield from _ids(each)
    elif isinstance(value, list):
        for each in value:
            yield from _ids(each)


def _texts_of(wanted: str, value: Any) -> Iterator[str]:
    """The texts that an object has under a name, in any case, each of its equal names."""
    if isinstance(value, _Pairs | dict):
        pairs = value if isinstance(value, _Pairs) else value.items()
        yield from (text for name, text in pairs if name.lower() == wanted and isinstance(text, str))


def made_ids(answer: Json) -> list[str]:
    """The ids in a thing that was made, or that was asked for: its own, and of what came of it (a batch's files)."""
    names = [answer.get("id"), *(answer.get(n) for n in _MADE_BESIDE)]
    file = answer.get("file")  # of an upload that is complete
    if isinstance(file, dict):
        names.append(file.get("id"))
    for name in _MADE_LISTS:
        listed = answer.get(name)
        names += listed if isinstance(listed, list) else []
    return [n for n in names if isinstance(n, str) and n]


def without(listing: Json, mine: frozenset[str]) -> Json:
    """A page of a list with nothing in it but what is in `mine`."""
    data = [each for each in objects(listing.get("data")) if each.get("id") in mine]
    out = {**listing, "data": data}
    if "first_id" in listing:
        out["first_id"] = data[0].get("id") if data else None
    if "last_id" in listing and data:
        # What is left out may stand at the end: whoever asks for the next page asks from there.
        out["last_id"] = listing["last_id"] if listing.get("has_more") else data[-1].get("id")
    return out
