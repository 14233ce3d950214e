"""The stack as a user at three in the morning meets it: killed engines, stale files, busy ports, a full stop."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import clickhouse_connect
import psutil
import psycopg
import pytest

from stir_assets.errors import ConfigError, TransientError
from stir_assets.local.config import StackConfig
from stir_assets.local.engine_postgres import _owner_for_new_data
from stir_assets.local.health import stack_status
from stir_assets.local.stack import Stack
from stir_assets.local.state import ServiceState
from stir_assets_tests.fixtures.stack import clean_environment, unused_ports

pytestmark = pytest.mark.slow

StackFactory = Callable[..., Stack]


@pytest.fixture
def make_stack(tmp_path: Path) -> Iterator[StackFactory]:
    """Stacks in `tmp_path/home` unless told otherwise; all are stopped after the test."""
    made: list[Stack] = []

    def make(*engines: str, home: Path | None = None, **options: object) -> Stack:
        options.setdefault("ports", unused_ports("clickhouse", "postgres", "s3"))
        options.setdefault("env", clean_environment())
        stack = Stack(home or tmp_path / "home", engines, owner=os.getpid(), **options)  # pyright: ignore
        made.append(stack)
        return stack

    yield make
    for stack in made:
        stack.stop()


def service(stack: Stack, name: str) -> ServiceState:
    state = stack.state()
    assert state is not None
    return state.services[name]


def eventually(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


def pid_of(stack: Stack, name: str) -> int:
    process = service(stack, name).process
    assert process is not None
    return process.pid


def processes_of(home: Path) -> list[psutil.Process]:
    """Everything that names this home in its arguments or works in it."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd", "status"]):
        text = " ".join(process.info["cmdline"] or []) + " " + (process.info["cwd"] or "")
        if str(home) in text and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def ask_all(env: dict[str, str]) -> None:
    """A real query to each engine, as a client of `stir env`."""
    client = clickhouse_connect.get_client(
        host=env["STIR_CLICKHOUSE_HOST"],
        port=int(env["STIR_CLICKHOUSE_PORT"]),
        username=env["STIR_CLICKHOUSE_USER"],
        password=env["STIR_CLICKHOUSE_PASSWORD"],
        database="stir",
    )
    assert client.query("SELECT 1").result_rows == [(1,)]
    client.close()
    with psycopg.connect(env["STIR_POSTGRES_DSN"]) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("stir",)
    s3 = boto3.client(
        "s3",
        endpoint_url=env["STIR_S3_ENDPOINT"],
        region_name="us-east-1",
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
    )
    s3.head_bucket(Bucket=env["STIR_S3_BUCKET"])


def test_up_twice_down_and_up_again_keeps_ports_passwords_and_data(
    make_stack: StackFactory, tmp_path: Path
) -> None:
    stack = make_stack("clickhouse", "postgres", "s3", ports={})
    stack.start()
    env = stack.environment()
    ask_all(env)
    with psycopg.connect(env["STIR_POSTGRES_DSN"]) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS n")
    before = stack.state()
    assert before is not None
    stack.start()
    after = stack.state()
    assert after is not None
    assert after.supervisor == before.supervisor
    assert {n: s.process for n, s in after.services.items()} == {
        n: s.process for n, s in before.services.items()
    }

    mode = stat.S_IMODE(stack.home.config_file.stat().st_mode)
    assert mode == 0o600
    secrets = [value for name, value in env.items() if "PASSWORD" in name or "SECRET" in name]
    assert len(secrets) == 4
    arguments = "\n".join(" ".join(process.cmdline()) for process in processes_of(tmp_path))
    logs = "\n".join(path.read_text() for path in stack.home.logs.iterdir())
    saved_state = stack.home.state_file.read_text()
    for secret in secrets:
        assert secret not in arguments
        assert secret not in logs
        assert secret not in saved_state

    assert sorted(stack.stop()) == ["clickhouse", "postgres", "s3"]
    assert processes_of(tmp_path) == []
    assert stack.stop() == []
    with pytest.raises(ConfigError, match="stir up"):
        stack.environment()

    stack.start()
    assert stack.environment() == env
    with psycopg.connect(env["STIR_POSTGRES_DSN"]) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (42,)


def test_killed_engines_are_restarted_and_reported(make_stack: StackFactory) -> None:
    stack = make_stack("clickhouse", "postgres", "s3")
    stack.start()
    env = stack.environment()
    # closing(), for a connection's own `with` commits at its end: of a killed server that may fail once more
    with contextlib.closing(psycopg.connect(env["STIR_POSTGRES_DSN"])) as busy:
        busy.execute("CREATE TABLE kept AS SELECT 1 AS n")
        busy.commit()
        old = {name: pid_of(stack, name) for name in ("clickhouse", "postgres", "s3")}
        for pid in old.values():
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(psycopg.OperationalError):
            busy.execute("SELECT pg_sleep(30)")
    eventually(lambda: all(service(stack, n).phase == "ready" and pid_of(stack, n) != old[n] for n in old))
    ask_all(env)
    with psycopg.connect(env["STIR_POSTGRES_DSN"]) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (1,)
    report = stack_status({**clean_environment(), "STIR_HOME": str(stack.home.root)})
    assert report.healthy
    for entry in report.services:
        assert entry.restarts == 1
        assert "killed by SIGKILL" in entry.last_failure


