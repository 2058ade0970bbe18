"""What holds for every test: the fast suite tries fewer examples of each property."""

from __future__ import annotations

import pytest

from tests.support.examples import be_fast


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("markexpr") == "not slow":
        be_fast()
