"""Messages to Slack's API over HTTP: what it refuses, its rate limit, and what a crash leaves behind."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stir_assets.core.alerts.delivery import deliver
from stir_assets.core.alerts.incidents import step
from stir_assets.core.alerts.model import Action, Delivery, Finding, Kind, Memory, Severity
from stir_assets.core.alerts.policy import AlertPolicy
from stir_assets.resources.slack import SlackAlerts
from stir_assets_tests.fixtures.slack import TOKEN, SlackDouble

POLICY = AlertPolicy(routes={"critical": "#oncall"})
DEAD = Finding("source:s", "s/a", Kind.SOURCE_STOPPED, Severity.CRITICAL, "nothing came", "scraping")


class Desk:
    """Memory, saved as it is saved in production, and the channel to the double."""

    def __init__(self, slack: SlackDouble, token: str = TOKEN) -> None:
        self.saved = Memory()
        self.now = 1_900_000_000.0
        self.transport = SlackAlerts(token=token, api_url=slack.url).transport()

    def look(self, *findings: Finding, after: float = 30.0) -> Memory:
        self.now += after
        self.save(step(self.saved, findings, self.now, POLICY))
        return self.deliver()

    def deliver(self) -> Memory:
        deliver(self.saved, self.transport, self.now, self.save, default_channel=POLICY.channel)
        return self.saved

    def save(self, memory: Memory) -> None:
        self.saved = Memory.from_json(memory.to_json())


@pytest.fixture
def desk(slack: SlackDouble) -> Desk:
    return Desk(slack)


def test_a_whole_incident_as_people_see_it(slack: SlackDouble, desk: Desk) -> None:
    desk.look(DEAD)
    effects = [
        Finding("source:s", f"stir/m{n}", Kind.BROKEN, Severity.CRITICAL, "x" * 400, "o") for n in range(60)
    ]
    desk.look(DEAD, *effects, after=660)
    desk.look()
    desk.look(after=200)
    [head] = slack.heads
    assert (head.channel, head.title) == ("C002", "well again: s/a: source stopped")
    assert [reply.title for reply in slack.replies(head)] == [
        "s/a: source stopped",
        "well again: s/a: source stopped",
    ]
    assert "60 promise broken" in slack.replies(head)[0].body
    assert not desk.saved.outbox


def test_a_message_beyond_all_limits_arrives_cut(slack: SlackDouble, desk: Desk) -> None:
    many = [
        Finding("source:s", f"s/{'t' * 300}{n}", Kind.SOURCE_STOPPED, Severity.CRITICAL, "y\n" * 9000, "o")
        for n in range(12)
    ]
    desk.look(*many)
    assert len(slack.heads[0].blocks) == 50
    assert desk.saved.history[0].state is Delivery.SENT


def test_the_double_refuses_what_slack_refuses(slack: SlackDouble) -> None:
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "x"}}
    long = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}
    given = {"channel": "#oncall", "text": "t", "blocks": [section]}
    errors = [
        slack.answer("chat.postMessage", token, {**given, **changed})["error"]
        for token, changed in (
            ("", {}),
            ("wrong", {}),
            (TOKEN, {"channel": ""}),
            (TOKEN, {"channel": "#nowhere"}),
            (TOKEN, {"blocks": [section] * 51}),
            (TOKEN, {"blocks": [long]}),
            (TOKEN, {"thread_ts": "1.1"}),
        )
    ]
    assert errors == [
        *("not_authed", "invalid_auth", "invalid_arguments", "channel_not_found"),
        *("invalid_blocks", "invalid_blocks", "thread_not_found"),
    ]


def test_a_rate_limit_is_waited_for_as_long_as_slack_says(slack: SlackDouble, desk: Desk) -> None:
    slack.trouble = ["limit"]
    memory = desk.look(DEAD)
    assert memory.outbox[0].not_before == desk.now + 45
    calls = slack.calls
    desk.look(DEAD, after=44)
    assert slack.calls == calls
    desk.look(DEAD, after=1)
    assert len(slack.posted) == 1


def test_a_message_that_was_perhaps_sent_is_not_sent_again(slack: SlackDouble, desk: Desk) -> None:
    slack.trouble = ["drop"]
    memory = desk.look(DEAD)
    assert memory.history[-1].state is Delivery.UNKNOWN
    for _ in range(10):
        desk.look(DEAD)
    assert len(slack.posted) == 1
    slack.trouble = ["500"]
    desk.look(Finding("source:x", "x/y", Kind.SOURCE_LATE, Severity.WARNING, "late", "o"), DEAD)
    assert desk.saved.history[-1].state is Delivery.UNKNOWN


def test_after_a_crash_while_sending_it_is_not_sent_again_but_announced_while_it_lasts(
    slack: SlackDouble, desk: Desk
) -> None:
    looked = step(Memory(), [DEAD], desk.now, POLICY)
    desk.save(replace(looked, outbox=(replace(looked.outbox[0], state=Delivery.SENDING),)))
    desk.look(DEAD)
    assert slack.posted == []
    assert desk.saved.history[-1].problem == "the process ended while it was sent"
    desk.look(DEAD, after=660)
    assert len(slack.heads) == 1


def test_it_is_noted_before_it_is_sent(slack: SlackDouble, desk: Desk) -> None:
    states = []

    def save(memory: Memory) -> None:
        states.append((tuple(message.state for message in memory.outbox), len(slack.posted)))

    looked = step(Memory(), [DEAD], desk.now, POLICY)
    deliver(looked, desk.transport, desk.now, save, default_channel=POLICY.channel)
    assert states == [((Delivery.SENDING,), 0), ((), 1)]


def test_without_a_connection_it_waits_longer_each_time(slack: SlackDouble, desk: Desk) -> None:
    desk.transport = SlackAlerts(token=TOKEN, api_url="http://127.0.0.1:9/api/").transport()
    waits = []
    for _ in range(4):
        memory = desk.look(DEAD, after=700)
        waits.append(memory.outbox[0].not_before - desk.now)
    assert waits == [30, 60, 120, 240]
    desk.transport = SlackAlerts(token=TOKEN, api_url=slack.url).transport()
    desk.look(DEAD, after=700)
    assert len(slack.posted) == 1


def test_a_channel_that_cannot_be_used_is_replaced_by_the_default_one(slack: SlackDouble, desk: Desk) -> None:
    slack.archived.add("C002")
    desk.look(DEAD)
    [head] = slack.heads
    assert head.channel == "C001"
    assert "meant for #oncall, which cannot be used: Slack says is_archived" in head.body
    desk.look()
    desk.look(after=200)
    assert len(slack.replies(head)) == 1


def test_a_wrong_token_is_said_in_the_history_and_told_once_it_is_right(slack: SlackDouble) -> None:
    desk = Desk(slack, token="xoxb-wrong")
    memory = desk.look(DEAD)
    assert (memory.history[-1].state, memory.history[-1].problem) == (
        Delivery.FAILED,
        "Slack says invalid_auth",
    )
    desk.transport = SlackAlerts(token=TOKEN, api_url=slack.url).transport()
    desk.look(DEAD, after=300)
    assert slack.posted == []
    desk.look(DEAD, after=400)
    assert [message.action for message in desk.saved.history] == [Action.OPEN, Action.OPEN]
    assert len(slack.heads) == 1


def test_an_escalated_incident_changes_its_first_message_wherever_it_goes_on(
    slack: SlackDouble, desk: Desk
) -> None:
    failed = Finding("asset:m", "stir/m", Kind.RUN_FAILED, Severity.WARNING, "boom", "data")
    given_up = replace(failed, kind=Kind.GIVEN_UP, severity=Severity.CRITICAL)
    desk.look(failed)
    desk.look(given_up)
    first, second = slack.heads
    assert (first.channel, first.title) == ("C001", "stir/m: given up after retries")
    assert "told in #oncall" in first.body
    assert (second.channel, second.title) == ("C002", "stir/m: given up after retries")
    desk.look()
    desk.look(after=200)
    assert second.title == "well again: stir/m: given up after retries"
    assert slack.replies(first) == []


def test_a_first_message_keeps_up_with_its_replies(slack: SlackDouble, desk: Desk) -> None:
    desk.look(DEAD)
    desk.look(DEAD, replace(DEAD, subject="s/b"), after=660)
    [head] = slack.heads
    assert head.title == "source stopped: 2 of s"
    assert [reply.title for reply in slack.replies(head)] == ["source stopped: 2 of s"]
