"""What a call costs: prices dated by model, the shipped ones (prices.toml) and those of a configuration. It reads no
clock; a price that is not known is None, never zero."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import msgspec

from aforo.llm.usage import Usage

CURRENCY = "USD"
# Of a call without a tier, or with one of these, the plain price counts.
_PLAIN_TIERS = frozenset(("", "default", "auto", "standard"))
_VERSION = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{4})$")
# What Azure's versions of a model may be beyond that (`turbo-2024-04-09` and `1106-Preview` of gpt-4, `vision-preview`): there
# the answer has the bare name, and only the deployment knows.
_AZURE_VERSION = re.compile(r"-(?:turbo-)?(?:\d{4}-\d{2}-\d{2}|\d{4})(?:-preview)?|-vision-preview")
# As answers call it, Azure's older ones and OpenAI's.
_ALSO = dict.fromkeys(("ada", "text-embedding-ada-002-v2"), "text-embedding-ada-002")
# Prices are for a million tokens: as whole numbers of 10^-12 of a token's price they add up without rounding.
_PICO = 10**6
ONE = 10**12
_DAY_NS = 86_400 * 10**9
_FIRST_DAY = date(1970, 1, 1).toordinal()
_MOST_REMEMBERED = 4_096

K = TypeVar("K")
V = TypeVar("V")


class Price(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a million tokens of a model cost from a day on. None: not known, but for `cached_input`, which is `input`
    then. `first` is ISO 8601 ("": always), `tier` the `service_tier` that it is for."""

    model: str
    first: str = ""
    currency: str = CURRENCY
    input: float | None = None
    cached_input: float | None = None
    output: float | None = None
    audio_input: float | None = None
    audio_output: float | None = None
    image_input: float | None = None
    image_output: float | None = None
    tier: str = ""


class Cost(NamedTuple):
    """`pico` are 10^-12 of a unit of the currency; `basis` names the row that it was reckoned by."""

    pico: int
    currency: str
    basis: str

    @property
    def amount(self) -> float:
        return self.pico / ONE


class _Rate:
    """A price made ready to reckon with, in 10^-12 of the currency for a token; `basis` names its row."""

    __slots__ = ("_parts", "_plain", "basis", "currency")

    def __init__(self, price: Price, basis: str) -> None:
        self.currency = price.currency
        self.basis = basis
        said = _pico(price.output)
        # What has no price of its own costs what it is a part of, but for audio, whose price then is not known.
        self._parts = (
            _pico(price.input),
            _pico(price.input if price.cached_input is None else price.cached_input),
            _pico(price.audio_input),
            _pico(price.input if price.image_input is None else price.image_input),
            said,
            _pico(price.audio_output),
            _pico(price.image_output),
        )
        self._plain = None if self._parts[0] is None or said is None else (self._parts[0], said)

    def reckon(self, usage: Usage) -> int | None:
        """What was cached is a part of the prompt, what was reasoned of the answer; providers that count reasoning
        beside the answer have it in the total. None where a price is missing for some of it."""
        if self._plain is not None and _is_plain(usage):
            of_prompt, of_answer = self._plain
            return usage.prompt * of_prompt + usage.completion * of_answer
        audio, image = usage.prompt_audio or 0, usage.prompt_image or 0
        cached = min(usage.cached or 0, max(0, usage.prompt - audio - image))
        said = max(usage.completion, usage.total - usage.prompt) if usage.reasoning else usage.completion
        said_audio = usage.completion_audio or 0
        said_image = usage.completion_image or 0 if self._parts[-1] is not None else 0
        tokens = (
            usage.prompt - cached - audio - image,
            cached,
            audio,
            image,
            said - said_audio - said_image,
            said_audio,
            said_image,
        )
        total = 0
        for count, each in zip(tokens, self._parts, strict=True):
            if count <= 0:
                continue
            if each is None:
                return None
            total += count * each
        return total


def _is_plain(usage: Usage) -> bool:
    return not (
        usage.cached
        or usage.reasoning
        or usage.prompt_audio
        or usage.prompt_image
        or usage.completion_audio
        or usage.completion_image
    )


def _pico(per_million: float | None) -> int | None:
    return None if per_million is None else round(per_million * _PICO)


