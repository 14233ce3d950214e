"""Fixtures for all tests: real engines, started when a test asks for one."""

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
