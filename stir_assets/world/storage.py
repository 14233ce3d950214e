"""The hidden tables of the world in ClickHouse: its characters, its posts, its requests and its clock.

They live in the database `stir_world`; no model reads them. Nothing here knows what happens in the world.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from clickhouse_connect.driver.client import Client

from stir_assets.errors import PermanentError

CHARACTER_COLUMNS = """
    idx UInt32, app_id Int64, followers Float64, growth Float64, viral_at Int64, viral_gain Float64,
    language LowCardinality(String), category LowCardinality(String), place Int32, home LowCardinality(String),
    country LowCardinality(Nullable(String)), label LowCardinality(Nullable(String)),
    gender LowCardinality(String), post_every Int64, post_phase Int64, observe_every Int64, observe_phase Int64,
    born Int64, gone Int64, connected UInt8
"""
TABLES = {
    "ig_profile": f"""({CHARACTER_COLUMNS}, profile_id String, handle String, full_name String,
        biography Nullable(String), kind LowCardinality(String), following Int64, is_private UInt8,
        er Float64, phone String, email String) ENGINE = MergeTree ORDER BY idx""",
    "yt_channel": f"""({CHARACTER_COLUMNS}, channel_id String, title String, custom_url String,
        tagged_country LowCardinality(Nullable(String)), views_per_video Float64, linked_idx Int32)
        ENGINE = MergeTree ORDER BY idx""",
    "vocabulary": "(list String, words Array(String)) ENGINE = MergeTree ORDER BY list",
    "flow": """(flow String, platform String, entity String, share Float64, lower Float64, upper Float64)
        ENGINE = MergeTree ORDER BY flow""",
    "post": """(platform LowCardinality(String), owner UInt32, k UInt32, id Int64, shortcode String,
        profile_id String, handle String, post_type LowCardinality(String), at Int64, peak_likes Float64,
        peak_plays Float64, peak_comments Float64, tau Float64, language LowCardinality(String), title String,
        caption String, place Int32, tagged Array(String), tracked UInt8, insights UInt8, gone Int64,
        followers Int64, observations UInt32) ENGINE = MergeTree ORDER BY (at, id)""",
    "request": """(id Int64, flow LowCardinality(String), platform LowCardinality(String), params String,
        created Int64, picked Int64, finished Int64, failed UInt8, error String, retries Int32)
        ENGINE = MergeTree ORDER BY created""",
    "item": """(id Int64, post_id Int64, owner UInt32, platform LowCardinality(String), shortcode String,
        handle String, post_type LowCardinality(String), collection UInt32, created Int64, link String)
        ENGINE = MergeTree ORDER BY created""",
    "state": """(step UInt32, phase LowCardinality(String), seed UInt64, scale Float64, anchor DateTime('UTC'),
        clock DateTime('UTC'), written_at DateTime64(3, 'UTC') DEFAULT now64(3))
        ENGINE = MergeTree ORDER BY (step, written_at)""",
}
Phase = Literal["writing", "done"]


class WorldError(PermanentError):
    """The world cannot be built or advanced as asked; the message says why and what to do."""


@dataclass(frozen=True)
class WorldState:
    """Where the world stands: `clock` is the newest moment it contains, `anchor` the one it was built for."""

    step: int
    phase: Phase
    seed: int
    scale: float
    anchor: datetime
    clock: datetime


def create_world_tables(client: Client) -> None:
    """Create `stir_world` with empty tables, dropping what was there."""
    client.command("DROP DATABASE IF EXISTS stir_world")
    client.command("CREATE DATABASE stir_world")
    for name, body in TABLES.items():
        client.command(f"CREATE TABLE stir_world.{name} {body}")


def read_state(client: Client) -> WorldState | None:
    """The state of the world, None when there is none."""
    if not client.command("EXISTS TABLE stir_world.state"):
        return None
    rows = client.query(
        "SELECT step, phase, seed, scale, toUnixTimestamp(anchor), toUnixTimestamp(clock)"
        " FROM stir_world.state ORDER BY step DESC, phase = 'done' DESC LIMIT 1"
    ).result_rows
    if not rows:
        return None
    step, phase, seed, scale, anchor, clock = rows[0]
    return WorldState(
        step, phase, seed, scale, datetime.fromtimestamp(anchor, UTC), datetime.fromtimestamp(clock, UTC)
    )


def write_state(client: Client, state: WorldState) -> None:
    """Append a state; the highest step wins, and `done` over `writing` within it."""
    client.insert(
        "stir_world.state",
        [[state.step, state.phase, state.seed, state.scale, state.anchor, state.clock]],
        column_names=["step", "phase", "seed", "scale", "anchor", "clock"],
    )
