"""The default configuration, the lab: what `aforo init` writes and an empty system starts with."""

from __future__ import annotations

from importlib import resources

RESOURCE_GROUP = "rg-activategenai"
SERVICE = "apim-activategenai"
ACCOUNT = "aoai-activategenai"
WORKSPACE = "law-activategenai"
SUBSCRIPTION = "lab"


def lab_yaml() -> str:
    """The text of the lab's `aforo.yaml`."""
    return (resources.files("aforo.control.carried") / "lab.yaml").read_text(encoding="utf-8")
