"""Faults 9 and 10: several publishers of one table, one of which hangs, comes back, or has lost its lock."""

from __future__ import annotations

import signal
import threading

import psutil
import pytest

from stir_assets.publish import lock
from stir_assets.publish.errors import Busy, Fenced
from stir_assets.publish.publication import Progress
from stir_assets.settings import ClickHouseSettings
from stir_assets_tests.integration.publish.conftest import PREVIOUS_ONLY, Desk, new_publisher, wait_for
from stir_assets_tests.integration.publish.crash_client import child
from stir_assets_tests.integration.publish.readers import Readers

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("phase", ["load", "guards", "swap"])
def test_09_a_publisher_that_hangs_is_named_then_replaced_and_cannot_come_back(
    desk: Desk, clickhouse_server: ClickHouseSettings, stack_env: dict[str, str], phase: str
) -> None:
    desk.fill(1)
    desk.publish()
    desk.fill(2)
    with child(desk, clickhouse_server, stack_env, death=phase, signal=signal.SIGSTOP) as zombie:
        assert zombie.pid is not None
        hung = psutil.Process(zombie.pid)
        wait_for(lambda: hung.status() == psutil.STATUS_STOPPED)
        desk.fill(3)
        with pytest.raises(Busy) as busy:
            desk.publish()
        holder = busy.value.holders[0]
        assert f"pid {holder.pid}" in str(busy.value)
        assert (holder.application or "").startswith("stir-publish:board__v")
        # Whoever waits longer than the lease takes over; the tests' lease is short.
        heir = Desk(
            new_publisher(clickhouse_server, desk.dsn, desk.s3, lease=0.5), desk.client, desk.dsn, desk.s3
        )
        with Readers(desk.dsn) as readers:
            heir.publish_once_free()
            assert desk.live() == (1000, 3, 3)
            hung.send_signal(signal.SIGCONT)
            zombie.join(60)
        readers.assert_whole(1000)
        assert zombie.exitcode == 1
    assert desk.live() == (1000, 3, 3)
    desk.fill(4)
    desk.publish()
    assert desk.live() == (1000, 4, 4)
    assert desk.leftovers() == PREVIOUS_ONLY


def test_10_of_three_publishers_at_once_one_wins_and_the_others_are_told_who(desk: Desk) -> None:
    desk.fill(1)
    desk.publish()
    sequence = desk.rows("select seq from stir_publish.target")[0][0]
    won, busy, failed = [], [], []
    for version in range(2, 6):
        desk.fill(version)
        together = threading.Barrier(3)

        def publish(together: threading.Barrier = together) -> None:
            together.wait()
            try:
                won.append(desk.publish())
            except Busy as error:
                busy.append(error)
            except Exception as error:
                failed.append(error)

        threads = [threading.Thread(target=publish) for _ in range(3)]
        with Readers(desk.dsn, count=2) as readers:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        readers.assert_whole(1000)
        assert desk.live() == (1000, version, version)
    assert failed == []
    assert len(won) + len(busy) == 12
    assert all(error.holders for error in busy)
    assert desk.rows("select seq from stir_publish.target") == [(sequence + len(won),)]


@pytest.mark.parametrize("phase", ["load", "index", "guards", "swap"])
def test_10_a_publisher_whose_lock_was_lost_is_fenced_by_the_newer_publication(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    desk.fill(1)
    desk.publish()
    # What a pooler that hands every statement to another server session makes of an advisory lock.
    monkeypatch.setattr(lock, "acquire", lambda *_: None)
    desk.fill(2)

    def overtake(progress: Progress) -> None:
        if progress.phase == phase and not overtaken:
            overtaken.append(True)
            desk.fill(3)
            desk.publish()

    overtaken: list[bool] = []
    with pytest.raises(Exception, match=r".") as error:
        desk.publish(on_progress=overtake)
    if phase == "swap":
        assert isinstance(error.value, Fenced)
    assert desk.live() == (1000, 3, 3)
    monkeypatch.undo()
    desk.fill(4)
    desk.publish()
    assert desk.live() == (1000, 4, 4)
    assert desk.leftovers() == PREVIOUS_ONLY
