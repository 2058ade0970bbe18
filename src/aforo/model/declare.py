"""Short words for declaring properties, so that a kind's file reads as a table. It knows no kind."""

from __future__ import annotations

from dataclasses import replace

from aforo.model.kind import Property, Refers, Type
from aforo.stamps import ISO_DURATION


def text(name: str, *, maximum: float | None = None, minimum: float | None = None, pattern: str = "",
         required: bool = False, default: str | None = None, values: tuple[str, ...] = (),
         readonly: bool = False, secret: bool = False, sealed_by: str = "", doc: str = "") -> Property:  # fmt: skip
    return Property(
        name, Type.TEXT, doc, required=required, default=default, readonly=readonly, secret=secret,
        sealed_by=sealed_by, values=values, minimum=minimum, maximum=maximum, pattern=pattern,
    )  # fmt: skip


def credential(name: str, *, maximum: float | None = None, required: bool = False) -> Property:
    """A secret text, or one that names `{{named values}}` and so holds no secret itself."""
    return Property(name, Type.TEXT, required=required, secret=True, by_name=True, minimum=1, maximum=maximum)


def whole(name: str, minimum: float | None = None, maximum: float | None = None, *, required: bool = False,
          default: int | None = None, doc: str = "") -> Property:  # fmt: skip
    return Property(
        name, Type.WHOLE, doc, required=required, default=default, minimum=minimum, maximum=maximum
    )


def duration(name: str, *, required: bool = False, default: str | None = None, doc: str = "") -> Property:
    """An ISO 8601 duration without years and months."""
    says = "An ISO 8601 duration is expected: PT30S, PT1M30S, PT1H, P1D."
    return Property(
        name,
        Type.TEXT,
        f"{doc} {says}".strip(),
        required=required,
        default=default,
        pattern=ISO_DURATION,
        maximum=40,
    )


def number(
    name: str,
    minimum: float | None = None,
    maximum: float | None = None,
    *,
    required: bool = False,
    doc: str = "",
) -> Property:
    return Property(name, Type.NUMBER, doc, required=required, minimum=minimum, maximum=maximum)


def flag(name: str, *, default: bool | None = None, readonly: bool = False, doc: str = "") -> Property:
    return Property(name, Type.FLAG, doc, default=default, readonly=readonly)


def record(name: str, *properties: Property, required: bool = False, readonly: bool = False,
           doc: str = "") -> Property:  # fmt: skip
    return Property(name, Type.RECORD, doc, required=required, readonly=readonly, properties=properties)


def listing(name: str, item: Property, *, minimum: float | None = None, maximum: float | None = None,
            required: bool = False, default: tuple[str, ...] | None = None, readonly: bool = False,
            doc: str = "") -> Property:  # fmt: skip
    return Property(name, Type.LIST, doc, required=required, default=default, readonly=readonly,
                    minimum=minimum, maximum=maximum, item=item)  # fmt: skip


def mapping(name: str, item: Property, *, doc: str = "") -> Property:
    """Free names, each with a value of that form."""
    return Property(name, Type.MAP, doc, item=item)


def instant(name: str, *, readonly: bool = False) -> Property:
    return Property(name, Type.INSTANT, readonly=readonly)


def anything(name: str, *, readonly: bool = False, secret: bool = False, doc: str = "") -> Property:
    """A value that is kept as it came and that nothing here interprets."""
    return Property(name, Type.ANY, doc, readonly=readonly, secret=secret)


def reference(name: str, *types: str, on_delete: str = "refuse", collections: tuple[str, ...] = (),
              required: bool = False, foreign: bool = False, doc: str = "") -> Property:  # fmt: skip
    refers = Refers(types, on_delete, collections, foreign)
    return Property(name, Type.TEXT, doc, required=required, refers=refers)


def refused(name: str, why: str) -> Property:
    """A property that Azure has and this does not: whoever sends it is told so."""
    return Property(name, Type.ANY, refused=why)


def required(item: Property) -> Property:
    return replace(item, required=True)


LOCATION = text("location", default="local", doc="Shown as the region in every record.")
TAGS = mapping("tags", text("value"))
