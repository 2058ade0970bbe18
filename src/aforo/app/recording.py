"""How calls of one configuration are written down: the spool's context of it, and the recorder over both."""

from __future__ import annotations

import msgspec

from aforo.app.last_words import keep_quiet
from aforo.gateway.addresses import TrustedProxies
from aforo.gateway.masking.marks import PURPOSE, Marks
from aforo.gateway.record import Lost, Recorder
from aforo.identity.seal import subkey
from aforo.policy import masking
from aforo.snapshot.runtime import Runtime
from aforo.spool.writer import SpoolWriter


def recorder(spool: SpoolWriter, runtime: Runtime, lost: Lost, master_key: bytes) -> Recorder:
    """The recorder of a configuration that comes into force; what it says of itself keeps its secrets from now on."""
    keep_quiet(masking.Secrets(runtime.secrets).mask)
    bundle = runtime.bundle
    plans = [api.log for api in bundle.apis] or [bundle.log]
    context = spool.context(
        bundle.resource_id,
        bundle.deployment.region,
        bundle.workspaces,
        llm_request_bytes=max(p.llm_request_bytes for p in plans),
        llm_response_bytes=max(p.llm_response_bytes for p in plans),
        prices=[msgspec.to_builtins(p) for p in bundle.prices],
        deployments=bundle.deployments,
    )
    return Recorder(
        spool,
        context,
        TrustedProxies(bundle.trusted_proxies),
        metrics="AllMetrics" in bundle.workspaces,
        keys=runtime.keys,
        secrets=runtime.secrets,
        lost=lost,
        # Hashes are the same in all gateways of an installation, and after restarts.
        marks=Marks(subkey(master_key, PURPOSE)),
    )
