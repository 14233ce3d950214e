"""From an event in ClickHouse to the row that shows it: `stir bench latency`, on the running stack.

Marked events are put into source tables while the generated world advances, and looked for where readers would
see them. Two places:

- `recent_scl`, the five-minute tier: a request in the scraper's recent log, looked for in the model in
  ClickHouse. No serving table reads that model, so it ends there.
- `summary`, the shortest promise in PostgreSQL (30 minutes): a new caption of a post, looked for in
  `public.collection_post_metrics_summary`, fourteen models and a publication further. `--as-hot` lends it the terms
  of the five-minute tier for the time of the bench.

The time in between has parts that differ in kind. How long a change waits for its term is what the declaration
asks for; the rest is the path, which is as short as the platform is fast.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import click
import dagster as dg
import psycopg
from clickhouse_connect.driver.client import Client

from stir_assets.automation.temporary_terms import set_temporary_terms
from stir_assets.bench.world_clock import WorldClock
from stir_assets.core.clickhouse import clickhouse_client
from stir_assets.errors import ConfigError
from stir_assets.local.connect import connected_settings

_LOOK_SECONDS = 0.25
# The five-minute tier with an aim that is worth half of the time.
HOT_TERMS = {"warn": "5m", "fail": "10m", "every": "45s", "share": "50%"}
# The first run with lent terms makes up for all that was not hot before.
_SETTLED_WITHIN = 180.0
_PARTS = ("noticed", "waited", "queued", "built", "of it models", "published", "path", "total")
_LONGEST_RUN = 3600.0


@dataclass
class Mark:
    """One marked event. Moments in seconds since the epoch."""

    text: str
    at: float
    visible: float | None = None
    overwritten: bool = False
    """The world put another event of the same row before anybody had seen it."""


@dataclass(frozen=True)
class Place:
    """Where marks are put and looked for."""

    name: str
    source: str
    target: str
    put: Callable[[str], None]
    look: Callable[[], set[str]]
    """Marks that a reader sees now."""
    kept: Callable[[], set[str]]
    """Marks that are the last word in their source."""
    mart: str | None = None
    """The model that the target is published from."""


@dataclass
class Found:
    """Marks of one place, and the parts of each one's time in seconds."""

    place: Place
    marks: list[Mark] = field(default_factory=list)
    parts: list[dict[str, float]] = field(default_factory=list)


def recent_scl(client: Client) -> Place:
    """The five-minute tier, as far as it goes: the model in ClickHouse."""
    table = "beat_replica.recent_scrape_request_log"

    def put(text: str) -> None:
        client.command(
            f"INSERT INTO {table} (id, platform, flow, status, params, priority, idempotency_key, created_at) "
            "SELECT toInt64(9e15) + {number:Int64}, 'INSTAGRAM', 'refresh_profile_by_handle', 'PENDING', '{}', 1, "
            "{text:String}, now()",
            parameters={"text": text, "number": uuid.uuid4().int % 10**12},
        )

    def marks(schema: str, name: str) -> set[str]:
        rows = client.query(
            "SELECT idempotency_key FROM {schema:Identifier}.{name:Identifier} "
            "WHERE startsWith(idempotency_key, 'mark-')",
            parameters={"schema": schema, "name": name},
        ).result_rows
        return {str(row[0]) for row in rows}

    return Place(
        "recent_scl",
        "beat_replica/recent_scrape_request_log",
        "stir/stg_beat_recent_scrape_request_log",
        put,
        lambda: marks("stir", "stg_beat_recent_scrape_request_log"),
        lambda: marks("beat_replica", "recent_scrape_request_log"),
    )


