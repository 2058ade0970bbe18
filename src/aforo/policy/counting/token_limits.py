"""What `llm-token-limit` and `azure-openai-token-limit` share: the declaration but for the name, and how it compiles."""

from __future__ import annotations

from aforo.policy import diagnostics as say
from aforo.policy.counting.admission import Told
from aforo.policy.counting.telling import MOST, RETRY, header_of, number, variable_of
from aforo.policy.counting.token_admission import PERIODS, TokenNames, admit_tokens
from aforo.policy.emit import Emitter, Use
from aforo.policy.pipeline import Effects
from aforo.policy.scopes import INBOUND
from aforo.policy.spec import Attribute, Element

_EFFECTS = Effects(reads_request_body=True, meters=True)


def write(use: Use, emit: Emitter) -> None:
    key, per_minute = emit.value(use, "counter-key"), emit.value(use, "tokens-per-minute")
    quota, period = emit.value(use, "token-quota"), emit.value(use, "token-quota-period")
    estimate = emit.value(use, "estimate-prompt-tokens")
    reserve = emit.value(use, "reserve-completion-tokens")
    names = _names(use, emit)
    given = use.attributes
    if "tokens-per-minute" not in given and "token-quota" not in given:
        emit.report(say.at_least_one_of(use.span, use.name, ("tokens-per-minute", "token-quota")))
    for one, other in (("token-quota", "token-quota-period"), ("token-quota-period", "token-quota")):
        if one in given and other not in given:
            emit.report(say.goes_with(given[one].whole, one, other))
    if key is None or estimate is None:
        return
    emit.facts.effects |= _EFFECTS
    emit.site(use, key, per_minute, quota, period, estimate, reserve)
    emit.do("if x.request.body.data is None:\n    await x.request.body.read()")
    emit.do(
        "await ADMIT(x, SOURCE, KEY, MINUTE, QUOTA, PERIOD, ESTIMATE, NAMES, RESERVE)",
        ADMIT=admit_tokens,
        SOURCE=use.name,
        KEY=key,
        MINUTE=None if per_minute is None else number(emit, per_minute, "tokens-per-minute", 0, MOST),
        QUOTA=None if quota is None else number(emit, quota, "token-quota", 0, MOST),
        PERIOD=period,
        ESTIMATE=emit.flag(use, "estimate-prompt-tokens"),
        NAMES=names,
        RESERVE=None if reserve is None else number(emit, reserve, "reserve-completion-tokens", 0, MOST),
    )


def _names(use: Use, emit: Emitter) -> TokenNames:
    told = Told(
        header_of(use, emit, "retry-after-header-name", b"retry-after"),
        variable_of(use, emit, "retry-after-variable-name"),
    )
    return TokenNames(
        told,
        header_of(use, emit, "remaining-tokens-header-name"),
        variable_of(use, emit, "remaining-tokens-variable-name"),
        header_of(use, emit, "remaining-quota-tokens-header-name"),
        variable_of(use, emit, "remaining-quota-tokens-variable-name"),
        header_of(use, emit, "tokens-consumed-header-name"),
        variable_of(use, emit, "tokens-consumed-variable-name"),
    )


def _name(name: str, doc: str) -> Attribute:
    return Attribute(name, doc, "name", expressions=False)


_ATTRIBUTES = (
    Attribute("counter-key", "What is counted by: one counter per value, in all scopes.", required=True),
    Attribute(
        "tokens-per-minute",
        "How many tokens of prompts and answers a minute has; the next call is refused with 429.",
        "int",
    ),
    Attribute("token-quota", "How many tokens a period has; the next call is refused with 403.", "int"),
    Attribute(
        "token-quota-period",
        "The period: it begins with the hour, the day, the week (on Monday), the month or the year in UTC.",
        values=tuple(sorted(PERIODS)),
    ),
    Attribute(
        "estimate-prompt-tokens",
        "Whether the tokens of the prompt are estimated and must fit before the model is asked. Without it a call "
        "passes while anything is left. For streams it is always done.",
        "bool",
        default="false",
    ),
    Attribute(
        "reserve-completion-tokens",
        "An extension: each call reserves the most that it can spend, and gives back what it did not spend. That is its "
        "prompt and the bound that the request sets for its answer, or so many tokens where it sets none. Calls at the "
        "same time then never pass a limit together. Azure does not know the attribute.",
        "int",
    ),
    *RETRY,
    _name("remaining-tokens-header-name", "A header of the answer that says what is left of the minute."),
    _name("remaining-tokens-variable-name", "A variable that holds what is left of the minute."),
    _name(
        "remaining-quota-tokens-header-name", "A header of the answer that says what is left of the period."
    ),
    _name("remaining-quota-tokens-variable-name", "A variable that holds what is left of the period."),
    _name(
        "tokens-consumed-header-name",
        "A header of the answer that says what the call has spent; of a stream the estimated prompt.",
    ),
    _name(
        "tokens-consumed-variable-name",
        "A variable that holds the estimated prompt, and from outbound on what the call has spent.",
    ),
)


def element(name: str, doc: str) -> Element:
    """The policy under that name; each name has counters of its own."""
    return Element(name, doc, write, sections=INBOUND, attributes=_ATTRIBUTES)
