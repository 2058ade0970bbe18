"""What a request asks of a model at most, before the model is asked: for limits that reserve it. It knows no policy."""

from __future__ import annotations

from aforo.llm.wire import Json

# Chat of both generations, responses, and other providers' words for the same.
_BOUNDS = ("max_completion_tokens", "max_tokens", "max_output_tokens", "max_tokens_to_sample")
_INSIDE = (("generationConfig", "maxOutputTokens"), ("inferenceConfig", "maxTokens"))
_TIMES = ("n", "best_of")


def completion_bound(request: Json, otherwise: int) -> int:
    """How many tokens its answer has at most, of all choices together; `otherwise` for each where it does not say."""
    found = [_count(request.get(name)) for name in _BOUNDS]
    for outer, inner in _INSIDE:
        inside = request.get(outer)
        found.append(_count(inside.get(inner)) if isinstance(inside, dict) else None)
    bound = next((n for n in found if n is not None), otherwise)
    times = max([1, *(_count(request.get(name)) or 1 for name in _TIMES)])
    return bound * times


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < 2**31 else None
