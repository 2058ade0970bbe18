"""Storage accounts: where diagnostic settings deliver logs as files. They are described here, not served."""

from __future__ import annotations

from collections.abc import Iterable

from aforo.model.declare import LOCATION, TAGS, record, text
from aforo.model.ids import RESOURCE_GROUP_TYPE
from aforo.model.kind import Kind, NameRule, Problem, Resource, View

STORAGE_ACCOUNT_TYPE = "Microsoft.Storage/storageAccounts"
FOLDER = "file:"
DELTA = "delta"
_URL = r"^(file:|s3://[^\s/?#@]+(/[^\s?#@]*)?|https://[^\s/?#@]+/?)$"


def _signs_in(account: Resource, _view: View) -> Iterable[Problem]:
    properties = account.properties
    url = str(properties.get("url", ""))
    pair = ("accessKeyId", "secretAccessKey")
    given = [name for name in pair if properties.get(name)]
    if url.startswith("s3://"):
        if len(given) == 1:
            yield Problem(("properties",), f"{' and '.join(pair)} belong together")
        if properties.get("accountKey"):
            yield Problem(("properties", "accountKey"), "a bucket is signed in to with an access key")
    elif given:
        yield Problem(("properties", given[0]), "only a bucket (s3://) has access keys")
    if url.startswith("https://") and not properties.get("accountKey"):
        yield Problem(("properties", "accountKey"), "blob storage needs its account's key")


STORAGE_ACCOUNT = Kind(
    name="storage account",
    type=STORAGE_ACCOUNT_TYPE,
    parent=RESOURCE_GROUP_TYPE,
    envelope=(LOCATION, TAGS, text("kind"), record("sku", text("name", required=True), text("tier"))),
    properties=(
        text(
            "url",
            required=True,
            maximum=2000,
            pattern=_URL,
            doc="Our own: `file:` is a folder of this name below `exports` in the data directory; `s3://bucket/prefix` a "
            "bucket; `https://name.blob.core.windows.net` an account of Azure, with a container per category.",
        ),
        text("region", maximum=100, doc="Our own: of a bucket."),
        text(
            "endpoint",
            maximum=2000,
            pattern=r"^https?://[^\s/?#@]+(/[^\s?#@]*)?$",
            doc="Our own: a server that speaks S3, when it is not Amazon's, or Azure's blobs, when it is not Azure's.",
        ),
        text(
            "format",
            values=("json", DELTA),
            doc="Our own. `json`, the default: lines as Azure writes them. `delta`: a Delta table per category, with the "
            "columns of the workspace's table; each record is there once, also after kills.",
        ),
        text("accessKeyId", minimum=1, maximum=200, doc="Our own."),
        text("secretAccessKey", secret=True, minimum=1, doc="Our own."),
        text("accountKey", secret=True, minimum=1, doc="Our own: one of the keys of an account of Azure."),
        text("provisioningState", readonly=True),
    ),
    names=NameRule(r"^[a-z0-9]{3,24}$", 24, "3 to 24 lower-case letters and digits"),
    rules=(_signs_in,),
)
