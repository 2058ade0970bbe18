"""What products and subscriptions may cost, and what models cost by the configuration's own prices: the properties of
other kinds that say so."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from aforo.model.declare import listing, number, record, required, text, whole
from aforo.model.kind import Problem, Property, Resource, View

PERIODS = ("Daily", "Weekly", "Monthly", "Yearly", "Total")
_CURRENCY = r"^[A-Z]{3}$"
_PRICES = (
    "input",
    "cachedInput",
    "output",
    "audioInput",
    "audioOutput",
    "imageInput",
    "imageOutput",
)


def budgets(whose: str) -> Property:
    """`budgets` of a product or a subscription."""
    return listing(
        "budgets",
        record(
            "budget",
            text(
                "period",
                values=PERIODS,
                required=True,
                doc="It begins anew with the day, week (Monday), month or year in UTC.",
            ),
            required(number("amount", 0.000001, 1_000_000)),
            text("currency", pattern=_CURRENCY, default="USD", doc="Only calls priced in it are counted."),
            whole(
                "warnAtPercent",
                1,
                100,
                default=80,
                doc="From there on answers have the header `aforo-budget-warning`.",
            ),
            text(
                "onExceeded",
                values=("refuse", "report"),
                default="refuse",
                doc="`refuse`: calls are answered 403 until the period is over.",
            ),
        ),
        maximum=4,
        doc=f"What the calls of {whose} may cost. A call is counted when its cost is known, at its end: those under way "
        "when a budget is used up still go through.",
    )


MODEL_PRICES = listing(
    "modelPrices",
    record(
        "price",
        text("model", required=True, minimum=1, doc="Its name, or that name without its version."),
        text(
            "from",
            pattern=r"^\d{4}-\d{2}-\d{2}$",
            doc="The day (UTC) from which on it counts; always without.",
        ),
        text("currency", pattern=_CURRENCY, default="USD"),
        *(number(name, 0) for name in _PRICES),
        text("tier", doc="The `service_tier` of answers that it is for; the plain one without."),
        text("source", doc="Where the figure is from."),
    ),
    doc="What a million tokens of a model cost; goes before the prices that Aforo comes with.",
)


def prices_have_days(service: Resource, _view: View) -> Iterable[Problem]:
    """A day that no calendar has is refused."""
    seen: set[tuple[str, str, str]] = set()
    for index, price in enumerate(service.properties.get("modelPrices", ())):
        place = ("properties", "modelPrices", index)
        first = str(price.get("from", ""))
        if first:
            try:
                date.fromisoformat(first)
            except ValueError:
                yield Problem((*place, "from"), f"{first!r} is no day")
        key = (str(price.get("model", "")).lower(), first, str(price.get("tier", "")).lower())
        if key in seen:
            yield Problem(place, f"the model {price.get('model')!r} has two prices from the same day on")
        seen.add(key)
        if not any(name in price for name in _PRICES):
            yield Problem(place, f"it says no price: give one of {', '.join(_PRICES)}")