class PriceList:
    """The prices of one configuration: its own before the shipped ones, and what its deployments are models of."""

    def __init__(self, own: Iterable[Price] = (), deployments: Mapping[str, str] | None = None) -> None:
        self._own = _by_model(own)
        self._deployments = deployments or {}
        self._names: dict[tuple[str, str, str], tuple[str, ...]] = {}
        self._found: dict[tuple[tuple[str, ...], int, str], _Rate | None] = {}
        self._rates: dict[tuple[str, str, str, int, str], _Rate | None] = {}

    def models(self, answered: str, asked: str, backend_id: str) -> tuple[str, ...]:
        """What the model may be called, the surest name first.

        `answered` is the answer's model, `asked` the deployment or model that the client named. Azure answers some
        deployments with a model's bare name: then what the deployment was declared with says more. Of another model than
        the answer's nothing can be known by it: that is what an answer that names none is taken for.
        """
        key = answered, asked, backend_id
        known = self._names.get(key)
        if known is None:
            known = _remember(self._names, key, self._candidates(*key))
        return known

    def cost(self, models: Sequence[str], usage: Usage, at_ns: int, tier: str = "") -> Cost | None:
        """What that usage cost at that time; None where no price of any of the names is known."""
        key = tuple(models), at_ns // _DAY_NS, tier
        rate = self._found[key] if key in self._found else _remember(self._found, key, self._find(*key))
        if rate is None:
            return None
        pico = rate.reckon(usage)
        return None if pico is None else Cost(pico, rate.currency, rate.basis)

    def cost_of(
        self, answered: str, asked: str, backend_id: str, usage: Usage, at_ns: int, tier: str = ""
    ) -> Cost | None:
        """The same by the names that `models` takes."""
        key = answered, asked, backend_id, at_ns // _DAY_NS, tier
        try:
            rate = self._rates[key]
        except KeyError:
            names = self.models(answered, asked, backend_id)
            rate = _remember(self._rates, key, self._find(names, key[3], tier))
        if rate is None:
            return None
        pico = rate.reckon(usage)
        return None if pico is None else Cost(pico, rate.currency, rate.basis)

    def _candidates(self, answered: str, asked: str, backend_id: str) -> tuple[str, ...]:
        declared = [
            model
            for key in (f"{backend_id}/{asked}".lower(), asked.lower())
            if asked and (model := self._deployments.get(key))
        ]
        answered = _ALSO.get(answered.lower(), answered)
        dated = [answered] if _VERSION.search(answered) else []
        names = dict.fromkeys((*dated, *declared, answered, asked))
        return tuple(name for name in names if name and (not answered or _is_same(name, answered)))

    def _find(self, models: Sequence[str], day_number: int, tier: str) -> _Rate | None:
        day = date.fromordinal(_FIRST_DAY + day_number).isoformat()
        wanted = "" if tier.lower() in _PLAIN_TIERS else tier.lower()
        for prices, whose in ((self._own, "own "), (_shipped(), "")):
            for name in models:
                price = _in_force(prices, name, day, wanted)
                if price is not None:
                    parts = (f"{whose}{price.model}", price.tier, price.first)
                    return _Rate(price, " ".join(part for part in parts if part))
        return None


def _remember(memory: dict[K, V], key: K, value: V) -> V:
    """Names come from answers: so many are kept."""
    if len(memory) >= _MOST_REMEMBERED:
        memory.clear()
    memory[key] = value
    return value


def _spelt(name: str) -> str:
    return name.lower().replace("gpt-35-", "gpt-3.5-")  # as Azure spells it


def _is_same(name: str, answered: str) -> bool:
    """Whether a name is of the model that an answer names: that with another version, or with one in place of none."""
    name, answered = _spelt(name), _spelt(answered)
    if _VERSION.sub("", name) == _VERSION.sub("", answered):
        return True
    return name.startswith(answered) and _AZURE_VERSION.fullmatch(name, len(answered)) is not None


def _in_force(prices: Mapping[str, list[Price]], name: str, day: str, tier: str) -> Price | None:
    name = _spelt(name)
    for each in dict.fromkeys((name, _VERSION.sub("", name))):
        rows = [p for p in prices.get(each, ()) if p.first <= day and p.tier.lower() == tier]
        if rows:
            return rows[-1]
    return None


def _by_model(prices: Iterable[Price]) -> dict[str, list[Price]]:
    """Each model's, the oldest first."""
    out: dict[str, list[Price]] = {}
    for price in sorted(prices, key=lambda p: p.first):
        out.setdefault(price.model.lower(), []).append(price)
    return out


@lru_cache(maxsize=1)
def _shipped() -> dict[str, list[Price]]:
    return _by_model(shipped())


def shipped() -> list[Price]:
    """The prices of prices.toml."""
    # Imported here: gateways get their prices with the snapshot.
    import tomllib
    from importlib import resources

    text = resources.files("aforo.llm").joinpath("prices.toml").read_text("utf-8")
    return [price_of(row) for row in tomllib.loads(text)["price"]]


def price_of(row: Mapping[str, Any]) -> Price:
    """A row of the file, or of `modelPrices`, which have the same names."""
    first = row.get("from", "")
    return Price(
        model=str(row["model"]),
        first=first.isoformat() if isinstance(first, date) else str(first)[:10],
        currency=str(row.get("currency", CURRENCY)),
        input=row.get("input"),
        cached_input=row.get("cachedInput"),
        output=row.get("output"),
        audio_input=row.get("audioInput"),
        audio_output=row.get("audioOutput"),
        image_input=row.get("imageInput"),
        image_output=row.get("imageOutput"),
        tier=str(row.get("tier", "")),
    )
