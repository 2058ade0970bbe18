"""The configurations that are carried: the lab, which `aforo init` writes and an empty system starts with, and others."""

from __future__ import annotations

from importlib import resources

RESOURCE_GROUP = "rg-activategenai"
SERVICE = "apim-activategenai"
ACCOUNT = "aoai-activategenai"
WORKSPACE = "law-activategenai"
SUBSCRIPTION = "lab"
# Where the regions of `ha_yaml` listen, by their names.
REGION_PORTS = {"east": 8091, "west": 8092}


def lab_yaml() -> str:
    """The text of the lab's `aforo.yaml`."""
    return _carried("lab.yaml")


def ha_yaml() -> str:
    """The text of an `aforo.yaml` with two scripted regions behind one pool, at `REGION_PORTS` of this machine."""
    return _carried("ha.yaml")


def _carried(name: str) -> str:
    return (resources.files("aforo.control.carried") / name).read_text(encoding="utf-8")
