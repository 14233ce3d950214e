"""Building twice, advancing in steps, refusing what would double rows."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from clickhouse_connect.driver.client import Client

from stir_assets.world.build import advance_world, build_world, row_counts
from stir_assets.world.schema import SchemaDriftError, create_source_tables, source_tables
from stir_assets.world.storage import WorldError, read_state
from stir_assets_tests.integration.world.conftest import NOW, SCALE


def fingerprints(client: Client) -> dict[str, tuple[int, int]]:
    """Rows and a sum of row hashes per table; of replicas the newest versions."""
    found = {}
    for table in source_tables():
        final = " FINAL" if table.replaces_rows else ""
        found[table.key] = client.query(
            f"SELECT count(), sum(cityHash64(toString(tuple(*)))) FROM {table.quoted}{final}"
        ).result_rows[0]
    return found


def build(client: Client, *, seed: int = 7, connection: psycopg.Connection | None = None) -> None:
    build_world(client, scale=SCALE, seed=seed, now=NOW, replace=True, product_connection=connection)


def ensure_world(client: Client) -> None:
    """Whatever finished world is there, else a new one."""
    state = read_state(client)
    if state is None or state.phase != "done" or not all(row_counts(client).values()):
        build(client)


@pytest.mark.slow
def test_two_steps_equal_one_and_a_rebuild_equals_the_first(
    client: Client, product_connection: psycopg.Connection
) -> None:
    build(client, connection=product_connection)
    built = fingerprints(client)
    before = row_counts(client)
    advance_world(client, timedelta(hours=7), product_connection=product_connection)
    advanced = fingerprints(client)

    grown = {key for key in advanced if advanced[key] != built[key]}
    assert {"_e.post_log_events", "_e.scrape_request_log_events", "beat_replica.instagram_account"} <= grown
    # Only newer rows: what had arrived before is still there, unchanged.
    for table in source_tables():
        if table.arrival:
            old = client.query(
                f"SELECT count(), sum(cityHash64(toString(tuple(*)))) FROM {table.quoted}"
                f" WHERE {table.arrival} <= toDateTime({int(NOW.timestamp())})"
            ).result_rows[0]
            assert old == built[table.key], table.key
    assert all(row_counts(client)[key] >= count for key, count in before.items() if not _replaced(key))
    stale = product_connection.execute(
        "select count(*) from public.instagram_account where updated_at > %s", [NOW]
    ).fetchone()
    assert stale is not None
    assert stale[0] > 0

    build(client)
    assert fingerprints(client) == built
    for minutes in (1, 179, 240):
        advance_world(client, timedelta(minutes=minutes))
    assert fingerprints(client) == advanced
    state = read_state(client)
    assert state is not None
    assert state.clock == NOW + timedelta(hours=7)


def _replaced(key: str) -> bool:
    return next(table for table in source_tables() if table.key == key).replaces_rows


@pytest.mark.slow
def test_another_seed_gives_another_world(client: Client) -> None:
    ensure_world(client)
    other = fingerprints(client)
    build(client, seed=8)
    same = {key for key, value in fingerprints(client).items() if value == other[key]}
    assert same <= {"dbt.mart_country_codes", "vidooly.category", "vidooly.youtube_category"}


def test_a_second_seed_is_refused_and_changes_nothing(client: Client) -> None:
    ensure_world(client)
    before = row_counts(client)
    with pytest.raises(
        WorldError, match=r"already: _e\..* Use `stir seed --advance 6h`.*`stir seed --replace`"
    ):
        build_world(client, scale=SCALE, seed=7, now=NOW)
    assert row_counts(client) == before


def test_imported_rows_are_not_mixed_with_generated_ones(client: Client) -> None:
    create_source_tables(client)
    client.command("DROP DATABASE IF EXISTS stir_world")
    client.insert("dbt.mart_country_codes", [["Freedonia", "XX"]], column_names=["name", "code"])
    with pytest.raises(WorldError, match="hold imported rows already"):
        build_world(client, scale=SCALE, now=NOW)


def test_an_interrupted_build_must_be_replaced(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr("stir_assets.world.statements.run", fail)
        with pytest.raises(RuntimeError, match="power cut"):
            build(client)
    with pytest.raises(WorldError, match=r"interrupted: run `stir seed --replace`"):
        advance_world(client, timedelta(hours=1))
    with pytest.raises(WorldError, match=r"stir seed --replace"):
        build_world(client, scale=SCALE, now=NOW)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 0}, "scale 0 is out of range"),
        ({"scale": 1000}, "scale 1000 is out of range"),
        ({"seed": -1}, "seed -1 is out of range"),
        ({"now": NOW.replace(tzinfo=None)}, "has no time zone"),
    ],
)
def test_arguments_out_of_range_are_refused(client: Client, arguments: dict, message: str) -> None:
    with pytest.raises(WorldError, match=message):
        build_world(client, replace=True, **arguments)


def test_the_clock_does_not_stand_or_go_back(client: Client) -> None:
    with pytest.raises(WorldError, match="at least one second"):
        advance_world(client, timedelta(seconds=0))


def test_schema_drift_is_named_and_nothing_is_created(client: Client) -> None:
    create_source_tables(client)
    client.command("DROP TABLE ds.instagram_prediction")
    client.command("ALTER TABLE beat_replica.youtube_account MODIFY COLUMN uploads Int32")
    try:
        with pytest.raises(
            SchemaDriftError,
            match=r"beat_replica\.youtube_account\.uploads is Int32, declared Int64: migrate",
        ):
            create_source_tables(client)
        assert not int(str(client.command("EXISTS TABLE ds.instagram_prediction")))
    finally:
        client.command("ALTER TABLE beat_replica.youtube_account MODIFY COLUMN uploads Int64")
        create_source_tables(client)
    client.command("ALTER TABLE ds.instagram_prediction ADD COLUMN mood String")
    try:
        with pytest.raises(SchemaDriftError, match=r"ds\.instagram_prediction has a column 'mood'"):
            create_source_tables(client)
    finally:
        client.command("ALTER TABLE ds.instagram_prediction DROP COLUMN mood")
