"""Builds the world and advances its clock. The public API for tests and for `stir seed`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace as changed
from datetime import UTC, datetime, timedelta

import numpy as np
from clickhouse_connect.driver.client import Client
from psycopg import Connection

from stir_assets.world import entities, product, statements, vocabulary
from stir_assets.world.flows import flow_columns
from stir_assets.world.schema import create_source_tables, source_tables
from stir_assets.world.storage import WorldError, WorldState, create_world_tables, read_state, write_state

# Peer groups need more than a hundred accounts and shared audiences some hundred: below these sizes models
# that work on groups would have nothing to say.
MIN_PROFILES = 320
MIN_CHANNELS = 200
PROFILES_AT_SCALE_1 = 2_000
CHANNELS_AT_SCALE_1 = 1_000
MAX_SCALE = 50.0
Progress = Callable[[str], None]


def build_world(
    client: Client,
    *,
    scale: float = 1.0,
    seed: int = 7,
    now: datetime | None = None,
    product_connection: Connection | None = None,
    replace: bool = False,
    progress: Progress | None = None,
) -> WorldState:
    """Fill every source table (and the product tables, given a connection) with the world up to `now`.

    `now` (UTC) defaults to the last full hour; the same seed, scale and `now` give identical rows. Creates
    the tables if they are missing. Raises `WorldError` when source tables hold rows already and `replace` is
    False (then nothing is changed), or when an argument is out of range.
    """
    anchor = _anchor(now)
    if not 0 < scale <= MAX_SCALE:
        raise WorldError(f"scale {scale} is out of range: use more than 0 and at most {MAX_SCALE:g}")
    if not 0 <= seed < 2**63:
        raise WorldError(f"seed {seed} is out of range: use 0 to 2^63 - 1")
    create_source_tables(client)
    _make_room(client, replace=replace)
    if product_connection:
        product.create_product_tables(product_connection)
    create_world_tables(client)
    state = WorldState(0, "writing", seed, scale, anchor, anchor)
    write_state(client, state)
    _insert_characters(client, state, progress)
    window = _window(state, statements.dawn(int(anchor.timestamp())), int(anchor.timestamp()))
    statements.run(client, "stream", window, progress)
    statements.run(client, "frozen", window, progress)
    if product_connection:
        product.load_product_tables(product_connection, client)
    state = changed(state, phase="done")
    write_state(client, state)
    return state


def advance_world(
    client: Client,
    delta: timedelta,
    *,
    product_connection: Connection | None = None,
    progress: Progress | None = None,
    without: Collection[str] = (),
) -> WorldState:
    """Let `delta` pass: add what would have happened since and refresh what would have changed.

    Two advances of three hours give the rows that one of six gives. `without` names statements of `sql/stream`
    that do not run: a source that has stopped. Raises `WorldError` when there is no
    world, when its last change was interrupted, or when `delta` is shorter than a second.
    """
    seconds = int(delta.total_seconds())
    if seconds < 1:
        raise WorldError(f"cannot advance by {delta}: the clock moves forward by at least one second")
    state = read_state(client)
    if state is None:
        raise WorldError("there is no world to advance: run `stir seed` first")
    if state.phase == "writing":
        raise WorldError(
            f"the world's last change (step {state.step}) was interrupted: run `stir seed --replace`"
        )
    t0 = int(state.clock.timestamp())
    if product_connection:
        product.create_product_tables(product_connection)
    state = changed(
        state, step=state.step + 1, phase="writing", clock=datetime.fromtimestamp(t0 + seconds, UTC)
    )
    write_state(client, state)
    statements.run(client, "stream", _window(state, t0, t0 + seconds), progress, without=without)
    if product_connection:
        product.refresh_product_tables(product_connection, client, since=t0)
    state = changed(state, phase="done")
    write_state(client, state)
    return state


def row_counts(client: Client) -> dict[str, int]:
    """Rows of every source table (`schema.table`), all versions counted."""
    rows = client.query(
        "SELECT concat(database, '.', name), toInt64(ifNull(total_rows, 0)) FROM system.tables"
        " WHERE database IN {schemas:Array(String)}",
        parameters={"schemas": sorted({table.schema for table in source_tables()})},
    ).result_rows
    counts = {str(key): int(count) for key, count in rows}
    return {table.key: counts.get(table.key, 0) for table in source_tables()}


def _anchor(now: datetime | None) -> datetime:
    if now is None:
        return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    if now.tzinfo is None:
        raise WorldError(f"now={now} has no time zone: give it in UTC")
    return now.astimezone(UTC).replace(microsecond=0)


def _make_room(client: Client, *, replace: bool) -> None:
    filled = {key: count for key, count in row_counts(client).items() if count}
    state = read_state(client)
    if not filled and state is None:
        return
    if not replace:
        what = f"a world of {state.anchor:%Y-%m-%d %H:%M} UTC" if state else "imported rows"
        largest = ", ".join(
            f"{key} ({filled[key]:,})" for key in sorted(filled, key=lambda k: -filled[k])[:3]
        )
        raise WorldError(
            f"the source tables hold {what} already: {largest or 'unfinished'}. "
            "Use `stir seed --advance 6h` to let time pass, or `stir seed --replace` to empty all of them first"
        )
    for table in source_tables():
        client.command(f"TRUNCATE TABLE {table.quoted}")


def _size(state: WorldState) -> tuple[int, int]:
    return (
        max(MIN_PROFILES, int(PROFILES_AT_SCALE_1 * state.scale)),
        max(MIN_CHANNELS, int(CHANNELS_AT_SCALE_1 * state.scale)),
    )


def _window(state: WorldState, t0: int, t1: int) -> statements.Window:
    profiles, channels = _size(state)
    return statements.Window(
        state.seed, int(state.anchor.timestamp()), t0, t1, profiles, channels, state.scale
    )


def _insert_characters(client: Client, state: WorldState, progress: Progress | None) -> None:
    if progress:
        progress("characters")
    rng = np.random.default_rng(state.seed)
    profiles, channels = _size(state)
    anchor = int(state.anchor.timestamp())
    lists = vocabulary.vocabulary_lists()
    tables: dict[str, dict[str, list]] = {
        "stir_world.ig_profile": entities.instagram_profiles(rng, profiles, anchor),
        "stir_world.yt_channel": entities.youtube_channels(rng, channels, anchor),
        "stir_world.vocabulary": {"list": list(lists), "words": list(lists.values())},
        "stir_world.flow": flow_columns(),
        "dbt.mart_country_codes": {
            "name": list(vocabulary.COUNTRIES.values()),
            "code": list(vocabulary.COUNTRIES),
        },
        "vidooly.youtube_category": {
            "id": list(vocabulary.YOUTUBE_CATEGORIES),
            "category": list(vocabulary.YOUTUBE_CATEGORIES.values()),
        },
    }
    for table, columns in tables.items():
        client.insert(table, list(columns.values()), column_names=list(columns), column_oriented=True)