def test_killed_supervisor_leaves_nothing_that_the_next_up_or_down_does_not_end(
    make_stack: StackFactory, tmp_path: Path
) -> None:
    stack = make_stack("postgres", "s3")
    stack.start()
    state = stack.state()
    assert state is not None
    old = [service(stack, name).process for name in ("postgres", "s3")]
    os.kill(state.supervisor.pid, signal.SIGKILL)
    eventually(lambda: stack.state() is None)
    report = stack_status({**clean_environment(), "STIR_HOME": str(stack.home.root)})
    assert not report.healthy
    assert [entry.state for entry in report.services] == ["unsupervised", "unsupervised"]

    stack.start()
    assert not any(process is None or process.alive() for process in old)
    again = stack.state()
    assert again is not None
    os.kill(again.supervisor.pid, signal.SIGKILL)
    eventually(lambda: stack.state() is None)
    assert sorted(stack.stop()) == ["postgres", "s3"]
    assert processes_of(tmp_path) == []


def test_down_ends_only_its_own(make_stack: StackFactory, tmp_path: Path) -> None:
    """A stranger that got the pid of a dead engine, and another stack beside this one, live on."""
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    try:
        other = make_stack("s3", home=tmp_path / "other")
        other.start()
        stack = make_stack("s3", home=tmp_path / "home")
        stack.start()
        state = stack.state()
        assert state is not None
        os.kill(state.supervisor.pid, signal.SIGKILL)
        eventually(lambda: stack.state() is None)
        saved = json.loads(stack.home.state_file.read_text())
        engine = saved["services"]["s3"]["process"]
        saved["services"]["ghost"] = {
            **saved["services"]["s3"],
            "name": "ghost",
            "process": {"pid": stranger.pid, "created": engine["created"] - 1000},
        }
        saved["supervisor"] = {"pid": stranger.pid, "created": saved["supervisor"]["created"] - 1000}
        stack.home.state_file.write_text(json.dumps(saved))
        assert stack.stop() == ["s3"]
        assert stranger.poll() is None
        assert other.state() is not None
        assert service(other, "s3").phase == "ready"
    finally:
        stranger.kill()
        stranger.wait()


def test_half_made_and_damaged_postgres_directories_recover(make_stack: StackFactory, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "postgres" / "base").mkdir(parents=True)
    (home / "postgres" / "PG_VERSION").write_text("18\n")
    (home / "postgres.init-4711" / "base").mkdir(parents=True)
    (home / "postgres.init-4711.password").write_text("old")
    stack = make_stack("postgres")
    stack.start()
    with psycopg.connect(stack.environment()["STIR_POSTGRES_DSN"]) as connection:
        connection.execute("SELECT 1")
    names = sorted(path.name for path in home.glob("postgres*"))
    assert names[0] == "postgres"
    assert len(names) == 2
    assert names[1].startswith("postgres.unusable-"), "what was there is kept"


