"""`stir alerts --test` as a person runs it, against the double of Slack's API."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result

from stir_assets.cli.main import cli
from stir_assets_tests.fixtures.slack import TOKEN, SlackDouble


@pytest.fixture
def routed(stack_env: dict[str, str], slack: SlackDouble, monkeypatch: pytest.MonkeyPatch) -> SlackDouble:
    monkeypatch.setenv("STIR_SLACK_TOKEN", TOKEN)
    monkeypatch.setenv("STIR_SLACK_API_URL", slack.url)
    monkeypatch.setenv("STIR_SLACK_ROUTES", "critical=#oncall, scraping=#scraping")
    return slack


def run_test() -> Result:
    return CliRunner().invoke(cli, ["alerts", "--test"])


def test_every_channel_that_is_set_gets_one_message(routed: SlackDouble) -> None:
    result = run_test()
    assert result.exit_code == 0, result.output
    assert sorted(message.channel for message in routed.posted) == ["C001", "C002", "C003"]
    assert result.output.splitlines() == [
        "#oncall: arrived",
        "#scraping: arrived",
        "#stir-alerts: arrived",
    ]


def test_a_channel_that_does_not_work_is_named_and_the_others_are_tried(routed: SlackDouble) -> None:
    routed.archived.add("C002")
    result = run_test()
    assert result.exit_code != 0
    assert "#oncall: Slack says is_archived" in result.output
    assert "#scraping: arrived" in result.output
    assert "#stir-alerts: arrived" in result.output


def test_a_wrong_token_is_said_and_not_shown(routed: SlackDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STIR_SLACK_TOKEN", "xoxb-wrong-0123456789")
    result = run_test()
    assert result.exit_code != 0
    assert "#oncall: Slack says invalid_auth" in result.output
    assert "xoxb-wrong" not in result.output


def test_without_a_token_it_says_where_alerts_go(stack_env: dict[str, str]) -> None:
    result = run_test()
    assert result.exit_code == 0
    assert "go to the log" in result.output
