"""Facts of scrape flows from a real log, and what the sensor reports of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from stir_assets.automation.scraping import flow_check, flow_event, looks
from stir_assets.core.scheduling.model import Graph, Node
from stir_assets.core.scraping.flows import FLOWS
from stir_assets.core.scraping.judge import judge
from stir_assets.core.scraping.model import FailureClass, FlowFacts, FlowState
from stir_assets.core.scraping.query import read_flows
from stir_assets.core.source_tables import load_source_tables
from stir_assets.settings import DBT_PROJECT_DIR

NOW = datetime(2030, 1, 2, 12, 0, tzinfo=UTC)
POSTS = next(terms for terms in FLOWS if terms.name == "refresh_post_by_shortcode")


class Log:
    """The scraper's two tables in the test's own database."""

    def __init__(self, client: Client) -> None:
        self.client, self.number = client, 0
        tables = {table.key: table for table in load_source_tables(Path(DBT_PROJECT_DIR) / "models/sources")}
        for key in ("beat_replica.recent_scrape_request_log", "_e.scrape_request_log_events"):
            client.command(tables[key].create_sql(f"{client.database}.{tables[key].name}"))

    def request(
        self,
        made: float,
        status: str = "COMPLETE",
        *,
        done: float | None = None,
        picked: float | None = None,
        error: str | None = None,
        flow: str = POSTS.name,
        number: int | None = None,
    ) -> int:
        """A request made, picked up and done so many minutes ago."""
        self.number += 1
        number = number or self.number
        finished = None if status in ("PENDING", "PROCESSING") else ago(made if done is None else done)
        self.client.insert(
            "recent_scrape_request_log",
            [[number, "INSTAGRAM", flow, status, error, ago(made), finished]],
            column_names=["id", "platform", "flow", "status", "data", "created_at", "scraped_at"],
        )
        if picked is not None:
            self.client.insert(
                "scrape_request_log_events",
                [
                    [
                        f"{number}-{status}",
                        ago(picked),
                        str(number),
                        flow,
                        "INSTAGRAM",
                        "PROCESSING",
                        ago(picked),
                        ago(picked),
                    ]
                ],
                column_names=[
                    *("event_id", "event_timestamp", "scl_id", "flow", "platform", "status"),
                    *("picked_at", "insert_timestamp"),
                ],
            )
        return number

    def facts(self, at: datetime = NOW) -> dict[str, FlowFacts]:
        schema: Any = self.client.database
        return read_flows(self.client, FLOWS, at.timestamp(), log_schema=schema, event_schema=schema)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def seconds(minutes: float) -> float:
    return ago(minutes).timestamp()


@pytest.fixture
def log(clickhouse: Client) -> Log:
    return Log(clickhouse)


def test_an_empty_log_says_nothing(log: Log) -> None:
    assert log.facts() == {}


def test_counts_and_ages_of_a_flow(log: Log) -> None:
    log.request(600, done=590)
    log.request(30, done=20)
    log.request(25, "PENDING")
    log.request(15, "PENDING")
    log.request(200, "PROCESSING", picked=150)
    log.request(40, "PROCESSING", picked=5)
    found = log.facts()[POSTS.name]
    assert found == FlowFacts(
        as_of=seconds(15),
        requested=5,
        newest_request=int(seconds(15)),
        newest_success=int(seconds(20)),
        succeeded=1,
        pending=2,
        oldest_pending=int(seconds(25)),
        processing=2,
        oldest_pickup=int(seconds(150)),
        stuck=1,
        unanswered=1,
        unanswered_since=int(seconds(15)),
    )


def test_a_flow_that_nobody_asks_for_has_no_newest_request(log: Log) -> None:
    log.request(30, done=20)
    other = log.facts()["fetch_hashtag_posts"]
    assert other == FlowFacts(as_of=seconds(20))


def test_failures_are_classed_by_the_code_and_the_excused_ones_answer_the_request(log: Log) -> None:
    log.request(300, done=299)
    for error in ("(204) nothing", "(409) busy", "(429) slow down", "(500) oops", "no code", "(429) again"):
        log.request(60, "FAILED", done=50, error=error)
    found = log.facts()[POSTS.name]
    assert found.failed == {
        FailureClass.NOTHING_FOUND: 1,
        FailureClass.CONFLICT: 1,
        FailureClass.RATE_LIMITED: 2,
        FailureClass.OTHER: 2,
    }
    # An answer that the profile is gone shows that the scraper works.
    assert found.unanswered == 0
    log.request(45, "FAILED", done=44, error="(500) oops")
    assert log.facts()[POSTS.name].unanswered == 1


def test_the_last_version_of_a_request_counts(log: Log) -> None:
    number = log.request(90, "PENDING")
    log.request(90, "PROCESSING", picked=80, number=number)
    assert log.facts()[POSTS.name].pending == 0
    log.request(90, done=70, number=number)
    found = log.facts()[POSTS.name]
    assert (found.pending, found.processing, found.succeeded) == (0, 0, 1)


def test_a_flow_that_stops_answering_goes_down_and_a_log_that_stops_freezes_it(log: Log) -> None:
    log.request(400, done=390)
    for minutes in (300, 250, 200, 100):
        log.request(minutes, "PENDING")
    # The log moves on by another flow; the clock of the judgement is the log's.
    log.request(10, done=5, flow="fetch_post_comments")
    assert judge(POSTS, log.facts()[POSTS.name]).state is FlowState.DOWN
    assert (
        judge(POSTS, log.facts(NOW + timedelta(hours=20))["fetch_post_comments"]).state is FlowState.HEALTHY
    )


def test_what_is_reported_of_a_flow(log: Log) -> None:
    log.request(30, done=20)
    log.request(25, "PROCESSING", picked=22)
    [look] = looks([POSTS], log.facts(), {}, NOW.timestamp())
    graph = Graph.of(
        [
            Node(POSTS.key, managed=False),
            Node("stir/m", deps=(POSTS.key,)),
            Node("serving/prod/t", deps=("stir/m",)),
        ]
    )
    event = flow_event(look, graph)
    assert event.metadata["state"].value == "healthy"
    assert event.metadata["stir/data_time"].value == seconds(20)
    assert event.metadata["oldest in work (minutes)"].value == 2.0
    assert "serving/prod/t" in str(event.metadata["endangers"].value)
    assert (event.tags or {})["dagster/data_version"] == str(int(seconds(20)))
    assert flow_check(look).passed


def test_requests_from_the_future_are_left_out(log: Log) -> None:
    log.request(30, done=20)
    log.request(-600, "PENDING")
    found = log.facts()[POSTS.name]
    assert (found.pending, found.as_of) == (0, seconds(20))
