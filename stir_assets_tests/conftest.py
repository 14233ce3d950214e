"""Fixtures for all tests: real engines, started when a test asks for one."""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = [
    "stir_assets_tests.fixtures.stack",
    "stir_assets_tests.fixtures.clickhouse",
    "stir_assets_tests.fixtures.dagster_instance",
    "stir_assets_tests.fixtures.postgres",
    "stir_assets_tests.fixtures.cluster",
    "stir_assets_tests.fixtures.s3",
    "stir_assets_tests.fixtures.slack",
    "stir_assets_tests.fixtures.warehouse",
]


# Folders whose tests share the platform that one process builds; every other file may run beside any.
_ON_THE_PLATFORM = ("integration/dbt/", "integration/graph/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those on the platform first, because they take longest, then files with slow tests; those without engines last.

    So no process is left alone at the end with minutes of work.
    """
    slow = {_group(item.nodeid) for item in items if item.get_closest_marker("slow")}
    items.sort(
        key=lambda item: (
            _group(item.nodeid) != "platform",
            _group(item.nodeid) not in slow,
            "/integration/" not in item.nodeid,
        )
    )


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    """What runs where under `pytest -n`: a whole file, or the whole platform, in one process."""
    config.option.loadscopereorder = False
    return _ByGroup(config, log)  # pyright: ignore[reportArgumentType]


class _ByGroup(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid)


def _group(nodeid: str) -> str:
    path = nodeid.split("::")[0]
    return "platform" if any(folder in path for folder in _ON_THE_PLATFORM) else path