def summary(client: Client, product: psycopg.Connection) -> Place:
    """The campaign report's posts in PostgreSQL. Each mark is the new caption of another post."""
    codes = [
        row[0]
        for row in product.execute(
            "select post_short_code from public.collection_post_metrics_summary "
            "where platform = 'INSTAGRAM' order by post_short_code limit 50"
        )
    ]
    if not codes:
        raise ConfigError("public.collection_post_metrics_summary has no posts: run `stir demo` first")
    used = iter(codes * 1000)

    def put(text: str) -> None:
        client.command(
            "INSERT INTO beat_replica.instagram_post_simple "
            "SELECT * REPLACE ({text:String} AS caption, now() AS updated_at) "
            "FROM beat_replica.instagram_post_simple FINAL WHERE shortcode = {code:String}",
            parameters={"text": text, "code": next(used)},
        )

    def look() -> set[str]:
        rows = product.execute(
            "select post_title from public.collection_post_metrics_summary where post_title like 'mark-%'"
        )
        return {row[0] for row in rows}

    def kept() -> set[str]:
        rows = client.query(
            "SELECT caption FROM beat_replica.instagram_post_simple FINAL WHERE startsWith(caption, 'mark-')"
        ).result_rows
        return {str(row[0]) for row in rows}

    return Place(
        "summary",
        "beat_replica/instagram_post_simple",
        "serving/prod/collection_post_metrics_summary",
        put,
        look,
        kept,
        "stir/mart_collection_post",
    )


def measure(
    places: Sequence[Place], instance: dg.DagsterInstance, seconds: float, every: float
) -> list[Found]:
    """Puts a mark into each place every `every` seconds for `seconds`, then waits as long again at most for the last."""
    found = [Found(place) for place in places]
    begun = time.time()
    put_until, next_put = begun + seconds, begun
    while time.time() < put_until + seconds:
        if next_put <= time.time() < put_until:
            next_put += every
            for each in found:
                text = f"mark-{each.place.name}-{uuid.uuid4().hex[:12]}"
                each.marks.append(Mark(text, time.time()))
                each.place.put(text)
        for each in found:
            waiting = [mark for mark in each.marks if mark.visible is None]
            seen = each.place.look() if waiting else set()
            now = time.time()
            for mark in waiting:
                if mark.text in seen:
                    mark.visible = now
                    each.parts.append(_parts(instance, each.place, mark))
        if time.time() > put_until and not any(_awaited(each) for each in found):
            break
        time.sleep(_LOOK_SECONDS)
    for each in found:
        kept = each.place.kept()
        for mark in each.marks:
            mark.overwritten = mark.visible is None and mark.text not in kept
    return found


def _awaited(found: Found) -> bool:
    """Whether a mark can still be seen: the world overwrites some."""
    unseen = {mark.text for mark in found.marks if mark.visible is None}
    return not unseen.isdisjoint(found.place.kept()) if unseen else False


def settled(instance: dg.DagsterInstance, target: str, seconds: float) -> bool:
    """Waits for the next materialization of `target`, at most `seconds`; whether it came."""
    begun = time.time()
    while time.time() < begun + seconds:
        event = instance.get_latest_materialization_event(dg.AssetKey.from_user_string(target))
        if event is not None and event.timestamp > begun:
            return True
        time.sleep(1)
    return False


def _parts(instance: dg.DagsterInstance, place: Place, mark: Mark) -> dict[str, float]:
    """Where the time went: noticed by the sensor, waited for its term, queued, built; path is all but the wait.

    A mark that was put while a run was on its way, and is in it all the same, was neither noticed nor waited for.
    """
    visible = mark.visible or mark.at
    run_id, asked, started = _shown_by(instance, place.target, visible)
    events = instance.fetch_materializations(dg.AssetKey.from_user_string(place.source), limit=50).records
    noticed = min((event.timestamp for event in events if event.timestamp >= mark.at), default=visible)
    ended = _built_in(instance, place.mart, run_id) if place.mart is not None else None
    return parts_of(mark.at, noticed, asked, started, visible, ended)


def parts_of(
    at: float, noticed: float, asked: float, started: float, visible: float, mart_ended: float | None = None
) -> dict[str, float]:
    """Seconds between moments: put, noticed, the run asked for and begun, its mart built, seen by a reader.

    Of what went before the mark, nothing is the mark's.
    """
    asked = min(max(asked, at), visible)
    started = min(max(started, asked), visible)
    noticed = min(noticed, asked)
    parts = {
        "noticed": noticed - at,
        "waited": asked - noticed,
        "queued": started - asked,
        "built": visible - started,
        "total": visible - at,
    }
    if mart_ended is not None:
        ended = min(max(mart_ended, started), visible)
        parts |= {"of it models": ended - started, "published": visible - ended}
    return parts | {"path": parts["total"] - parts["waited"]}


