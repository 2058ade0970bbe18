"""Policy fragments that the product carries: `value: {carried: NAME}` in an aforo.yaml stands for one of them."""

from __future__ import annotations

from importlib import resources

from aforo.errors import NotFound

CARRIED_FRAGMENTS = ("allowed-models",)


def carried_fragment(name: str) -> str:
    """The text of a fragment; NotFound names those that exist."""
    if name not in CARRIED_FRAGMENTS:
        known = ", ".join(CARRIED_FRAGMENTS)
        raise NotFound(f"no policy fragment called {name!r} is carried; there is: {known}", code="YAML0012")
    return (resources.files("aforo.control.carried") / f"{name}.xml").read_text(encoding="utf-8")
