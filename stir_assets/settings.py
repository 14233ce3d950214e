"""Every setting of Stir, read once from the environment.

The only module that looks at `os.environ` for configuration. Secrets live here only in memory: `__repr__`
leaves them out, and nothing writes them to SQL text, logs or metadata.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_args

from stir_assets.core.alerts.policy import (
    DEFAULT_CHANNEL,
    AlertPolicy,
    parse_digest,
    parse_quiet,
    parse_routes,
)
from stir_assets.errors import ConfigError

Environment = Literal["local", "staging", "prod"]
DbtMode = Literal["inprocess", "cli"]

REPO_ROOT = Path(__file__).resolve().parent.parent
DBT_PROJECT_DIR = REPO_ROOT / "stir_dbt"
SOURCES_DIR = DBT_PROJECT_DIR / "models" / "sources"


@dataclass(frozen=True)
class ClickHouseSettings:
    """How to reach ClickHouse over HTTP. `database` is where the dbt models live, `cluster` empty on a single node."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    secure: bool = False
    database: str = "stir"
    cluster: str = ""


@dataclass(frozen=True)
class S3Settings:
    """Where publications are staged. Credentials are the AWS SDK's own (environment, profile or role).

    `endpoint` is None on AWS itself, an http(s) address for anything else that speaks S3.
    """

    bucket: str
    prefix: str
    endpoint: str | None = None
    region: str = "us-east-1"


@dataclass(frozen=True)
class Settings:
    """All settings. Build with `Settings.from_env()`; tests build it directly."""

    environment: Environment
    home: Path
    clickhouse: ClickHouseSettings
    postgres_dsn: str = field(repr=False)
    s3: S3Settings
    beat_url: str | None = None
    coffee_url: str | None = None
    slack_token: str | None = field(default=None, repr=False)
    slack_api_url: str | None = None
    alerts: bool = True
    """Whether people are told of what is wrong; follows `automation` unless STIR_ALERTS says otherwise."""
    alert_policy: AlertPolicy = field(default_factory=AlertPolicy)
    ui_url: str = ""
    """Address of Dagster's UI, for links in messages."""
    dbt_mode: DbtMode = "inprocess"
    dbt_vars: Mapping[str, Any] = field(default_factory=dict)
    """Values of the dbt project's vars that differ from dbt_project.yml, such as the market's country."""
    automation: bool = True
    """Whether assets carry their freshness conditions; without them nothing runs by itself."""

    @staticmethod
    def from_env(env: Mapping[str, str] | None = None) -> Settings:
        """Read the settings; raises `ConfigError` naming the variable that is missing or wrong.

        `stir env` prints these variables for the local stack; production sets them in its manifests.
        """
        source = os.environ if env is None else env
        environment = cast(Environment, _choice(source, "STIR_ENV", get_args(Environment)))
        # Staging runs on demand: it shares its sources with production and must not double the load.
        automation = ("off", "on") if environment == "staging" else ("on", "off")
        return Settings(
            environment=environment,
            home=stir_home(source),
            clickhouse=ClickHouseSettings(
                host=_required(source, "STIR_CLICKHOUSE_HOST"),
                port=_port(source, "STIR_CLICKHOUSE_PORT", default=8123),
                user=source.get("STIR_CLICKHOUSE_USER", "default"),
                password=source.get("STIR_CLICKHOUSE_PASSWORD", ""),
                secure=_flag(source, "STIR_CLICKHOUSE_SECURE"),
                database=source.get("STIR_CLICKHOUSE_DATABASE", "stir"),
                cluster=source.get("STIR_CLICKHOUSE_CLUSTER", ""),
            ),
            postgres_dsn=_required(source, "STIR_POSTGRES_DSN"),
            s3=S3Settings(
                bucket=_required(source, "STIR_S3_BUCKET"),
                prefix=source.get("STIR_S3_PREFIX", "stir").strip("/"),
                endpoint=source.get("STIR_S3_ENDPOINT") or None,
                region=source.get("AWS_DEFAULT_REGION", "us-east-1"),
            ),
            beat_url=source.get("STIR_BEAT_URL") or None,
            coffee_url=source.get("STIR_COFFEE_URL") or None,
            slack_token=source.get("STIR_SLACK_TOKEN") or None,
            slack_api_url=source.get("STIR_SLACK_API_URL") or None,
            alerts=_choice(source, "STIR_ALERTS", automation) == "on",
            alert_policy=_alert_policy(source),
            ui_url=source.get("STIR_UI_URL", ""),
            dbt_mode=cast(DbtMode, _choice(source, "STIR_DBT_MODE", get_args(DbtMode))),
            dbt_vars=_object(source, "STIR_DBT_VARS"),
            automation=_choice(source, "STIR_AUTOMATION", automation) == "on",
        )

    def secrets(self) -> tuple[str, ...]:
        """Values that must not appear in anything that leaves the process."""
        given = (self.clickhouse.password, self.postgres_dsn, self.slack_token)
        return tuple(value for value in given if value)


def stir_home(env: Mapping[str, str] | None = None) -> Path:
    """The folder of the local stack's data, logs and state: `STIR_HOME`, else `.stir/` in the checkout."""
    source = os.environ if env is None else env
    return Path(source.get("STIR_HOME") or REPO_ROOT / ".stir").expanduser().resolve()


def pii_salt(env: Mapping[str, str] | None = None) -> str | None:
    """The secret behind the hashes of phone numbers. Not part of `Settings`: only one place ever needs it."""
    source = os.environ if env is None else env
    return source.get("STIR_PII_SALT") or None


def _alert_policy(env: Mapping[str, str]) -> AlertPolicy:
    return AlertPolicy(
        channel=env.get("STIR_SLACK_CHANNEL") or DEFAULT_CHANNEL,
        routes=parse_routes(env.get("STIR_SLACK_ROUTES", ""), where="STIR_SLACK_ROUTES"),
        quiet=parse_quiet(env.get("STIR_ALERTS_QUIET", ""), where="STIR_ALERTS_QUIET"),
        digest=parse_digest(env.get("STIR_ALERTS_DIGEST", ""), where="STIR_ALERTS_DIGEST"),
    )


def _required(env: Mapping[str, str], name: str) -> str:
    value = env.get(name)
    if not value:
        raise ConfigError(
            f"{name} is not set: start the local stack with `stir up` and load its settings with "
            f'`eval "$(stir env)"`, or set {name} to the server to use'
        )
    return value


def _choice(env: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str:
    """The variable's value, the first of `allowed` when it is not set."""
    value = env.get(name) or allowed[0]
    if value not in allowed:
        raise ConfigError(f"{name}={value!r}: use one of {', '.join(allowed)}")
    return value


def _object(env: Mapping[str, str], name: str) -> dict[str, Any]:
    text = env.get(name, "").strip() or "{}"
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ConfigError(
            f'{name}={text!r} is not JSON ({error}); an example: {{"market_country": "BR"}}'
        ) from None
    if not isinstance(value, dict):
        raise ConfigError(f"{name}={text!r} is JSON, but no object of names and values")
    return value


def _port(env: Mapping[str, str], name: str, *, default: int) -> int:
    text = env.get(name, "").strip() or str(default)
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise ConfigError(f"{name}={text!r} is not a port number (1 to 65535)")
    return int(text)


def _flag(env: Mapping[str, str], name: str) -> bool:
    text = env.get(name, "").strip().lower()
    if text in {"", "0", "false", "no"}:
        return False
    if text in {"1", "true", "yes"}:
        return True
    raise ConfigError(f"{name}={text!r} is neither true nor false")
