"""The sections of RESULTS.md: each measurement writes its own and leaves those of the others as they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from bench.processes import ROOT

RESULTS = ROOT / "bench" / "RESULTS.md"
_MARK = "\n## "
_NAMES = re.compile(r"[\w+.-]+://[^\s'\"`)]+|(?<![\w.])/[^\s'\"`)]+")


def renewed(results: str, title: str, part: Sequence[str]) -> str:
    """The results with this part (its lines, the heading `## title` among the first) in place of its older self."""
    before, found, rest = results.partition(f"{_MARK}{title}\n")
    behind = rest.find(_MARK) if found else -1
    lines = part if part and not part[0] else ["", *part]
    return before + "\n".join(lines) + "\n" + (rest[behind:] if behind >= 0 else "")


def kept(old: str, new: str) -> str:
    """`new` with the sections of `old` behind it that it does not write itself: others measured them, at other times."""
    own = set(_by_title(new))
    return new + "".join(text for title, text in _by_title(old).items() if title not in own)


def write(title: str, part: Sequence[str], command: str) -> None:
    """Puts a section into RESULTS.md, with the command that measured it and the time."""
    alone = f"Measured by `{command}` on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC."
    RESULTS.write_text(renewed(RESULTS.read_text(), title, [*part, "", alone]))


def nameless(reason: str) -> str:
    """What went wrong, in a line without addresses and without paths of this machine."""
    return _NAMES.sub("...", " ".join(reason.split()))[:300]


def _by_title(results: str) -> dict[str, str]:
    """Title to the whole text of its section, from the line feed before its heading on."""
    return {text.partition("\n")[0]: f"{_MARK}{text}" for text in results.split(_MARK)[1:]}
