"""Coverage-guided fuzzing of the document parser and the expression compiler, with atheris (which is no dependency).

Not collected by pytest; tests/README.md says how it is run. What it looks for: an exception, a diagnostic without a
place in the text, a secret in a message, or a compile that takes very long.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["aforo"]):
    from aforo.policy.compile import CompileContext, compile_document
    from aforo.policy.document import parse
    from aforo.policy.named_values import NamedValue
    from aforo.policy.scopes import Scope
    from aforo.source import Source, render
    from tests.support.expressions import compiled

SLOWEST_S = 10.0
SECRET = "s3cr3t-value"
CONTEXT = CompileContext(
    {"name": NamedValue('v"<&', False), "expr": NamedValue("@(1)", False), "key": NamedValue(SECRET, True)},
    {"part": "<fragment><set-variable name='a' value='1'/></fragment>", "odd": "<fragment"},
)


def one(data: bytes) -> None:
    if not data:
        return
    text = data[1:].decode("utf-8", "surrogateescape" if data[0] & 8 else "replace")
    began = time.perf_counter()
    if data[0] & 1:
        expression("{" + text + "}" if data[0] & 2 else text.removeprefix("{"))
    else:
        document(text, "xml" if data[0] & 2 else "rawxml")
    taken = time.perf_counter() - began
    assert taken < SLOWEST_S, f"{taken:.1f} s"


def expression(text: str) -> None:
    outcome = compiled(text)
    assert outcome.expression is not None or any(d.is_error for d in outcome.diagnostics)


def document(text: str, format_: str) -> None:
    parse(text, format_)  # type: ignore[arg-type]
    source = Source("any", text)
    result = compile_document(source, Scope.API, CONTEXT, format=format_)  # type: ignore[arg-type]
    assert result.document is not None or result.diagnostics
    for diagnostic in result.diagnostics:
        assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(text)
        assert SECRET not in render(source, diagnostic) or SECRET in text


def seeds(folder: Path) -> None:
    """The first inputs: our documents whole, and what stands behind each `@` in them."""
    folder.mkdir(parents=True, exist_ok=True)
    policies = Path(__file__).parents[1] / "conformance" / "policies"
    for path in sorted(policies.glob("*.xml")):
        text = path.read_text(encoding="utf-8")
        (folder / path.name).write_bytes(b"\0" + text.encode())
        for at, piece in enumerate(text.split('"@(')[1:]):
            (folder / f"{path.stem}-{at}").write_bytes(b"\1" + piece.split(')"')[0].encode())
        for at, piece in enumerate(text.split("@{")[1:]):
            (folder / f"{path.stem}-block-{at}").write_bytes(b"\3" + piece.split('}"')[0].encode())


if __name__ == "__main__":
    corpus = next((a for a in sys.argv[1:] if not a.startswith("-")), None)
    if corpus is not None:
        seeds(Path(corpus))
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
