"""One lab for all stories that only make calls and ask about them; stories that break things start their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.system import System, running_system


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The default configuration with the scripted engine."""
    with running_system(tmp_path_factory.mktemp("lab")) as system:
        yield system


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here starts the whole system."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.slow)
