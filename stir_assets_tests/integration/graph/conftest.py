"""What the tests of the whole graph share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from stir_assets_tests.fixtures.warehouse import Platform


@pytest.fixture(scope="module")
def environment(platform: Platform) -> Iterator[None]:
    """The platform's variables in this process, where resources read their secrets."""
    before = dict(os.environ)
    os.environ.update(platform.environment)
    yield
    os.environ.clear()
    os.environ.update(before)
