"""The bundle that serves while the published one does not compile."""

from __future__ import annotations

import pytest

from aforo.snapshot.build import Builder
from aforo.snapshot.snapshot import ApiEntry, Bundle, LogPlan
from aforo.snapshot.stand_in import stand_in
from tests.support.snapshots import DEPLOYMENT, api_subject, operation

LOG = LogPlan(gateway_log=True)
BROKEN = Bundle(
    7,
    DEPLOYMENT,
    "/service",
    {"GatewayLogs": ["w"]},
    (ApiEntry(api_subject(), (operation("GET", "/a"),), "<nothing />", True, False, LOG),),
    (), (), (), (), (), (), "<broken",
    local_identity=False,
    log=LOG,
)  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/echo/a", "/readyz", "/openai/deployments/x/chat/completions"])
def test_it_compiles_whatever_is_broken_and_answers_every_path(method: str, path: str) -> None:
    built = Builder({}.__getitem__).build(stand_in(BROKEN))
    assert built.problems == ()
    assert built.runtime is not None
    match = built.runtime.router.match(method, path)
    assert match is not None
    own = (method, path) == ("GET", "/readyz")  # the gateway's own path: a wildcard would not get it
    assert match.operation.entry.subject.id == ("readyz" if own else f"any-{method.lower()}")
    assert match.api.entry.subscription_required is False
    assert match.operation.wire == ""


def test_service_log_and_identity_are_those_of_the_broken_one() -> None:
    made = stand_in(BROKEN)
    assert (made.deployment, made.resource_id, made.workspaces) == (
        DEPLOYMENT,
        "/service",
        {"GatewayLogs": ["w"]},
    )
    assert (made.apis[0].log, made.local_identity) == (LOG, False)
