"""What Azure adds to OpenAI's wire: the verdicts of its content filters on prompt and answer."""

from __future__ import annotations

from typing import Any

from aforo.llm.wire import Json, objects

_PROMPT = ("prompt_filter_results", "prompt_annotations")
_RESULT = ("content_filter_results", "content_filter_result")


def content_filter_results(answer: Json) -> Json | None:
    """`{"prompt": [...], "completion": [...]}`, one entry per prompt and choice; None where nothing was filtered.

    Also read from the error with which a prompt was refused (`error.innererror.content_filter_result`).
    """
    prompt = [r for name in _PROMPT for p in objects(answer.get(name)) if (r := _result(p))]
    completion = [r for c in objects(answer.get("choices")) if (r := _result(c))]
    error = answer.get("error")
    inner = error.get("innererror") if isinstance(error, dict) else None
    if isinstance(inner, dict) and (refused := _result(inner)):
        prompt.append(refused)
    out = {"prompt": prompt, "completion": completion}
    return {k: v for k, v in out.items() if v} or None


def _result(of: Json) -> Any:
    for name in _RESULT:
        value = of.get(name)
        if isinstance(value, dict) and value:
            return value
    return None
