"""What `stir seed` refuses before it touches a server."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from stir_assets.cli.seed import command
from stir_assets.errors import ConfigError


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--advance", "5x"], "'5x' is not a duration: write a number with s, m, h or d"),
        (["--advance", "1h", "--scale", "2", "--replace"], "leave out --scale, --replace"),
        (["--now", "yesterday"], "does not match the formats"),
    ],
)
def test_arguments_that_make_no_sense_are_explained(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


def test_production_is_never_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "STIR_ENV": "prod",
        "STIR_CLICKHOUSE_HOST": "127.0.0.1",
        "STIR_CLICKHOUSE_PORT": "1",
        "STIR_POSTGRES_DSN": "postgresql://127.0.0.1:2/none",
        "STIR_S3_BUCKET": "none",
    }.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(command, [])
    assert isinstance(result.exception, ConfigError)
    assert "STIR_ENV=prod" in str(result.exception)
