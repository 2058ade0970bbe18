"""The sections of RESULTS.md: each measurement writes its own and leaves those of the others as they are."""

from __future__ import annotations

from collections.abc import Sequence

from bench.processes import ROOT

RESULTS = ROOT / "bench" / "RESULTS.md"
_MARK = "\n## "


def renewed(results: str, part: Sequence[str]) -> str:
    """The results with this part in place of its older self; its lines begin with an empty one and its heading."""
    heading = next(line for line in part if line)
    assert heading.startswith("## "), heading
    before, found, rest = results.partition(f"\n{heading}\n")
    behind = rest.find(_MARK) if found else -1
    return before + "\n".join(part) + "\n" + (rest[behind:] if behind >= 0 else "")


def kept(old: str, new: str) -> str:
    """`new` with the sections of `old` behind it that it does not write itself: others measured them, at other times."""
    own = set(_by_title(new))
    return new + "".join(text for title, text in _by_title(old).items() if title not in own)


def write(part: Sequence[str]) -> None:
    """Puts a section into RESULTS.md, in place of its older self or at the end."""
    RESULTS.write_text(renewed(RESULTS.read_text(), part))


def _by_title(results: str) -> dict[str, str]:
    """Title to the whole text of its section, from the line feed before its heading on."""
    return {text.partition("\n")[0]: f"{_MARK}{text}" for text in results.split(_MARK)[1:]}
