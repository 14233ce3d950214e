"""The key with which phone numbers are hashed, kept in ClickHouse and never in the text of a query.

dbt models are SQL text, which ends up in `system.query_log` and in dbt's target folder. So the key made from the
salt (STIR_PII_SALT) is put into a table by a Native insert, whose rows no log shows, and models read it from there
(macro `phone_key`). The table has a database of its own, so that one grant keeps it from everybody but dbt's user.

A salt that changed would silently give one person two hashes. It is compared with the stored key before every
run that hashes, and refused until somebody replaces the key on purpose; then the hashes of the old key are removed
first, so that hashes of two keys never stand side by side.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from datetime import UTC, datetime

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from stir_assets.errors import ConfigError

TABLE = "phone_key"
HASHED_COLUMN = "phone"
"""Where every model that hashes keeps the hash; a test holds them to it."""
MIN_SALT_LENGTH = 16
_PURPOSE = b"stir phone numbers"
# What the server answers when nothing was stored yet.
_ABSENT = ("UNKNOWN_TABLE", "UNKNOWN_DATABASE")


def derived_key(salt: str) -> str:
    """HMAC-SHA256 of the purpose with the salt as key, hexadecimal. Raises `ConfigError` on a salt one can guess."""
    if len(salt) < MIN_SALT_LENGTH:
        raise ConfigError(
            f"STIR_PII_SALT has {len(salt)} characters: use a random text of at least {MIN_SALT_LENGTH}, "
            "because whoever guesses it can list the phone numbers behind the hashes"
        )
    return hmac.new(salt.encode(), _PURPOSE, hashlib.sha256).hexdigest()


def key_database(database: str) -> str:
    """The database of the key, beside the one of the models."""
    return f"{database}_keys"


def store_phone_key(
    client: Client, database: str, salt: str, *, replacing: Iterable[str] | None = None, cluster: str = ""
) -> bool:
    """Make sure that the stored key is the one of `salt`; says whether a key was written.

    `database` is the models' one. Raises `ConfigError` when another key is stored, unless `replacing` names the models
    that hash: the hashes in their tables are removed before the new key is written.
    """
    key = derived_key(salt)
    stored = _stored_key(client, database)
    if stored == key:
        return False
    if stored is not None:
        if replacing is None:
            raise ConfigError(
                f"STIR_PII_SALT is not the salt of the stored phone hashes ({key_database(database)}.{TABLE}): "
                "set the old salt again, or run `stir phone-key --replace`, which removes them"
            )
        for model in replacing:
            _forget_hashes(client, database, model)
    _create(client, database, cluster)
    client.insert(
        TABLE,
        [["phone", key, datetime.now(UTC).replace(tzinfo=None)]],
        column_names=["name", "key", "stored_at"],
        database=key_database(database),
    )
    return True


def _forget_hashes(client: Client, database: str, model: str) -> None:
    """Make the hashes of a table NULL; where they cannot be NULL the row is nothing without them, and goes."""
    names = {"database": database, "table": model, "column": HASHED_COLUMN}
    types = client.query(
        "select type from system.columns "
        "where database = {database:String} and table = {table:String} and name = {column:String}",
        parameters=names,
    ).result_rows
    if not types:
        return  # not built yet
    if types[0][0].startswith("Nullable("):
        client.command(
            "alter table {database:Identifier}.{table:Identifier} "
            f"update {HASHED_COLUMN} = null where {HASHED_COLUMN} is not null",
            parameters=names,
            settings={"mutations_sync": 2},
        )
    else:
        client.command("truncate table {database:Identifier}.{table:Identifier}", parameters=names)


def _stored_key(client: Client, database: str) -> str | None:
    try:
        rows = client.query(
            "select argMax(key, stored_at) from {database:Identifier}.{table:Identifier} having count() > 0",
            parameters={"database": key_database(database), "table": TABLE},
        ).result_rows
    except DatabaseError as error:
        if any(code in str(error) for code in _ABSENT):
            return None
        raise
    return rows[0][0] if rows else None


def _create(client: Client, database: str, cluster: str) -> None:
    """One row a name, the newest wins. On a cluster one replicated table holds it on every node of every shard."""
    names = {"database": key_database(database), "table": TABLE, "cluster": cluster}
    where = " on cluster {cluster:Identifier}" if cluster else ""
    engine = (
        "ReplicatedReplacingMergeTree("
        f"'/clickhouse/tables/{key_database(database)}/{TABLE}', '{{shard}}-{{replica}}', stored_at)"
        if cluster
        else "ReplacingMergeTree(stored_at)"
    )
    client.command(f"create database if not exists {{database:Identifier}}{where}", parameters=names)
    client.command(
        f"create table if not exists {{database:Identifier}}.{{table:Identifier}}{where} "
        f"(name String, key String, stored_at DateTime64(3, 'UTC')) engine = {engine} order by name",
        parameters=names,
    )
