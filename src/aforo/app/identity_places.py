"""Where the cloud's identity services are, as the environment of a process names them."""

from __future__ import annotations

from collections.abc import Mapping

from aforo.messages import parse_url


def identity_places(environ: Mapping[str, str]) -> frozenset[tuple[str, int]]:
    """Address and port of the identity services that the environment names."""
    places: set[tuple[str, int]] = set()
    for name in ("IDENTITY_ENDPOINT", "AZURE_POD_IDENTITY_AUTHORITY_HOST"):
        try:
            url = parse_url(environ.get(name, ""))
        except ValueError:
            continue
        hosts = ("127.0.0.1", "::1") if url.host == "localhost" else (url.host,)
        places.update((host, url.port) for host in hosts)
    return frozenset(places)
