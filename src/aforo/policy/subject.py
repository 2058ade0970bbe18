"""What a call is about: API, operation, product, subscription, user, as expressions may see them.

Plain frozen values that a snapshot carries; made once when it is built. They know no wire and no store.
"""

from __future__ import annotations

import msgspec


class Api(msgspec.Struct, frozen=True, gc=False):
    """`context.Api`. `path` is the URL suffix without slashes at its ends."""

    id: str
    name: str
    path: str
    revision: str
    version: str
    service_url: str
    is_current_revision: bool
    protocols: tuple[str, ...]
    key_header: str
    key_query: str
    schemas: tuple[Schema, ...] = ()  # what the contracts of its operations refer to


class Example(msgspec.Struct, frozen=True, gc=False):
    """What an operation may answer, for `mock-response`: an example of its body, or a sample made from its schema.

    `content_type` is "" where the description names none.
    """

    status: int
    content_type: str
    body: str


class Parameter(msgspec.Struct, frozen=True, gc=False):
    """A declared parameter or header. `values` lists what is allowed, empty for anything; a schema is named by where it
    stands: the id of one of the API's schemas and a name in it."""

    name: str
    type: str = "string"
    required: bool = False
    values: tuple[str, ...] = ()
    schema_id: str = ""
    type_name: str = ""


class Representation(msgspec.Struct, frozen=True, gc=False):
    """A declared body: its content type in lower case, and the name of its schema."""

    content_type: str
    schema_id: str = ""
    type_name: str = ""


class Answer(msgspec.Struct, frozen=True, gc=False):
    """A declared answer."""

    status: int
    headers: tuple[Parameter, ...] = ()
    bodies: tuple[Representation, ...] = ()


class Contract(msgspec.Struct, frozen=True, gc=False):
    """What an operation declares of its messages; the validation policies hold calls to it."""

    path: tuple[Parameter, ...] = ()
    query: tuple[Parameter, ...] = ()
    headers: tuple[Parameter, ...] = ()
    bodies: tuple[Representation, ...] = ()
    answers: tuple[Answer, ...] = ()


class Schema(msgspec.Struct, frozen=True, gc=False):
    """A schema of the service or of an API: `text` is JSON, or what an XML schema is written in."""

    id: str
    kind: str  # json, xml
    text: str


class Operation(msgspec.Struct, frozen=True, gc=False):
    """`context.Operation`, and examples of its answers."""

    id: str
    name: str
    method: str
    url_template: str
    examples: tuple[Example, ...] = ()
    contract: Contract = Contract()


class Group(msgspec.Struct, frozen=True, gc=False):
    """An entry of `context.User.Groups` and `context.Product.Groups`."""

    id: str
    name: str


class Product(msgspec.Struct, frozen=True, gc=False):
    """`context.Product`."""

    id: str
    name: str
    state: str  # Published, NotPublished
    subscription_required: bool
    approval_required: bool
    subscriptions_limit: int | None
    groups: tuple[Group, ...]
    apis: tuple[Api, ...] = ()  # filled in by whoever has the whole snapshot


class Subscription(msgspec.Struct, frozen=True, gc=False):
    """`context.Subscription` without its keys: a snapshot holds only hashes of them. Dates are unix seconds."""

    id: str
    name: str
    created: int
    start: int | None
    end: int | None


class User(msgspec.Struct, frozen=True, gc=False):
    """`context.User`; `registered` is unix seconds."""

    id: str
    email: str
    first_name: str
    last_name: str
    note: str
    registered: int
    groups: tuple[Group, ...]
    identities: tuple[tuple[str, str], ...]  # (provider, id)
    state: str = "active"  # only active users pass the gate


class Deployment(msgspec.Struct, frozen=True, gc=False):
    """`context.Deployment`: where the gateway runs."""

    service_id: str
    service_name: str
    region: str
    gateway_id: str = "managed"
    schemas: tuple[Schema, ...] = ()  # that policies name by their ids
