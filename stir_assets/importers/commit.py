"""From settled observations to the source tables: first everything is worked out, then written.

Nothing is written before all statements that can fail on the data have run. What remains is a few plain
INSERTs of ready rows, in an order in which an interruption is harmless: rows that describe first, events last
(an event that is there says that its row is, too). The same import again completes the rest.
"""

# ruff: noqa: S608 - statements are composed of table names and constants of this package, never of file contents

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stir_assets.core.source_tables import quote
from stir_assets.importers.events import (
    category_names_sql,
    creator_list_sql,
    post_events_sql,
    profile_events_sql,
)
from stir_assets.importers.merge import MERGES, merge_sql, titles_sql
from stir_assets.importers.observations import Post, Profile, Title
from stir_assets.importers.settle import (
    DERIVED_SOURCE,
    Settled,
    derive_channel_counters,
    profiles_from_posts,
    settle_posts,
    settle_profiles,
)
from stir_assets.importers.stage import Stage
from stir_assets.world.schema import source_table

KEYS_PER_BUCKET = 500_000
"""Rows merged in one statement: the joins of a bucket must fit in the memory of the server."""


@dataclass
class Plan:
    """Ready rows per source table, in the order in which they are written."""

    tables: dict[str, str] = field(default_factory=dict)

    def add(self, stage: Stage, target: str) -> str:
        """Make the staging table for the ready rows of `target`; returns its name."""
        self.tables[target] = stage.create_like(f"ready_{len(self.tables)}", source_table(target))
        return self.tables[target]


@dataclass(frozen=True)
class Batch:
    """What a file brought: its kind's event source, its platform, and the moment of the import."""

    source: str
    platform: str
    produces: type[Post] | type[Profile] | type[Title]
    now: int
    categories: Mapping[int, str]


def prepare(stage: Stage, batch: Batch, titles: str | None) -> tuple[Plan, Settled]:
    """Work out every row that the source tables must gain. Writes to staging tables only."""
    plan = Plan()
    if batch.produces is Title:
        return plan, _prepare_titles(stage, batch, plan)
    if batch.produces is Post:
        settled = settle_posts(stage, titles)
        profiles_from_posts(stage)
        if batch.source == DERIVED_SOURCE:
            derive_channel_counters(stage)
    else:
        settled = settle_profiles(stage, batch.now)
    _prepare_lists(stage, batch, plan)
    _prepare_rows(stage, batch, plan, "profiles")
    if batch.produces is Post:
        _prepare_rows(stage, batch, plan, "posts")
    stage.run(
        profile_events_sql(
            stage, plan.add(stage, "_e.profile_log_events"), batch.source, batch.platform, batch.now
        )
    )
    if batch.produces is Post:
        stage.run(
            post_events_sql(
                stage, plan.add(stage, "_e.post_log_events"), batch.source, batch.platform, batch.now
            )
        )
    return plan, settled


def _prepare_titles(stage: Stage, batch: Batch, plan: Plan) -> Settled:
    raw = stage.table("titles")
    total, distinct, keys = stage.one(
        f"SELECT count(), uniqExact((shortcode, title)), uniqExact(shortcode) FROM {raw}"
    )
    target = source_table("beat_replica.youtube_post_simple")
    stage.run(titles_sql(target, raw, plan.add(stage, target.key), batch.now))
    return Settled(keys, total - distinct, distinct - keys)


def _prepare_rows(stage: Stage, batch: Batch, plan: Plan, what: str) -> None:
    merge = MERGES[(batch.platform, what)]
    settled, target = stage.table(what), source_table(merge.table)
    destination = plan.add(stage, merge.table)
    buckets = stage.count(settled) // KEYS_PER_BUCKET + 1
    for number in range(buckets):
        stage.run(merge_sql(merge, target, settled, destination, batch.now, (number, buckets)))


def _prepare_lists(stage: Stage, batch: Batch, plan: Plan) -> None:
    """Category names, and the creator list through which the marts read the category of a creator."""
    names = plan.add(stage, "vidooly.category")
    stage.run(category_names_sql(stage, names))
    if batch.platform == "YOUTUBE" and batch.produces is Post and batch.categories:
        ids = ", ".join(str(number) for number in batch.categories)
        texts = ", ".join(quote_text(name) for name in batch.categories.values())
        stage.run(
            f"INSERT INTO {plan.add(stage, 'vidooly.youtube_category')} (id, category)"
            f" SELECT x.1, x.2 FROM (SELECT arrayJoin(arrayZip([{ids}], [{texts}])) AS x)"
            f" WHERE x.1 NOT IN (SELECT id FROM vidooly.youtube_category)"
            f" AND x.1 IN (SELECT category_id FROM {stage.table('posts')} WHERE isNotNull(category_id))"
        )
    creators = plan.add(stage, "vidooly.social_profiles_new_20230217")
    stage.run(creator_list_sql(stage, creators, batch.platform, names))


def quote_text(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def write(stage: Stage, plan: Plan) -> dict[str, int]:
    """Copy the ready rows into the source tables; returns rows written per table."""
    counts = {target: stage.count(ready) for target, ready in plan.tables.items()}
    for target, ready in plan.tables.items():
        if counts[target]:
            table = source_table(target)
            columns = ", ".join(quote(name) for name in table.column_names)
            stage.run(f"INSERT INTO {table.quoted} ({columns}) SELECT {columns} FROM {ready}")
    return counts
