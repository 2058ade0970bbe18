"""The lab with changes that stories of faults need: another backend, options of the API, policies. Text in, text out."""

from __future__ import annotations

from pathlib import Path

from aforo.cli.yaml_text import before, replaced
from aforo.control.lab import lab_yaml

_API = ("services", "*", "apis", "azure-openai")


def lab_file(folder: Path, *, backend: str = "", options: str = "", inbound: str = "") -> Path:
    """`aforo.yaml` of the lab. `backend`: `host:port` in the place of the account's; `options`: lines of the API
    `azure-openai`; `inbound`: elements at the start of its policy."""
    text = lab_yaml()
    if backend:
        scheme, _, address = backend.partition("://") if "://" in backend else ("http", "", backend)
        values = f"namedValues:\n  openai-endpoint:\n    value: {scheme}://{address}"
        text = replaced(text, ("services", "*", "namedValues"), values)
        text = before(text, ("services", "*", "namedValues"), 'privateEgress: ["127.0.0.0/8"]')
    if options:
        text = before(text, (*_API, "path"), options)
    if inbound:
        text = text.replace("<base />", f"<base />\n              {inbound}", 1)
    path = folder / "fault-lab.yaml"
    path.write_text(text)
    return path
