"""`listEffectivePolicy` of an API or an operation: what its policies come to, each line with the resource it is in.

It finds the documents of a call in the graph; what they come to is said by the policy room.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aforo.control.build import DEFAULT_POLICY, policy_of
from aforo.control.live import Live, resolve_text
from aforo.errors import Invalid, NotFound
from aforo.model.graph import Graph
from aforo.model.ids import ResourceId
from aforo.model.kind import Resource
from aforo.model.kinds.api import API_TYPE, split_revision
from aforo.model.kinds.named_value import NAMED_VALUE_TYPE
from aforo.model.kinds.policy import FRAGMENT_TYPE
from aforo.model.kinds.product import PRODUCT_TYPE
from aforo.model.kinds.service import SERVICE_TYPE
from aforo.model.secret import Secret
from aforo.nearest import nearest
from aforo.policy.effective import effective
from aforo.policy.named_values import NamedValue
from aforo.policy.scopes import Scope
from aforo.source import Source

ACTION: Final = "listEffectivePolicy"
_OPERATION_TYPE: Final = f"{API_TYPE}/operations"


@dataclass(frozen=True, slots=True)
class Told:
    """The answer, and the policies and fragments that it shows."""

    body: dict[str, Any]
    made_of: tuple[ResourceId, ...]


def offered(rid: ResourceId, name: str) -> bool:
    """Whether that is the action, of something that has it."""
    return name.lower() == ACTION.lower() and rid.type_key in (API_TYPE.lower(), _OPERATION_TYPE.lower())


def answer(graph: Graph, live: Live, rid: ResourceId, body: Mapping[str, Any]) -> Told:
    """`{productId}` -> `{apiId, operationId, productId, products, format, value, lines, diagnostics}`.

    Without `productId` it is the policy of a call that comes through no product. `lines` are those of `value`, each
    `{text, scope, resourceId, fragment, line}`: `line` counts in the text that the resource `resourceId` was stored
    with (null: the default policy of a service without one). NotFound and Invalid name what looks like what was asked for.
    """
    service = rid.ancestor(SERVICE_TYPE)
    assert service is not None
    operation_id = rid if rid.type_key == _OPERATION_TYPE.lower() else None
    api = _found(graph, rid.parent if operation_id else rid.text, service.key, API_TYPE, "API")
    operation = (
        _found(
            graph,
            operation_id.text,
            api.id.key,
            _OPERATION_TYPE,
            f"operation in the API {api.name!r} that is called",
        )
        if operation_id is not None
        else None
    )
    products = _products(graph, service, api)
    product = _product(graph, service, api, products, body.get("productId"))
    holders = {
        Scope.GLOBAL: policy_of(graph, service.key, SERVICE_TYPE),
        Scope.PRODUCT: policy_of(graph, product.id.key, PRODUCT_TYPE) if product is not None else None,
        Scope.API: policy_of(graph, api.id.key, API_TYPE),
        Scope.OPERATION: policy_of(graph, operation.id.key, _OPERATION_TYPE) if operation else None,
    }
    documents = {scope: _source(r) for scope, r in holders.items() if r is not None}
    documents.setdefault(Scope.GLOBAL, Source("", DEFAULT_POLICY))
    fragments = {r.name: r for r in graph.children(service.key, FRAGMENT_TYPE)}
    made = effective(
        documents,
        {name: _source(r) for name, r in fragments.items()},
        _named_values(graph, live, service),
    )
    shown = {line.origin.fragment for line in made.lines if line.origin is not None} - {""}
    return Told(
        {
            "apiId": api.id.text,
            "operationId": operation.id.text if operation is not None else None,
            "productId": product.id.text if product is not None else None,
            "products": [p.name for p in products],
            **made.as_json(),
        },
        (
            *(r.id for r in holders.values() if r is not None),
            *(fragments[name].id for name in sorted(shown)),
        ),
    )


def _found(graph: Graph, path: str, parent_key: str, full_type: str, what: str) -> Resource:
    found = graph.get(path)
    if found is not None:
        return found
    name = path.rpartition("/")[2]
    close = _looking_like(name, (r.name for r in graph.children(parent_key, full_type)))
    raise NotFound(f"There is no {what} {name!r}{close}", target=path)


def _products(graph: Graph, service: ResourceId, api: Resource) -> list[Resource]:
    """Those through which the API can be called, by name."""
    base = split_revision(api.name)[0].lower()
    return sorted(
        (
            product
            for product in graph.children(service.key, PRODUCT_TYPE)
            if any(
                split_revision(link.name)[0].lower() == base
                for link in graph.children(product.id.key, f"{PRODUCT_TYPE}/apis")
            )
        ),
        key=lambda p: p.id.key,
    )


def _product(
    graph: Graph, service: ResourceId, api: Resource, products: list[Resource], asked: Any
) -> Resource | None:
    if asked is None or asked == "":
        return None
    if not isinstance(asked, str):
        raise Invalid("'productId' has to be the id of a product", code="ValidationError", target="productId")
    lowered = asked.lower().strip("/")
    key = (
        asked
        if lowered.startswith("subscriptions/")
        else f"{service.key}/products/{lowered.removeprefix('products/')}"
    )
    name = asked.rstrip("/").rpartition("/")[2]
    found = graph.get(key)
    if found is None or found.kind.type != PRODUCT_TYPE or found.id.parent_key != service.key:
        close = _looking_like(name, (r.name for r in graph.children(service.key, PRODUCT_TYPE)))
        raise Invalid(f"there is no product {name!r}{close}", code="ValidationError", target="productId")
    if found not in products:
        listed = ", ".join(repr(p.name) for p in products)
        where = f"it is in {listed}" if listed else "it is in none"
        raise Invalid(
            f"the API {api.name!r} is not in the product {found.name!r}; {where}",
            code="ValidationError",
            target="productId",
        )
    return found


def _looking_like(name: str, known: Iterable[str]) -> str:
    """How the sentence about a name that is not there ends."""
    names = sorted(known)
    close = nearest(name, names)
    if close:
        return f"; did you mean {' or '.join(repr(c) for c in close)}?"
    return f"; there is: {', '.join(names[:12])}." if names else "."


def _source(holder: Resource) -> Source:
    return Source(holder.id.text, str(holder.properties.get("value", "")))


def _named_values(graph: Graph, live: Live, service: ResourceId) -> dict[str, NamedValue]:
    """As the compiler gets them, but for what the secret ones hold."""
    found = {}
    for value in graph.children(service.key, NAMED_VALUE_TYPE):
        content = value.properties.get("value", "")
        secret = isinstance(content, Secret)
        text = "secret" if secret else resolve_text(str(content), graph, live)
        found[str(value.properties.get("displayName", ""))] = NamedValue(text, secret)
    return found
