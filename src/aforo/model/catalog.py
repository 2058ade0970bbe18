"""All kinds of resources, as one readable tuple. A new kind is one file in kinds/ and one line here."""

from __future__ import annotations

from functools import lru_cache

from aforo.model.ids import RESOURCE_GROUP_TYPE, ResourceId, parse_id
from aforo.model.kind import Kind
from aforo.model.kinds.account import ACCOUNT, DEPLOYMENT
from aforo.model.kinds.api import API
from aforo.model.kinds.application import APPLICATION
from aforo.model.kinds.authorization import ACCESS_POLICY, AUTHORIZATION, AUTHORIZATION_PROVIDER
from aforo.model.kinds.backend import BACKEND
from aforo.model.kinds.cache import CACHE
from aforo.model.kinds.certificate import CERTIFICATE
from aforo.model.kinds.data_collection import DATA_COLLECTION_ENDPOINT, DATA_COLLECTION_RULE
from aforo.model.kinds.diagnostic import API_DIAGNOSTIC, SERVICE_DIAGNOSTIC
from aforo.model.kinds.diagnostic_setting import DIAGNOSTIC_SETTING
from aforo.model.kinds.event_hub import NAMESPACE, RULE
from aforo.model.kinds.group import GROUP, GROUP_USER
from aforo.model.kinds.log_table import LOG_TABLE
from aforo.model.kinds.logger import LOGGER
from aforo.model.kinds.named_value import NAMED_VALUE
from aforo.model.kinds.operation import OPERATION
from aforo.model.kinds.policy import (
    API_POLICY,
    GLOBAL_POLICY,
    OPERATION_POLICY,
    POLICY_FRAGMENT,
    PRODUCT_POLICY,
)
from aforo.model.kinds.product import PRODUCT, PRODUCT_API, PRODUCT_GROUP
from aforo.model.kinds.resource_group import RESOURCE_GROUP
from aforo.model.kinds.role_assignment import ROLE_ASSIGNMENT
from aforo.model.kinds.saved_search import SAVED_SEARCH
from aforo.model.kinds.schema import API_SCHEMA, SCHEMA
from aforo.model.kinds.service import SERVICE
from aforo.model.kinds.storage_account import STORAGE_ACCOUNT
from aforo.model.kinds.subscription import SUBSCRIPTION
from aforo.model.kinds.template_deployment import TEMPLATE_DEPLOYMENT
from aforo.model.kinds.user import USER
from aforo.model.kinds.version_set import VERSION_SET
from aforo.model.kinds.workspace import WORKSPACE

# In the order in which they are created, written and shown: what others refer to comes first.
KINDS: tuple[Kind, ...] = (
    RESOURCE_GROUP,
    WORKSPACE,
    LOG_TABLE,
    SAVED_SEARCH,
    STORAGE_ACCOUNT,
    NAMESPACE,
    RULE,
    DATA_COLLECTION_ENDPOINT,
    DATA_COLLECTION_RULE,
    APPLICATION,
    ACCOUNT,
    DEPLOYMENT,
    SERVICE,
    NAMED_VALUE,
    POLICY_FRAGMENT,
    CERTIFICATE,
    SCHEMA,
    AUTHORIZATION_PROVIDER,
    AUTHORIZATION,
    ACCESS_POLICY,
    BACKEND,
    CACHE,
    LOGGER,
    SERVICE_DIAGNOSTIC,
    GLOBAL_POLICY,
    VERSION_SET,
    API,
    API_POLICY,
    API_DIAGNOSTIC,
    API_SCHEMA,
    OPERATION,
    OPERATION_POLICY,
    GROUP,
    USER,
    GROUP_USER,
    PRODUCT,
    PRODUCT_API,
    PRODUCT_GROUP,
    PRODUCT_POLICY,
    SUBSCRIPTION,
    DIAGNOSTIC_SETTING,
    ROLE_ASSIGNMENT,
    TEMPLATE_DEPLOYMENT,
)


@lru_cache(maxsize=1)
def _by_type() -> dict[str, Kind]:
    return {kind.type.lower(): kind for kind in KINDS}


def kind_of(full_type: str) -> Kind | None:
    """The kind of an ARM type, whatever its case."""
    return _by_type().get(full_type.lower())


@lru_cache(maxsize=64)
def children_of(full_type: str) -> tuple[Kind, ...]:
    """The kinds that lie in a resource of that type; extensions of any resource come last."""
    wanted = full_type.lower()
    return tuple(k for k in KINDS if k.parent.lower() == wanted) + tuple(k for k in KINDS if k.parent == "*")


@lru_cache(maxsize=64)
def rank(full_type: str) -> int:
    """Place in the order of creation."""
    wanted = full_type.lower()
    return next((i for i, k in enumerate(KINDS) if k.type.lower() == wanted), len(KINDS))


def canonical(rid: ResourceId, kind: Kind, parent: ResourceId | None = None) -> ResourceId:
    """The id with its type spelled as declared, below `parent`'s spelling where that is known.

    Names keep the case they were given.
    """
    spelled = rid.type == kind.type and kind.type != RESOURCE_GROUP_TYPE
    if spelled and (parent is None or parent.text == rid.parent):
        return rid
    above = parent.text if parent is not None else rid.parent
    # The first resource of a provider, and an extension, stand behind the provider's name.
    starts_provider = kind.parent in ("*", RESOURCE_GROUP_TYPE)
    return parse_id(
        f"{above}/providers/{kind.type}/{rid.name}"
        if starts_provider
        else f"{above}/{kind.collection}/{rid.name}"
    )
