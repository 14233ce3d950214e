"""`stir up`, `status`, `env` and `down` as their users see them: local engines, servers given, wrong settings."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from stir_assets.cli import env as env_command
from stir_assets.cli import status as status_command
from stir_assets.cli import up as up_command
from stir_assets.errors import ConfigError
from stir_assets.local.connect import connected_settings
from stir_assets.local.stack import Stack
from stir_assets_tests.fixtures.stack import Engines, clean_environment

PROGRAM = [sys.executable, "-c", "from stir_assets.cli.main import main; main()"]


def stir(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments], env=env, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture
def elsewhere(tmp_path: Path, stack_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The engines as servers of the user's own: all three variables set, a home in which nothing runs."""
    monkeypatch.setenv("STIR_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_servers_given_are_used_instead_of_local_engines(elsewhere: Path, stack_env: dict[str, str]) -> None:
    up = CliRunner().invoke(up_command.command, ["--no-ui"], catch_exceptions=False)
    assert up.exit_code == 0
    assert "nothing to start" in up.output
    status = CliRunner().invoke(status_command.command, ["--json"])
    report = json.loads(status.output)
    assert (report["mode"], report["healthy"]) == ("external", True)
    assert [service["name"] for service in report["services"]] == ["clickhouse", "postgres", "s3"]
    assert connected_settings().postgres_dsn == stack_env["STIR_POSTGRES_DSN"]
    assert not (elsewhere / "stack.json").exists()


@pytest.mark.parametrize(
    ("variable", "wrong", "said"),
    [
        (
            "STIR_CLICKHOUSE_PASSWORD",
            "wrong",
            "clickhouse at .*(Authentication failed|AUTHENTICATION_FAILED|password)",
        ),
        ("STIR_POSTGRES_DSN", None, "postgres at .*password authentication failed"),
        ("AWS_ACCESS_KEY_ID", "wrong", "s3 at .*(403|Forbidden|InvalidAccessKeyId)"),
        ("STIR_S3_BUCKET", "no-such-bucket", "s3 at .*(404|Not Found)"),
    ],
)
def test_wrong_credentials_are_named_and_not_repeated(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, variable: str, wrong: str | None, said: str
) -> None:
    password = os.environ["PGPASSWORD"]
    value = wrong or os.environ[variable].replace(password, "not-the-password")
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match=said) as caught:
        CliRunner().invoke(up_command.command, ["--no-ui"], catch_exceptions=False)
    assert "not-the-password" not in str(caught.value)
    assert password not in str(caught.value)


def test_some_of_the_three_servers_is_a_clear_error(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STIR_POSTGRES_DSN")
    with pytest.raises(
        ConfigError, match=r"STIR_CLICKHOUSE_HOST, STIR_S3_BUCKET set but not STIR_POSTGRES_DSN"
    ):
        CliRunner().invoke(env_command.command, catch_exceptions=False)


def test_env_is_valid_shell_and_does_not_turn_the_local_stack_into_a_foreign_one(engines: Engines) -> None:
    engines.need("clickhouse", "postgres", "s3")
    base = {**clean_environment(), "STIR_HOME": str(engines.home)}
    shell = f'eval "$({shlex.join([*PROGRAM, "env"])})"; {shlex.join([*PROGRAM, "status", "--json"])}; env'
    output = subprocess.run(
        ["sh", "-c", shell], env=base, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    report, _, exported = output.partition("\n}\n")
    assert json.loads(report + "}")["mode"] == "local"
    variables = dict(line.split("=", 1) for line in exported.splitlines() if "=" in line)
    with psycopg.connect(  # by PG* alone, as psql does
        host=variables["PGHOST"],
        port=variables["PGPORT"],
        user=variables["PGUSER"],
        password=variables["PGPASSWORD"],
        dbname=variables["PGDATABASE"],
    ) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with psycopg.connect(
        host=variables["DAGSTER_PG_HOST"],
        port=variables["DAGSTER_PG_PORT"],
        user=variables["DAGSTER_PG_USER"],
        password=variables["DAGSTER_PG_PASSWORD"],
        dbname=variables["DAGSTER_PG_DB"],
    ) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("dagster",)


def test_commands_connect_right_after_up_without_eval(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = engines.need("clickhouse", "postgres", "s3")
    for name in list(os.environ):
        if name not in clean_environment():
            monkeypatch.delenv(name)
    monkeypatch.setenv("STIR_HOME", str(engines.home))
    for name in expected:  # so that what connected_settings exports is undone after the test
        monkeypatch.setenv(name, expected[name] if name == "STIR_HOME" else "")
    settings = connected_settings()
    assert settings.postgres_dsn == expected["STIR_POSTGRES_DSN"]
    assert os.environ["AWS_ACCESS_KEY_ID"] == expected["AWS_ACCESS_KEY_ID"]


def test_without_a_stack_every_command_says_what_to_do(tmp_path: Path) -> None:
    base = {**clean_environment(), "STIR_HOME": str(tmp_path / "home")}
    env = stir("env", env=base)
    assert (env.returncode, env.stdout) == (1, "")
    assert "`stir up`" in env.stderr
    assert "Traceback" not in env.stderr
    status = stir("status", env=base)
    assert status.returncode == 3
    assert "nothing runs" in status.stdout
    down = stir("down", env=base)
    assert down.returncode == 0
    assert "nothing runs" in down.stdout
    assert not (tmp_path / "home").exists(), "asking must not make folders"


def test_damaged_configuration_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "stack.json").write_text("{")
    up = stir("up", "--detach", "--no-ui", env={**clean_environment(), "STIR_HOME": str(tmp_path / "home")})
    assert up.returncode == 1
    assert "stack.json is damaged" in up.stderr


def test_stack_of_unknown_services_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown services"):
        Stack(tmp_path, ("mysql",))
