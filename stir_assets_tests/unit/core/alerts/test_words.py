"""Secrets left out, Slack's limits kept, settings of alerting parsed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stir_assets.core.alerts.blocks import MAX_BLOCKS, MAX_HEADER, MAX_SECTION, blocks_of
from stir_assets.core.alerts.model import Action, Finding, Kind, Message, Severity
from stir_assets.core.alerts.policy import AlertPolicy, parse_digest, parse_quiet, parse_routes
from stir_assets.core.alerts.words import lines_of, redact, title_of
from stir_assets.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("connect postgresql://stir:hunter22@db:5432/x failed", "hunter22"),
        ("password=hunter22 refused", "hunter22"),
        ('{"api_key": "hunter22"}', "hunter22"),
        ("token xoxb-123-hunter22 is wrong", "hunter22"),
        ("Authorization: Bearer hunter22abc", "hunter22"),
        ("user AKIAABCDEFGHIJKLMNOP denied", "AKIAABCDEFGHIJKLMNOP"),
        ("the value of-our-own appears bare", "of-our-own"),
    ],
)
def test_secrets_do_not_leave(text: str, secret: str) -> None:
    cleaned = redact(text, ["of-our-own", ""])
    assert secret not in cleaned
    assert "***" in cleaned


def test_what_is_no_secret_stays() -> None:
    text = "stir/mart_x: error: column password_age is missing at http://db:8123/?x=1"
    assert redact(text, ["", "abc"]) == text


@settings(deadline=None)
@given(st.text(max_size=400), st.lists(st.text(max_size=9000), max_size=80))
def test_blocks_keep_to_the_limits_of_slack(title: str, lines: list[str]) -> None:
    blocks = blocks_of(Message(1, Action.OPEN, "r", "#c", title or "t", tuple(lines), Severity.WARNING, 0.0))
    assert 1 <= len(blocks) <= MAX_BLOCKS
    assert len(blocks[0]["text"]["text"]) <= MAX_HEADER
    assert all(0 < len(block["text"]["text"]) <= MAX_SECTION for block in blocks[1:])


def test_a_message_lists_causes_then_readers_tables_first_and_counts_the_rest() -> None:
    cause = Finding("r", "s/a", Kind.SOURCE_STOPPED, Severity.CRITICAL, "old & <grey>", "o", "assets/s/a")
    effects = [Finding("r", f"stir/m{n:02}", Kind.AT_RISK, Severity.WARNING, "x", "o") for n in range(30)]
    served = Finding("r", "serving/prod/t", Kind.BROKEN, Severity.CRITICAL, "x", "o")
    first, second = lines_of([*effects, served, cause], "http://ui/")
    assert first == "*<http://ui/assets/s/a|s/a>* · source stopped\nold &amp; &lt;grey&gt;"
    rows = second.splitlines()
    assert rows[0] == "*1 promise broken, 30 promise at risk*"
    assert rows[1] == "• serving/prod/t: x"
    assert rows[-1] == "… and 16 more"
    assert title_of([*effects, served, cause]) == "s/a: source stopped"
    assert title_of(effects) == "promise at risk: stir/m00 and 29 more"


def test_quiet_hours_know_midnight_and_zones() -> None:
    night = parse_quiet("22:00-07:00 Asia/Kolkata", where="x")
    assert night is not None
    assert night.contain(datetime(2030, 1, 1, 16, 31, tzinfo=UTC).timestamp())
    assert not night.contain(datetime(2030, 1, 1, 16, 29, tzinfo=UTC).timestamp())
    assert not night.contain(datetime(2030, 1, 1, 1, 30, tzinfo=UTC).timestamp())
    assert parse_quiet("", where="x") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("22-7", "write it like"),
        ("22:00-22:00", "never end"),
        ("25:00-07:00", "not a time"),
        ("22:00-07:00 Mars", "time zone"),
    ],
)
def test_wrong_quiet_hours_are_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"STIR_ALERTS_QUIET.*{message}"):
        parse_quiet(text, where="STIR_ALERTS_QUIET")


def test_wrong_routes_and_digests_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="STIR_SLACK_ROUTES: 'scraping' is no route"):
        parse_routes("critical=#a, scraping", where="STIR_SLACK_ROUTES")
    with pytest.raises(ConfigError, match="is no route"):
        parse_routes("scraping/urgent=#a", where="x")
    with pytest.raises(ConfigError, match="STIR_ALERTS_DIGEST='8'"):
        parse_digest("8", where="STIR_ALERTS_DIGEST")


def test_the_most_specific_route_wins() -> None:
    policy = AlertPolicy(routes=parse_routes("critical=#c, scraping=#s, scraping/critical=#sc", where="x"))
    assert policy.channel_for("scraping", Severity.CRITICAL) == "#sc"
    assert policy.channel_for("scraping", Severity.WARNING) == "#s"
    assert policy.channel_for("product", Severity.CRITICAL) == "#c"
    assert policy.channel_for("product", Severity.WARNING) == policy.channel
