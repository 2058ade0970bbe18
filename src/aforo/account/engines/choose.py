"""Which engine an account gets, from what the operator said and what is installed. It starts nothing."""

from __future__ import annotations

from pathlib import Path

from aforo.account.engines.engine import Engine
from aforo.account.engines.llama import LlamaEngine, find_model
from aforo.account.engines.scripted import ScriptedEngine
from aforo.errors import Invalid, Unavailable


def choose_engine(wanted: str, *, threads: int = 1, log_path: Path | None = None) -> Engine:
    """`llama`, `scripted`, or `auto`: llama where its wheels are installed, else scripted with a note that says so.

    `Unavailable` when `llama` was asked for by name and is not installed; `Invalid` for any other word.
    """
    if wanted == "scripted":
        return ScriptedEngine()
    if wanted not in ("auto", "llama"):
        raise Invalid(f"{wanted!r} is no engine: auto, llama or scripted", target="engine")
    try:
        return LlamaEngine(find_model(), threads=threads, log_path=log_path)
    except Unavailable as missing:
        if wanted == "llama":
            raise
        note = f"No model answers here but a script that makes up words: {missing.message}."
        return ScriptedEngine(note=note)
