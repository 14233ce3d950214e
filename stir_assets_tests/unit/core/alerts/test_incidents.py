"""One message a root cause, replies in its thread, one recovery: each rule on a simulated clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from stir_assets.core.alerts.delivery import Receipt, deliver
from stir_assets.core.alerts.incidents import step
from stir_assets.core.alerts.model import Action, Delivery, Finding, Kind, Memory, Message, Severity
from stir_assets.core.alerts.policy import AlertPolicy, parse_digest, parse_quiet

START = datetime(2030, 1, 2, 12, 0, tzinfo=UTC).timestamp()
MINUTE = 60.0


def finding(
    subject: str,
    kind: Kind,
    *,
    root: str = "source:s",
    related: tuple[str, ...] = (),
    owner: str = "scraping",
) -> Finding:
    critical = kind in (Kind.BROKEN, Kind.SOURCE_STOPPED, Kind.GIVEN_UP, Kind.FLOW_DOWN)
    severity = Severity.CRITICAL if critical else Severity.WARNING
    return Finding(root, subject, kind, severity, f"{subject} text", owner, related=related)


DEAD = finding("s/a", Kind.SOURCE_STOPPED)
LATE = finding("s/a", Kind.SOURCE_LATE)
AT_RISK = finding("serving/prod/board", Kind.AT_RISK)
BROKEN = finding("serving/prod/board", Kind.BROKEN)
FAILED = finding("stir/mart", Kind.RUN_FAILED, root="asset:stir/mart")


class Team:
    """People who read: every message is delivered at once."""

    delivered = Delivery.SENT

    def __init__(self, policy: AlertPolicy | None = None) -> None:
        self.policy, self.memory, self.now = policy or AlertPolicy(), Memory(), START
        self.read: list[tuple[Action, str, str | None]] = []
        self.messages: list[Message] = []
        self.edited: list[str] = []

    def post(self, message: Message, thread: str | None) -> Receipt:
        self.read.append((message.action, message.title, thread))
        self.messages.append(message)
        return Receipt("C1", thread or f"t{len(self.messages)}")

    def edit(self, message: Message, place: str, id_: str) -> None:
        self.edited.append(message.title)

    def look(self, *findings: Finding, after: float = 0.5) -> list[tuple[Action, str, str | None]]:
        """A look so many minutes later; what was sent because of it."""
        before = len(self.read)
        self.now += after * MINUTE
        looked = step(self.memory, findings, self.now, self.policy, summary=["all is well"])
        # Through JSON, as a restart would.
        self.memory = Memory.from_json(looked.to_json())
        assert self.memory == looked
        self.memory = deliver(self.memory, self, self.now, lambda _: None, default_channel="#stir-alerts")
        return self.read[before:]


def test_one_incident_one_message_and_then_silence() -> None:
    team = Team()
    assert team.look(DEAD) == [(Action.OPEN, "s/a: source stopped", None)]
    assert [team.look(DEAD) for _ in range(200)] == [[]] * 200


def test_what_breaks_because_of_it_is_a_reply_and_not_a_message() -> None:
    team = Team()
    team.look(DEAD)
    promises = [finding(f"stir/m{n}", Kind.BROKEN) for n in range(40)]
    assert team.look(DEAD, *promises) == []
    told = team.look(DEAD, *promises, after=10)
    assert told == [(Action.UPDATE, "s/a: source stopped", "t1")]
    assert "40 promise broken" in team.messages[-1].lines[0]


def test_recovery_is_told_once_when_it_lasted_three_minutes() -> None:
    team = Team()
    team.look(DEAD)
    assert team.look(after=1) == []
    assert team.look(after=2.9) == []
    assert team.look(after=0.2) == [(Action.RESOLVE, "well again: s/a: source stopped", "t1")]
    assert team.edited == ["well again: s/a: source stopped"]
    assert team.look(after=60) == []


def test_a_flicker_of_the_cause_is_no_recovery() -> None:
    team = Team()
    team.look(DEAD)
    for _ in range(10):
        assert team.look(after=2) == []
        assert team.look(DEAD, after=1) == []


def test_what_comes_back_within_half_an_hour_goes_on_in_its_thread() -> None:
    team = Team()
    team.look(DEAD)
    team.look(after=1)
    team.look(after=4)
    assert team.look(DEAD, after=20) == [(Action.UPDATE, "again: s/a: source stopped", "t1")]
    assert team.messages[-1].broadcast
    team.look(after=1)
    team.look(after=4)
    assert team.look(DEAD, after=40) == [(Action.OPEN, "s/a: source stopped", None)]


def test_a_promise_at_risk_must_stay_so_for_five_minutes() -> None:
    team = Team()
    assert team.look(AT_RISK) == []
    assert team.look(AT_RISK, after=4.9) == []
    assert [action for action, *_ in team.look(AT_RISK, after=0.2)] == [Action.OPEN]


def test_getting_worse_is_told_at_once_to_the_channel() -> None:
    team = Team()
    team.look(FAILED)
    given_up = finding("stir/mart", Kind.GIVEN_UP, root="asset:stir/mart")
    assert team.look(given_up) == [(Action.UPDATE, "now critical: stir/mart: given up after retries", "t1")]
    assert team.messages[-1].broadcast
    assert team.edited == ["stir/mart: given up after retries"]


def test_tables_of_one_schema_are_one_incident_and_related_roots_join() -> None:
    team = Team()
    tables = [finding(f"s/{n}", Kind.SOURCE_STOPPED) for n in range(7)]
    assert team.look(*tables) == [(Action.OPEN, "source stopped: 7 of s", None)]
    flow = finding("scrape/posts", Kind.FLOW_DOWN, root="scrape:INSTAGRAM", related=("source:s",))
    assert team.look(*tables, flow, after=11)[0][:1] == (Action.UPDATE,)
    assert len(team.memory.incidents) == 1
    # It stays where it was told, also when the first cause is gone.
    team.look(flow, after=11)
    assert [entry.closed_at for entry in team.memory.incidents.values()] == [None]


def test_causes_that_have_nothing_to_do_with_each_other_are_told_apart() -> None:
    team = Team()
    assert len(team.look(DEAD, FAILED)) == 2


def test_quiet_hours_hold_what_can_wait_and_tell_it_in_the_morning() -> None:
    team = Team(AlertPolicy(quiet=parse_quiet("22:00-07:00", where="x")))
    team.now = datetime(2030, 1, 2, 23, 0, tzinfo=UTC).timestamp()
    assert team.look(LATE, FAILED) == []
    assert team.look(FAILED, after=60) == []
    assert team.look(FAILED, after=120) == []
    told = team.look(FAILED, after=6 * 60)
    assert [action for action, *_ in told] == [Action.DIGEST]
    assert [line.split(",")[0] for line in team.messages[-1].lines] == [
        "*open*: stir/mart: run failed",
        "*came and went*: s/a: source data late",
    ]
    # It is told once; what comes next of it begins a thread.
    assert team.look(FAILED, after=20) == []
    team.look(after=1)
    assert [action for action, *_ in team.look(after=5)] == [Action.RESOLVE]


def test_what_is_critical_is_told_at_night() -> None:
    team = Team(AlertPolicy(quiet=parse_quiet("22:00-07:00", where="x")))
    team.now = datetime(2030, 1, 2, 23, 0, tzinfo=UTC).timestamp()
    assert [action for action, *_ in team.look(DEAD)] == [Action.OPEN]
    assert [action for action, *_ in team.look(DEAD, LATE, after=30)] == [Action.UPDATE]


def test_what_gets_critical_at_night_is_told_then() -> None:
    team = Team(AlertPolicy(quiet=parse_quiet("22:00-07:00", where="x")))
    team.now = datetime(2030, 1, 2, 23, 0, tzinfo=UTC).timestamp()
    assert team.look(LATE) == []
    assert [action for action, *_ in team.look(LATE, BROKEN, after=30)] == [Action.OPEN]


def test_the_owner_and_the_severity_choose_the_channel() -> None:
    team = Team(AlertPolicy(routes={"scraping/critical": "#oncall", "scraping": "#scraping"}))
    team.look(LATE)
    assert team.messages[-1].channel == "#scraping"
    # Where the critical ones go elsewhere, getting critical begins a thread there.
    assert [action for action, *_ in team.look(LATE, BROKEN)] == [Action.OPEN]
    assert team.messages[-1].channel == "#oncall"
    team.look(finding("x/y", Kind.SOURCE_LATE, root="source:x", owner="product"))
    assert team.messages[-1].channel == "#stir-alerts"


def test_a_digest_comes_once_a_day_if_asked_for() -> None:
    team = Team(AlertPolicy(digest=parse_digest("08:00", where="x")))
    assert team.look() == []
    assert team.look(after=19 * 60) == []
    assert [action for action, *_ in team.look(after=61)] == [Action.DIGEST]
    assert team.messages[-1].lines == ("all is well",)
    assert team.look(after=23 * 60) == []
    assert len(team.look(after=61)) == 1
    assert all(not Team().look() for _ in range(3))


def test_an_incident_of_which_nobody_knows_is_announced_again() -> None:
    team = Team()
    team.look(DEAD)
    lost = replace(team.memory.incidents["source:s"], thread=None)
    team.memory = replace(team.memory, incidents={"source:s": lost})
    assert team.look(DEAD, after=5) == []
    assert [action for action, *_ in team.look(DEAD, after=6)] == [Action.OPEN]
    assert "since 02 Jan 12:00 UTC" in team.messages[-1].lines[0]


def test_what_waits_to_be_sent_is_merged_so_that_the_outbox_stays_small() -> None:
    memory, now = Memory(), START
    for minute in range(0, 200, 11):
        now = START + minute * MINUTE
        extra = finding(f"stir/m{minute}", Kind.BROKEN)
        memory = step(memory, [DEAD, extra], now, AlertPolicy())
    assert [message.action for message in memory.outbox] == [Action.OPEN]
    for minute in (1, 5):
        memory = step(memory, [], now + minute * MINUTE, AlertPolicy())
    assert [message.title for message in memory.outbox] == [f"came and went: {DEAD.subject}: source stopped"]


def test_a_memory_of_another_version_is_a_fresh_start() -> None:
    assert Memory.from_json('{"incidents": {"a": {"strange": 1}}}') == Memory()
    assert Memory.from_json("nonsense") == Memory.from_json(None) == Memory()


def test_the_memory_stays_small() -> None:
    team = Team()
    for day in range(30):
        for n in range(20):
            team.look(finding(f"s{n}/t", Kind.SOURCE_STOPPED, root=f"source:s{n}"), after=1)
        team.look(after=24 * 60 + day)
        team.look(after=5)
    assert len(team.memory.history) == 60
    assert len(team.memory.incidents) <= 21
    assert len(team.memory.to_json()) < 60_000
