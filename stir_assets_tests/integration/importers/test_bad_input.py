"""What goes wrong leaves the source tables as they were, says so clearly, and stops no other file."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from stir_assets.errors import PermanentError
from stir_assets.importers import stage as stage_module
from stir_assets.importers.stage import DATABASE, Stage
from stir_assets.local.processes import ProcessRef
from stir_assets.local.stack import Stack
from stir_assets_tests.fixtures.stack import clean_environment
from stir_assets_tests.integration.importers.test_imports import DAILY, TRENDING, V1


def engine_process(stack: Stack) -> ProcessRef | None:
    found = stack.state()
    return found.services["clickhouse"].process if found else None


def big(rows: int = 30_000) -> bytes:
    lines = (f"a{n:010d},17.14.11,Chan,24,2017-11-13T01:00:00.000Z,{n},1,1,1\n" for n in range(rows))
    return gzip.compress((V1 + "".join(lines)).encode())


def test_a_truncated_gzip_imports_nothing_and_the_other_file_everything(load, state) -> None:
    bad, good = load("youtube-trending", {"cut.csv.gz": big()[:-5000], "good.csv": TRENDING})
    assert bad.error is not None
    assert "cut off" in bad.error
    assert "cut.csv.gz" in bad.error
    assert good.error is None
    assert state()["_e.post_log_events"][0] == 4
    assert state()["beat_replica.youtube_post_simple"][0] == 2


def test_wrong_columns_are_refused_with_the_nearest_kind(load, state) -> None:
    (report,) = load("youtube-trending", {"daily.csv": DAILY})
    assert report.error is not None
    assert "daily.csv" in report.error
    assert "try `stir import youtube-channels-daily`" in report.error
    assert state() == {}


@pytest.mark.parametrize(
    "content",
    [b"", gzip.compress(b"", mtime=0), V1.encode(), b"\x00\x01\x02\x03"],
    ids=["empty", "empty in gzip", "only the header", "binary"],
)
def test_files_without_rows_are_errors(load, state, content: bytes) -> None:
    (report,) = load("youtube-trending", {"empty.csv": content})
    assert report.error is not None
    assert state() == {}


def test_a_file_of_which_every_row_is_rejected_is_an_error(load, tmp_path: Path) -> None:
    (report,) = load("youtube-trending", {"bad.csv": V1 + "x,17.14.11,C,24,2017-11-13,1,1,1,1\n"})
    assert report.error is not None
    assert "every one of 1 rows was rejected (bad_video_id)" in report.error
    assert "bad.csv,2,bad_video_id" in (tmp_path / "rejects.csv").read_text()


def test_a_failure_halfway_through_staging_leaves_the_tables_untouched(load, state, monkeypatch) -> None:
    load("youtube-trending", {"good.csv": TRENDING})
    before = state()
    sent = 0
    insert = Stage.insert

    def failing(self: Stage, kind, rows) -> None:
        nonlocal sent
        sent += len(rows)
        if sent > 20_000:
            raise DatabaseError("the server went away")
        insert(self, kind, rows)

    monkeypatch.setattr(Stage, "insert", failing)
    (report,) = load("youtube-trending", {"big.csv.gz": big()})
    assert report.error is not None
    assert "the server went away" in report.error
    assert state() == before


def test_an_interruption_between_two_tables_is_completed_by_the_next_import(load, state, monkeypatch) -> None:
    run, written = Stage.run, []

    def failing(self: Stage, sql: str) -> None:
        if sql.startswith("INSERT INTO `_e`"):
            written.append(sql)
            raise DatabaseError("killed")
        run(self, sql)

    with monkeypatch.context() as patch:
        patch.setattr(Stage, "run", failing)
        (report,) = load("youtube-trending", {"in.csv": TRENDING})
    assert written
    assert report.error is not None
    assert "_e.post_log_events" not in state()
    (report,) = load("youtube-trending", {"in.csv": TRENDING})
    assert report.error is None
    assert {table: count for table, (count, _) in state().items()} == {
        "_e.post_log_events": 4,
        "_e.profile_log_events": 3,
        "beat_replica.youtube_account": 1,
        "beat_replica.youtube_post_simple": 2,
        "vidooly.social_profiles_new_20230217": 1,
        "vidooly.youtube_category": 2,
    }


@pytest.mark.slow
def test_an_engine_killed_during_an_import_costs_the_import_and_nothing_else(
    load, state, import_environment: dict[str, str], monkeypatch
) -> None:
    load("youtube-trending", {"good.csv": TRENDING})
    before = state()
    stack = Stack(Path(import_environment["STIR_HOME"]), env=clean_environment())
    insert, inserted, killed = Stage.insert, [], []

    def kill_before_the_second(stage: Stage, *arguments) -> None:
        # Right before it: on a busy machine the engine could be back by the next batch.
        if inserted and not killed:
            killed.append(engine_process(stack))
            os.kill(killed[0].pid, signal.SIGKILL)
        insert(stage, *arguments)
        inserted.append(arguments)

    monkeypatch.setattr(Stage, "insert", kill_before_the_second)
    (report,) = load("youtube-trending", {"big.csv.gz": big()})
    assert report.error is not None
    assert "big.csv.gz" in report.error
    assert "ClickHouse" in report.error
    while not killed or engine_process(stack) == killed[0]:
        time.sleep(0.1)
    stack.start()  # returns when the engine, which the supervisor has restarted, answers
    assert state() == before
    (report,) = load("youtube-trending", {"big.csv.gz": big()})
    assert (report.error, report.kept) == (None, 30_000)


def test_rows_lost_on_the_way_are_an_error_and_not_a_smaller_import(load, state, monkeypatch) -> None:
    insert = Stage.insert
    monkeypatch.setattr(Stage, "insert", lambda self, kind, rows: insert(self, kind, rows[:-1]))
    (report,) = load("youtube-trending", {"in.csv": TRENDING})
    assert report.error is not None
    assert "stored 5 of 6 rows" in report.error
    assert state() == {}


def test_staging_tables_are_dropped_also_after_a_failure(client: Client, load) -> None:
    def staging_tables() -> set[str]:
        rows = client.query(f"SELECT name FROM system.tables WHERE database = '{DATABASE}'").result_rows
        return {name for (name,) in rows}

    # An import whose engine was killed leaves its own; they go with a later one.
    before = staging_tables()
    load("youtube-trending", {"in.csv": TRENDING, "cut.csv.gz": big()[:-5000]})
    assert staging_tables() == before


def test_staging_tables_of_a_killed_import_go_with_the_next_one(client: Client, load) -> None:
    client.command(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
    old = f"{DATABASE}.b1000000000_0123abcd_posts"
    client.command(f"CREATE TABLE {old} (x UInt8) ENGINE = MergeTree ORDER BY x")
    load("youtube-trending", {"in.csv": TRENDING})
    assert client.query(f"EXISTS TABLE {old}").result_rows == [(0,)]
    assert stage_module.STALE_AFTER_SECONDS >= 3600


def test_an_unreadable_category_list_is_named(load, tmp_path: Path) -> None:
    path = tmp_path / "categories.json"
    path.write_text('{"kind": "something else"}')
    with pytest.raises(PermanentError, match=r"categories\.json.*items"):
        load("youtube-trending", {"in.csv": TRENDING}, categories=(path,))


def stir(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from stir_assets.cli.main import main; main()", "import", *arguments]
    env = {**os.environ, **environment, "COLUMNS": "200"}
    return subprocess.run(program, env=env, text=True, capture_output=True, timeout=120, check=False)


def test_the_command_reports_and_exits_by_the_worst_file(
    client: Client, import_environment: dict[str, str], tmp_path: Path
) -> None:
    good, cut = tmp_path / "good.csv", tmp_path / "cut.csv.gz"
    good.write_text(TRENDING)
    cut.write_bytes(big()[:-5000])
    done = stir(import_environment, "youtube-trending", str(good), "--country", "in")
    assert done.returncode == 0, done.stderr
    assert "spreadsheet_error_id" in done.stdout
    (rejects,) = (Path(import_environment["STIR_HOME"]) / "rejects").glob("youtube-trending-*.csv")
    assert str(rejects) in done.stdout
    failed = stir(import_environment, "youtube-trending", str(cut), str(good))
    assert failed.returncode == 1
    assert "cut off" in failed.stdout
    assert "1 of 2 files failed, see above; the others are imported" in failed.stderr
    assert "Traceback" not in failed.stderr
    refused = stir(import_environment, "youtube-trending", str(good), "--country", "India")
    assert refused.returncode == 2
