"""The Python of a document as a person reads it: each policy's line of XML beside what it became."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from aforo.policy.running import Site

_MARK = re.compile(r"^(\s*)at = (\d+)$")


def listing(name: str, module: ast.Module, sites: Sequence[Site]) -> str:
    """The module's text; where a policy begins, its line number and its XML stand above it."""
    out = [f"# {name}"]
    for line in ast.unparse(module).splitlines():
        found = _MARK.match(line)
        if found is not None and int(found[2]) < len(sites):
            site = sites[int(found[2])]
            if site.shown:
                out.append(f"{found[1]}# {site.line}: {site.shown}")
        out.append(line)
    return "\n".join(out)
