"""What a request asks of a model at most, before the model is asked: for limits that reserve it. It knows no policy."""

from __future__ import annotations

from aforo.llm.wire import Json

# Chat of both generations, responses, and other providers' words for the same.
_BOUNDS = ("max_completion_tokens", "max_tokens", "max_output_tokens", "max_tokens_to_sample")
_INSIDE = (("generationConfig", "maxOutputTokens"), ("inferenceConfig", "maxTokens"))
# Where the path says which wire it is, the words of others bind nobody.
_OF_WIRES = (
    ("/chat/completions", ("max_completion_tokens", "max_tokens")),
    ("/completions", ("max_tokens",)),
    ("/responses", ("max_output_tokens",)),
)
_TIMES = ("n", "best_of")
_MOST = 2**31


def completion_bound(request: Json, otherwise: int, path: str = "") -> int:
    """How many tokens its answer has at most, of all choices together; `otherwise` for each where it does not say.

    Of several bounds the largest: which of them a model's server heeds is not known. What is a number only to some
    readers (`"5"`, 5.0) does not lower the bound.
    """
    names = next((names for end, names in _OF_WIRES if path.endswith(end)), None)
    values: list[object] = [request.get(name) for name in names or _BOUNDS]
    if names is None:
        values += [
            inside.get(inner) for outer, inner in _INSIDE if isinstance(inside := request.get(outer), dict)
        ]
    sure = [n for n in map(_count, values) if n is not None]
    doubtful = [n for n in map(_read, values) if n is not None]
    bound: int = max([*sure, *doubtful, *([] if sure and not doubtful else [otherwise])])
    times: int = max([1, *(_count(v) or _read(v) or 1 for v in map(request.get, _TIMES))])
    return bound * times


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < _MOST else None


def _read(value: object) -> int | None:
    """What a lenient reader takes for a count."""
    if not isinstance(value, str | float) or (isinstance(value, str) and len(value) > 20):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return int(number) if 0 <= number < _MOST else None
