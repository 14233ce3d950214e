"""Ports, passwords, folders, logs and the variables that tell local engines from servers of the user's own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from stir_assets.cli.up import command as up
from stir_assets.errors import ConfigError
from stir_assets.local import environment as environment_module
from stir_assets.local import ports
from stir_assets.local.config import PORTS, StackConfig, assign_ports, requested_ports
from stir_assets.local.environment import local_environment, uses_external_servers
from stir_assets.local.home import StackHome
from stir_assets.local.logs import bound_size, last_words
from stir_assets.local.processes import ProcessRef, stop_session
from stir_assets.local.state import StackState
from stir_assets.resources.defaults import dbt_runner
from stir_assets.settings import Settings

ENGINE_PORTS = {"clickhouse": 8123, "postgres": 5442, "s3": 5555}


def test_flag_wins_over_variable_and_bad_numbers_name_their_source() -> None:
    env = {"STIR_S3_PORT": "7000", "STIR_UI_PORT": "7001"}
    assert requested_ports(env, {"s3": 7002}) == {"s3": 7002, "webserver": 7001}
    with pytest.raises(ConfigError, match=r"STIR_CODE_PORT='seven'"):
        requested_ports({"STIR_CODE_PORT": "seven"}, {})
    with pytest.raises(ConfigError, match=r"--ui-port='70000'"):
        requested_ports({}, {"webserver": 70000})


def test_busy_default_port_makes_room_and_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = {PORTS["s3"].default, PORTS["s3"].default + 1}
    monkeypatch.setattr(ports, "is_free", lambda port: port not in busy)
    config = StackConfig()
    notes = assign_ports(config, ["s3"], {})
    assert config.ports["s3"] == PORTS["s3"].default + 2
    assert len(notes) == 1
    assert assign_ports(config, ["s3"], {}) == []


def test_two_services_never_get_the_same_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda port: True)
    config = StackConfig(ports={"clickhouse": PORTS["s3"].default})
    assign_ports(config, ["s3"], {})
    assert config.ports["s3"] != config.ports["clickhouse"]
    with pytest.raises(ConfigError, match="asked for twice"):
        assign_ports(StackConfig(), ["s3", "postgres"], {"s3": 9000, "postgres": 9000})


def test_holder_of_a_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not ports.is_free(port)
        assert f"(pid {psutil.Process().pid})" in ports.holder(port)
    assert ports.is_free(port)


def test_configuration_survives_and_is_private(tmp_path: Path) -> None:
    config = StackConfig(ports=dict(ENGINE_PORTS))
    config.save(tmp_path / "stack.json")
    assert StackConfig.load(tmp_path / "stack.json") == config
    assert (tmp_path / "stack.json").stat().st_mode & 0o077 == 0
    assert StackConfig().postgres_password != config.postgres_password
    assert config.postgres_password not in repr(config)
    assert StackConfig.load(tmp_path / "none.json") is None


@pytest.mark.parametrize("damage", ["{", "[1]", '{"ports": 3, "x": ', "nul"])
def test_damaged_configuration_says_what_to_do(tmp_path: Path, damage: str) -> None:
    (tmp_path / "stack.json").write_text(damage)
    with pytest.raises(ConfigError, match=r"stack\.json is damaged.*delete it"):
        StackConfig.load(tmp_path / "stack.json")


def test_full_disk_is_refused_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(10**10, 10**10, 5 * 2**20))
    with pytest.raises(ConfigError, match=r"only 5 MB free.*STIR_HOME"):
        StackHome(tmp_path / "home").prepare()


def test_environment_is_complete_for_settings_and_marks_itself(tmp_path: Path) -> None:
    env = local_environment(StackHome(tmp_path), StackConfig(ports=dict(ENGINE_PORTS)))
    settings = Settings.from_env(env)
    assert settings.home == tmp_path
    assert settings.clickhouse.port == 8123
    assert not uses_external_servers(env)
    assert uses_external_servers({**env, "STIR_POSTGRES_DSN": "postgresql://db.example/app"})
    without_mark = {name: value for name, value in env.items() if name != environment_module.MARK_VARIABLE}
    assert uses_external_servers(without_mark)
    assert not uses_external_servers({})


@pytest.mark.parametrize(
    ("text", "problem"),
    [("market_country=BR", "is not JSON"), ('["BR"]', "no object"), ('{"market": "BR"}', "market is no var")],
)
def test_vars_of_dbt_that_are_none_are_refused_by_name(tmp_path: Path, text: str, problem: str) -> None:
    env = local_environment(StackHome(tmp_path), StackConfig(ports=dict(ENGINE_PORTS)))
    with pytest.raises(ConfigError, match=f"STIR_DBT_VARS.*{problem}"):
        dbt_runner(Settings.from_env({**env, "STIR_DBT_VARS": text}))
    given = Settings.from_env({**env, "STIR_DBT_VARS": '{"market_country": "BR"}'})
    assert dbt_runner(given, as_of="2018-06-14").variables == {"market_country": "BR"}


def test_half_of_the_servers_given_is_an_error() -> None:
    with pytest.raises(
        ConfigError, match="STIR_S3_BUCKET set but not STIR_CLICKHOUSE_HOST, STIR_POSTGRES_DSN"
    ):
        uses_external_servers({"STIR_S3_BUCKET": "b"})


def test_dagster_storage_follows_the_given_postgres_unless_named(tmp_path: Path) -> None:
    given = {
        "STIR_CLICKHOUSE_HOST": "ch.example",
        "STIR_POSTGRES_DSN": "postgresql://app:p%40ss@db.example:6432/shop",
        "STIR_S3_BUCKET": "staging",
        "DAGSTER_PG_DB": "orchestration",
    }
    env = environment_module.external_environment(StackHome(tmp_path), given)
    assert (env["DAGSTER_PG_HOST"], env["DAGSTER_PG_PORT"], env["DAGSTER_PG_DB"]) == (
        "db.example",
        "6432",
        "orchestration",
    )
    assert (env["PGPASSWORD"], env["PGDATABASE"]) == ("p@ss", "shop")


def test_damaged_dsn_is_reported_without_its_password(tmp_path: Path) -> None:
    given = {"STIR_CLICKHOUSE_HOST": "h", "STIR_S3_BUCKET": "b", "STIR_POSTGRES_DSN": "host=x secret-word"}
    with pytest.raises(ConfigError, match="STIR_POSTGRES_DSN") as caught:
        environment_module.external_environment(StackHome(tmp_path), given)
    assert "secret-word" not in str(caught.value)


def test_log_is_bounded_while_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"a" * 5000)
        bound_size(log, limit=1000)
        writer.write(b"b")
        bound_size(log, limit=1000)
    assert log.read_bytes() == b"b"
    assert (tmp_path / "engine.log.1").read_bytes() == b"a" * 5000


def test_last_words_are_of_this_start_and_show_the_error(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    log.write_text("ERROR: of yesterday\n")
    start = log.stat().st_size
    log.write_text(log.read_text() + "FATAL: disk full\n" + "noise\n" * 30)
    words = last_words(log, since=start)
    assert "FATAL: disk full" in words
    assert "yesterday" not in words
    assert last_words(tmp_path / "none.log") == ""


def test_reused_pid_is_not_the_same_process() -> None:
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    try:
        genuine = ProcessRef.of(sleeper.pid)
        predecessor = ProcessRef(sleeper.pid, genuine.created - 100)
        assert genuine.alive()
        assert not predecessor.alive()
        stop_session(predecessor, timeout=0.1)
        assert sleeper.poll() is None
        stop_session(genuine, timeout=1)
        assert sleeper.wait(5) != 0
    finally:
        sleeper.kill()


def test_unreadable_state_means_that_nothing_is_known(tmp_path: Path) -> None:
    assert StackState.read(tmp_path / "state.json") is None
    (tmp_path / "state.json").write_text('{"supervisor": 1}')
    assert StackState.read(tmp_path / "state.json") is None


def test_a_port_for_what_is_not_started_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STIR_HOME", str(tmp_path / "home"))
    result = CliRunner().invoke(up, ["--no-ui", "--ui-port", "3100"])
    assert result.exit_code == 2
    assert "leave out --ui-port" in result.output
    assert not (tmp_path / "home").exists()
