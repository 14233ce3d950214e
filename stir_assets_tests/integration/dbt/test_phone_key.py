"""The key of phone hashes is in ClickHouse, the salt nowhere, and neither can be read from SQL text or dbt's files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

import pytest
from clickhouse_connect.driver.client import Client

from stir_assets.core.phone_key import derived_key, key_database, store_phone_key
from stir_assets.dbt.phone_key import prepare_phone_key
from stir_assets.errors import ConfigError
from stir_assets.settings import ClickHouseSettings
from stir_assets_tests.fixtures.warehouse import Platform, invoke_dbt

SALT = "a salt of this test"
PHONE = "9876543210"


@pytest.fixture
def database(clickhouse: Client) -> Iterator[str]:
    """A database of one test, with whatever key the test stores for it."""
    name = str(clickhouse.database)
    yield name
    clickhouse.command(f"drop database if exists {key_database(name)}")


def stored(client: Client, database: str) -> str:
    return client.query(f"select key from {key_database(database)}.phone_key final").result_rows[0][0]


def test_a_key_is_stored_once(clickhouse: Client, database: str) -> None:
    assert store_phone_key(clickhouse, database, SALT)
    assert not store_phone_key(clickhouse, database, SALT)
    assert stored(clickhouse, database) == derived_key(SALT)
    assert SALT not in derived_key(SALT)


def test_another_salt_is_refused_until_the_key_is_replaced_on_purpose(
    clickhouse: Client, database: str
) -> None:
    store_phone_key(clickhouse, database, SALT)
    with pytest.raises(ConfigError, match=r"not the salt of the stored.*phone-key --replace"):
        store_phone_key(clickhouse, database, "another long enough salt")
    assert stored(clickhouse, database) == derived_key(SALT)
    assert store_phone_key(clickhouse, database, "another long enough salt", replacing=[])
    assert stored(clickhouse, database) == derived_key("another long enough salt")


def test_a_replaced_key_leaves_none_of_its_hashes(clickhouse: Client, database: str) -> None:
    clickhouse.command(
        "create table account (id Int8, phone Nullable(String)) engine = MergeTree order by id"
    )
    clickhouse.command("create table known (id Int8, phone String) engine = MergeTree order by (id, phone)")
    rows = "values (1, 'hash of one'), (2, 'hash of two')"
    for table in ("account", "known"):
        clickhouse.command(f"insert into {table} {rows}")
    models = ["account", "known", "not_built_yet"]
    store_phone_key(clickhouse, database, SALT, replacing=models)
    store_phone_key(clickhouse, database, SALT, replacing=models)
    assert clickhouse.command("select count(phone) from account") == 2, "no other key was stored: all stays"
    store_phone_key(clickhouse, database, "another long enough salt", replacing=models)
    assert clickhouse.query("select id, phone from account order by id").result_rows == [(1, None), (2, None)]
    assert clickhouse.command("select count() from known") == 0


def test_a_salt_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"STIR_PII_SALT has 4 characters"):
        derived_key("salt")


def test_a_run_that_hashes_checks_the_salt_first_and_any_other_run_does_not(
    clickhouse: Client, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ClickHouseSettings("unused", 1, "unused", "", database=database)
    store_phone_key(clickhouse, database, SALT)
    monkeypatch.setenv("STIR_PII_SALT", "another long enough salt")
    prepare_phone_key(clickhouse, server, {"mart_leaderboard"}, {"mart_instagram_phone"})
    with pytest.raises(ConfigError, match="not the salt"):
        prepare_phone_key(clickhouse, server, {"mart_instagram_phone"}, {"mart_instagram_phone"})


def test_the_models_hash_with_the_stored_key(platform: Platform, warehouse: Client) -> None:
    key = stored(warehouse, "stir")
    assert key == derived_key(platform.environment["STIR_PII_SALT"])
    seen = "select biography from stir.stg_beat_instagram_account where match(biography, '\\\\b[1-9][0-9]{9}\\\\b')"
    bios = [row[0] for row in warehouse.query(seen).result_rows]
    assert bios
    hashes = {row[0] for row in warehouse.query("select phone from stir.mart_instagram_phone").result_rows}
    numbers = {match for bio in bios for match in re.findall(r"\b[1-9][0-9]{9}\b", bio)[:1]}
    assert {hashlib.sha256((key + number).encode()).hexdigest() for number in numbers} <= hashes


def test_neither_salt_nor_key_stands_in_query_log_or_in_dbts_files(
    platform: Platform, warehouse: Client
) -> None:
    secrets = {platform.environment["STIR_PII_SALT"], stored(warehouse, "stir")}
    warehouse.command("system flush logs")
    hashed = "select count() from system.query_log where query ilike '%SHA256(concat(%' and query not ilike '%query_log%'"
    assert warehouse.query(hashed).result_rows[0][0] > 0, (
        "the models' queries are not in the log: nothing was tested"
    )
    files = [path for path in platform.target.rglob("*") if path.is_file()]
    assert any(path.name == "mart_instagram_phone.sql" for path in files)
    # Searched here: a query that names the secret would put it into the log itself.
    logged = "select query, toString(Settings) from system.query_log where type != 'QueryStart'"
    for query, settings in warehouse.query(logged).result_rows:
        assert not [secret for secret in secrets if secret in query or secret in settings], query[:200]
    for path in files:
        content = path.read_bytes()
        assert not [secret for secret in secrets if secret.encode() in content], path.name


def test_without_a_stored_key_a_build_says_what_to_do(platform: Platform, warehouse: Client) -> None:
    """In a database of its own that has no key beside it; nothing else is built there."""
    environment = platform.environment | {"STIR_CLICKHOUSE_DATABASE": "without_key"}
    target = platform.target.parent / "no-key"
    done = invoke_dbt(environment, target, "compile", "--select", "mart_instagram_phone")
    warehouse.command("drop database if exists without_key")
    assert not done.success
    said = [str(result.message) for result in getattr(done.result, "results", [])] + [str(done.exception)]
    assert "the phone key is not stored: set STIR_PII_SALT and run `stir phone-key`" in "\n".join(said)
