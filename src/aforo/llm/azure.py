"""What Azure adds to OpenAI's wire: the verdicts of its content filters on prompt and answer."""

from __future__ import annotations

from typing import Any, NamedTuple

from aforo.llm.wire import Json, objects

_PROMPT = ("prompt_filter_results", "prompt_annotations")
_RESULT = ("content_filter_results", "content_filter_result")
_SEVERITIES = ("safe", "low", "medium", "high")


class Filtered(NamedTuple):
    """What became of prompt and answer: whether a filter has cut it (None: no filter spoke of it), and the names of
    the categories that were found in either."""

    prompt: bool | None
    completion: bool | None
    categories: tuple[str, ...]


def content_filter_results(answer: Json) -> Json | None:
    """`{"prompt": [...], "completion": [...]}`, one entry per prompt and choice; None where nothing was filtered.

    Also read from the error with which a prompt was refused (`error.innererror.content_filter_result`), and from the
    `content_filters` of the Responses API.
    """
    prompt = [r for name in _PROMPT for p in objects(answer.get(name)) if (r := _result(p))]
    completion = [r for c in objects(answer.get("choices")) if (r := _result(c))]
    for each in objects(answer.get("content_filters")):
        result = _result(each)
        if result:
            (prompt if each.get("source_type") == "prompt" else completion).append(result)
    error = answer.get("error")
    inner = error.get("innererror") if isinstance(error, dict) else None
    if isinstance(inner, dict) and (refused := _result(inner)):
        prompt.append(refused)
    out = {"prompt": prompt, "completion": completion}
    return {k: v for k, v in out.items() if v} or None


def filtered(results: Json | None) -> Filtered:
    """What `content_filter_results` amounts to."""
    if not results:
        return Filtered(None, None, ())
    cut: dict[str, bool | None] = {}
    found: dict[str, None] = {}
    for side in ("prompt", "completion"):
        verdicts = [(n, v) for r in objects(results.get(side)) for n, v in r.items() if isinstance(v, dict)]
        cut[side] = any(v.get("filtered") is True for _, v in verdicts) if side in results else None
        for name, verdict in verdicts:
            if _found(verdict):
                found[name] = None
    return Filtered(cut["prompt"], cut["completion"], tuple(sorted(found)))


def worse(one: Any, other: Any) -> Any:
    """Two verdicts on parts of one answer as the verdict on both: each chunk of a stream has its own."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return other if other is not None else one
    out = dict(one)
    for name, value in other.items():
        have = out.get(name)
        if isinstance(have, dict) and isinstance(value, dict):
            out[name] = worse(have, value)
        elif not (_rank(have) > _rank(value) if name == "severity" else have is True):
            out[name] = value
    return out


def _found(verdict: Json) -> bool:
    return (
        verdict.get("filtered") is True
        or verdict.get("detected") is True
        or _rank(verdict.get("severity")) > 0
    )


def _rank(severity: Any) -> int:
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else -1


def _result(of: Json) -> Any:
    for name in _RESULT:
        value = of.get(name)
        if isinstance(value, dict) and value:
            return value
    return None