def _shown_by(instance: dg.DagsterInstance, target: str, visible: float) -> tuple[str, float, float]:
    """The run by which a mark was seen: id, when it was asked for, when it began.

    It is the last one of the target that had begun by then, for there is never more than one at a time.
    """
    key = dg.AssetKey.from_user_string(target)
    since = datetime.fromtimestamp(visible - _LONGEST_RUN, UTC)
    runs = [
        (record.start_time, record.create_timestamp.timestamp(), record.dagster_run.run_id)
        for record in instance.get_run_records(dg.RunsFilter(created_after=since), limit=500)
        if record.start_time
        and record.start_time <= visible
        and key in (record.dagster_run.asset_selection or ())
    ]
    started, asked, run_id = max(runs, default=(visible, visible, ""))
    return run_id, asked, started


def _built_in(instance: dg.DagsterInstance, key: str, run_id: str) -> float | None:
    found = instance.fetch_materializations(dg.AssetKey.from_user_string(key), limit=20).records
    return next((event.timestamp for event in found if event.run_id == run_id), None)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _table(found: Sequence[Found]) -> Iterator[str]:
    yield f"{'place':<12} {'part':<12} {'best s':>7} {'p50 s':>7} {'p95 s':>7} {'max s':>7}   marks seen"
    for each in found:
        for part in _PARTS:
            values = [parts[part] for parts in each.parts if part in parts]
            if values:
                figures = " ".join(f"{figure:>7.1f}" for figure in _figures(values))
                yield f"{each.place.name:<12} {part:<12} {figures}   {len(values)} of {len(each.marks)}"
        if overwritten := sum(mark.overwritten for mark in each.marks):
            yield f"{each.place.name:<12} {overwritten} more were overwritten by the world before they were seen"
        if not each.parts:
            yield f"{each.place.name:<12} none of {len(each.marks)} marks was seen"


def _figures(values: Sequence[float]) -> tuple[float, ...]:
    return min(values), percentile(values, 0.5), percentile(values, 0.95), max(values)


@click.command()
@click.option("--minutes", type=click.FloatRange(min=1), default=15.0, show_default=True)
@click.option("--every", type=click.FloatRange(min=1), default=20.0, show_default=True, help="Seconds.")
@click.option(
    "--place", "names", multiple=True, type=click.Choice(["recent_scl", "summary"]), help="Default: both."
)
@click.option("--advance/--no-advance", default=True, show_default=True, help="Let the world's time pass.")
@click.option(
    "--as-hot",
    is_flag=True,
    help="Lend the places hot terms meanwhile: five minutes, aiming at 45 s in half of the time. Marks begin "
    "when the first run with them is over.",
)
def command(minutes: float, every: float, names: tuple[str, ...], advance: bool, as_hot: bool) -> None:
    """Marked events on the running stack: seconds until each is visible, and where they went.

    The marks stay in the source tables: new requests of a made-up id, new captions of some posts.
    """
    settings = connected_settings()
    clock = WorldClock(settings)
    with (
        contextlib.closing(clickhouse_client(settings.clickhouse)) as client,
        psycopg.connect(settings.postgres_dsn, autocommit=True) as product,
        dg.DagsterInstance.get() as instance,
    ):
        makers = {"recent_scl": lambda: recent_scl(client), "summary": lambda: summary(client, product)}
        places = [makers[name]() for name in (names or makers)]
        if advance:
            clock.advance()
            clock.start()
        lent = {place.target: HOT_TERMS for place in places if as_hot}
        if lent:
            until = time.time() + len(places) * _SETTLED_WITHIN + 2 * minutes * 60 + 60
            set_temporary_terms(instance, lent, until)
        try:
            for place in places:
                if lent and not settled(instance, place.target, _SETTLED_WITHIN):
                    click.echo(f"{place.target} was not built within {_SETTLED_WITHIN:.0f} s of lent terms")
            found = measure(places, instance, minutes * 60, every)
        finally:
            clock.stop()
            if lent:
                set_temporary_terms(instance, {}, 0.0)
    for line in _table(found):
        click.echo(line)
    for target in lent:
        click.echo(f"{target} had lent terms meanwhile: {HOT_TERMS}, instead of those that it declares")
