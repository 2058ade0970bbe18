"""The attributes that limits share: under which names they tell how they stand, and what they count. It admits nobody."""

from __future__ import annotations

from typing import Any

from aforo.policy import diagnostics as say
from aforo.policy.counting.admission import Later, Told, counted
from aforo.policy.emit import Emitter, Use, Value
from aforo.policy.running import header_name, whole_number
from aforo.policy.spec import Attribute

MOST = 10**12
LONGEST_S = 10**9

RETRY = (
    Attribute(
        "retry-after-header-name",
        "The header of a refusal that says after how many seconds to try again; `Retry-After` without it.",
        "name",
        expressions=False,
    ),
    Attribute(
        "retry-after-variable-name",
        "A variable that holds the same seconds, set when the limit is exceeded.",
        "name",
        expressions=False,
    ),
)

CALLS = (
    *RETRY,
    Attribute(
        "remaining-calls-header-name",
        "A header of the answer that says how many calls are left.",
        "name",
        expressions=False,
    ),
    Attribute(
        "remaining-calls-variable-name",
        "A variable that holds the number of calls that are left.",
        "name",
        expressions=False,
    ),
    Attribute(
        "total-calls-header-name", "A header of the answer that says `calls`.", "name", expressions=False
    ),
)

CONDITION = Attribute(
    "increment-condition",
    "Whether the call counts. An expression is evaluated when the answer is there; the limit is not asked again then.",
    "bool",
)
COUNT = Attribute(
    "increment-count",
    "By how much the call counts. An expression is evaluated when the answer is there.",
    "int",
    default="1",
)
AFTER = Attribute(
    "increment-after-response",
    "Whether the call counts only when its answer is there, also where nothing depends on the answer.",
    "bool",
    default="false",
    expressions=False,
)


def header_of(use: Use, emit: Emitter, attribute: str, default: bytes = b"") -> bytes:
    """The header that an attribute names, as the wire has it; a name that is none is reported."""
    if attribute not in use.attributes:
        return default
    value = emit.value(use, attribute)
    if value is None or value.const is None:
        return default
    try:
        return header_name(value.const.strip())
    except Exception:  # noqa: BLE001 - whatever it says, it is no header's name
        emit.report(say.bad_value(value.span, attribute, "the name of a header"))
        return default


def variable_of(use: Use, emit: Emitter, attribute: str) -> str:
    """The variable that an attribute names, "" for none."""
    value = emit.value(use, attribute) if attribute in use.attributes else None
    return (value.const or "").strip() if value is not None else ""


def told(use: Use, emit: Emitter) -> Told:
    """The names of a limit of calls."""
    return Told(
        header_of(use, emit, "retry-after-header-name", b"retry-after"),
        variable_of(use, emit, "retry-after-variable-name"),
        header_of(use, emit, "remaining-calls-header-name"),
        variable_of(use, emit, "remaining-calls-variable-name"),
        header_of(use, emit, "total-calls-header-name"),
    )


class Increment:
    """`increment-condition` and `increment-count` of a use: `values` for its site, then `code` after it."""

    def __init__(self, use: Use, emit: Emitter) -> None:
        self.condition = emit.condition(use, "increment-condition")
        self.count = emit.value(use, "increment-count")
        self.values: tuple[Value | None, ...] = (self.condition, self.count)
        self.after = "increment-after-response" in use.attributes and emit.flag(use, AFTER.name) is True

    def code(self, emit: Emitter, site: Any) -> Any:
        """A number that is known now, or a `Later`."""
        condition, count = self.condition, self.count
        amount: Any = (
            1 if count is None or count.const is None else number(emit, count, "increment-count", 0, MOST)
        )
        known_count = count is None or count.const is not None
        if (condition is None or condition.const is not None) and known_count and not self.after:
            return 0 if condition is not None and condition.const == "false" else amount
        if not known_count and count is not None:
            amount = emit.expr("F(V, 'increment-count', 0, MOST)", F=whole_number, V=count, MOST=MOST)
        effects = [v.effects for v in (condition, count) if v is not None]
        return emit.expr(
            "LATER(lambda: COUNTED(CONDITION, AMOUNT), SITE, READS)",
            LATER=Later,
            COUNTED=counted,
            CONDITION=True if condition is None else condition,
            AMOUNT=amount,
            SITE=site,
            READS=any(e.reads_response_body for e in effects),
        )


def number(emit: Emitter, value: Value, name: str, low: int, high: int) -> Any:
    """A whole number: as such where it is known, else code that gives it."""
    if value.const is None:
        return emit.number(value, name, low, high)
    known = int(value.const)
    if not low <= known <= high:
        emit.report(say.bad_value(value.span, name, f"between {low} and {high}"))
    return known