def test_stale_postmaster_file_with_the_pid_of_a_living_stranger_is_no_obstacle(
    make_stack: StackFactory,
) -> None:
    stack = make_stack("postgres")
    stack.start()
    stack.stop()
    # Of the server's own user: PostgreSQL itself sees through a pid that it may not signal.
    uid = stack.home.postgres_data.stat().st_uid
    stranger = subprocess.Popen(["sleep", "60"], user=uid if uid != os.geteuid() else None)
    try:
        (stack.home.postgres_data / "postmaster.pid").write_text(
            f"{stranger.pid}\n{stack.home.postgres_data}\n0\n1\n\n127.0.0.1\n0 0\nready\n"
        )
        stack.start()
        assert service(stack, "postgres").restarts == 0
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_new_passwords_are_set_in_existing_data(make_stack: StackFactory) -> None:
    stack = make_stack("postgres")
    stack.start()
    before = stack.environment()
    stack.stop()
    stack.home.config_file.unlink()
    stack.start()
    after = stack.environment()
    assert after["PGPASSWORD"] != before["PGPASSWORD"]
    psycopg.connect(after["STIR_POSTGRES_DSN"]).close()
    wrong = after["STIR_POSTGRES_DSN"].replace(after["PGPASSWORD"], "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_explicit_busy_port_is_an_error_that_says_who_and_how(make_stack: StackFactory) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        stack = make_stack("s3", ports={"s3": port})
        with pytest.raises(
            ConfigError, match=rf"port {port} for s3 .*pid {os.getpid()}.*--s3-port or STIR_S3_PORT"
        ):
            stack.start()
    assert stack.state() is None


def test_busy_remembered_port_is_replaced_and_said(make_stack: StackFactory) -> None:
    notes: list[str] = []
    first = make_stack("s3")
    first.start()
    first.stop()
    remembered = StackConfig.load(first.home.config_file)
    assert remembered is not None
    port = remembered.ports["s3"]
    with socket.create_server(("127.0.0.1", port)):
        second = make_stack("s3", ports={}, notify=notes.append)
        second.start()
        assert second.environment()["STIR_S3_ENDPOINT"] != f"http://127.0.0.1:{port}"
    assert any(f"port {port} for s3 is in use" in note for note in notes)


def test_running_stack_refuses_another_port_and_takes_further_engines(make_stack: StackFactory) -> None:
    ports = unused_ports("clickhouse", "postgres", "s3")
    make_stack("s3", ports=ports).start()
    with pytest.raises(ConfigError, match=r"s3 runs on port .* already"):
        make_stack("s3", ports=unused_ports("s3")).start()
    both = make_stack("s3", "postgres", ports=ports)
    both.start()
    assert service(both, "postgres").phase == "ready"


def test_file_in_place_of_the_home_is_a_clear_error(make_stack: StackFactory, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("I am a file")
    with pytest.raises(ConfigError, match=r"home cannot be .* a file is in its place.*STIR_HOME"):
        make_stack("s3").start()
    assert (tmp_path / "home").read_text() == "I am a file"


def test_folder_that_the_system_does_not_let_us_write_is_a_clear_error(make_stack: StackFactory) -> None:
    with pytest.raises(ConfigError, match=r"/proc/stir-home .*STIR_HOME"):
        make_stack("s3", home=Path("/proc/stir-home")).start()


def test_engine_that_cannot_start_is_reported_with_its_last_words(make_stack: StackFactory) -> None:
    stack = make_stack("postgres")
    stack.start()
    stack.stop()
    control = stack.home.postgres_data / "global" / "pg_control"
    control.write_bytes(b"\0" * control.stat().st_size)
    with pytest.raises(
        TransientError, match=r"postgres did not start: .*PG_CONTROL_VERSION.*log: .*postgres\.log"
    ):
        stack.start()
    assert stack.state() is None, "a supervisor begun by a failed start must not stay"


def test_deleted_home_ends_the_stack(make_stack: StackFactory, tmp_path: Path) -> None:
    stack = make_stack("s3")
    stack.start()
    home = tmp_path / "home"
    home.rename(tmp_path / "gone")
    gone = tmp_path / "gone" / "run" / "state.json"
    engine = json.loads(gone.read_text())["services"]["s3"]["process"]["pid"]
    eventually(lambda: processes_of(home) == [] and not psutil.pid_exists(engine))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_foreground_up_ends_cleanly_on_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    home = tmp_path / "home"
    ports = unused_ports("clickhouse", "postgres", "s3")
    flags = [f"--{name}-port={port}" for name, port in ports.items()]
    program = [sys.executable, "-c", "from stir_assets.cli.main import main; main()"]
    up = subprocess.Popen(
        [*program, "up", "--no-ui", *flags],
        env={**clean_environment(), "STIR_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert up.stderr is not None
    for line in up.stderr:
        if "foreground" in line:
            break
    assert up.poll() is None
    assert len(processes_of(home)) >= 3
    up.send_signal(number)
    assert up.wait(timeout=30) == 0
    assert processes_of(home) == []
    log = (home / "logs" / "postgres.log").read_text()
    assert "database system is shut down" in log
    up.communicate()


@pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can become a normal user; as one, every test shows it"
)
def test_works_as_a_normal_user_and_names_a_folder_it_may_not_write(tmp_path: Path) -> None:
    owner = _owner_for_new_data()
    assert owner is not None
    uid, gid = owner
    home = tmp_path / "home"
    home.mkdir()
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o700)
    os.chown(home, uid, gid)
    tmp_path.chmod(0o755)
    ports = unused_ports("clickhouse", "postgres", "s3")
    flags = [f"--{name}-port={port}" for name, port in ports.items()]

    def stir(*arguments: str, place: Path) -> subprocess.CompletedProcess[str]:
        # Passing folders stays possible, as in root's home; writing is that of a normal user.
        launcher = Path(sys.modules["stir_assets.local.engine_postgres"].__file__ or "").with_name(
            "unprivileged.py"
        )
        program = [sys.executable, "-c", "from stir_assets.cli.main import main; main()"]
        return subprocess.run(
            [sys.executable, "-I", "-S", str(launcher), str(uid), str(gid), *program, *arguments],
            env={**clean_environment(), "STIR_HOME": str(place), "HOME": str(home)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    up = stir("up", "--no-ui", "--detach", *flags, place=home)
    try:
        assert up.returncode == 0, up.stderr
        status = stir("status", "--json", place=home)
        assert json.loads(status.stdout)["healthy"] is True
        assert psutil.Process(json.loads(status.stdout)["services"][1]["pid"]).uids().real == uid
    finally:
        down = stir("down", place=home)
    assert "stopped" in down.stdout
    assert processes_of(home) == []

    refused = stir("up", "--no-ui", "--detach", place=locked)
    assert refused.returncode == 1
    assert "may not be written by this user" in refused.stderr
    assert "STIR_HOME" in refused.stderr
