"""The environment in which every client reaches the stack: dagster, dbt, psql, ClickHouse clients, aws.

The same names whether the engines are local or servers of the user's own. `stir env` prints it; commands
and the supervisor's children get it without.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from urllib.parse import unquote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from stir_assets.errors import ConfigError
from stir_assets.local.config import StackConfig
from stir_assets.local.home import StackHome
from stir_assets.local.ports import LOOPBACK
from stir_assets.local.state import StackState
from stir_assets.settings import DBT_PROJECT_DIR, Settings, stir_home

# Given all three, the commands use those servers and start no engine.
EXTERNAL_VARIABLES = ("STIR_CLICKHOUSE_HOST", "STIR_POSTGRES_DSN", "STIR_S3_BUCKET")
# Says that these variables were printed by `stir env`, so that `stir up` in the same shell does not take
# the local engines for servers of the user's own. A fingerprint of their values: a change undoes it.
MARK_VARIABLE = "STIR_LOCAL_STACK"
_MARKED = (*EXTERNAL_VARIABLES, "STIR_CLICKHOUSE_PORT", "STIR_S3_ENDPOINT")

BUCKET = "stir-local"
REGION = "us-east-1"
CLICKHOUSE_USER = "stir"


def mark(env: Mapping[str, str]) -> str:
    """Fingerprint of the variables that say where the engines are."""
    text = "\n".join(env.get(name, "") for name in _MARKED)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def is_local_export(env: Mapping[str, str]) -> bool:
    """Whether the engine variables in `env` are those that `stir env` printed for a local stack."""
    return env.get(MARK_VARIABLE, "") == mark(env)


def uses_external_servers(env: Mapping[str, str]) -> bool:
    """Whether the user named servers of their own; naming only some of the three raises `ConfigError`."""
    if is_local_export(env):
        return False
    given = [name for name in EXTERNAL_VARIABLES if env.get(name)]
    missing = [name for name in EXTERNAL_VARIABLES if not env.get(name)]
    if given and missing:
        raise ConfigError(
            f"{', '.join(given)} set but not {', '.join(missing)}: set all three to use servers of your own, "
            "or unset them to use the local engines"
        )
    return bool(given)


def local_environment(home: StackHome, config: StackConfig) -> dict[str, str]:
    """Every variable of a local stack. `config` must have the ports of the three engines."""
    postgres_port = config.ports["postgres"]
    env = {
        "STIR_HOME": str(home.root),
        "STIR_ENV": "local",
        "STIR_CLICKHOUSE_HOST": LOOPBACK,
        "STIR_CLICKHOUSE_PORT": str(config.ports["clickhouse"]),
        "STIR_CLICKHOUSE_USER": CLICKHOUSE_USER,
        "STIR_CLICKHOUSE_PASSWORD": config.clickhouse_password,
        "STIR_CLICKHOUSE_SECURE": "false",
        "STIR_CLICKHOUSE_DATABASE": "stir",
        "STIR_POSTGRES_DSN": f"postgresql://stir:{config.postgres_password}@{LOOPBACK}:{postgres_port}/stir",
        "STIR_S3_ENDPOINT": f"http://{LOOPBACK}:{config.ports['s3']}",
        "STIR_S3_BUCKET": BUCKET,
        "STIR_S3_PREFIX": "stir",
        "STIR_PII_SALT": config.pii_salt,
        "AWS_ACCESS_KEY_ID": config.s3_access_key,
        "AWS_SECRET_ACCESS_KEY": config.s3_secret_key,
        "AWS_DEFAULT_REGION": REGION,
        # The AWS command line and SDKs find the local S3 by this name; Stir itself uses STIR_S3_ENDPOINT.
        "AWS_ENDPOINT_URL_S3": f"http://{LOOPBACK}:{config.ports['s3']}",
        "DAGSTER_PG_HOST": LOOPBACK,
        "DAGSTER_PG_PORT": str(postgres_port),
        "DAGSTER_PG_USER": "dagster",
        "DAGSTER_PG_PASSWORD": config.dagster_password,
        "DAGSTER_PG_DB": "dagster",
        "PGHOST": LOOPBACK,
        "PGPORT": str(postgres_port),
        "PGUSER": "stir",
        "PGPASSWORD": config.postgres_password,
        "PGDATABASE": "stir",
        **_places(home),
    }
    if "webserver" in config.ports:
        env["STIR_UI_URL"] = f"http://{LOOPBACK}:{config.ports['webserver']}"
    return {**env, MARK_VARIABLE: mark(env)}


def external_environment(home: StackHome, env: Mapping[str, str]) -> dict[str, str]:
    """The same variables for servers of the user's own, completed from what is given.

    Dagster's storage is the database `dagster` on the same PostgreSQL unless DAGSTER_PG_* say otherwise.
    """
    settings = Settings.from_env(env)
    try:
        postgres = conninfo_to_dict(settings.postgres_dsn)
    except psycopg.ProgrammingError as error:
        # The driver's message quotes the text, password and all.
        raise ConfigError(
            "STIR_POSTGRES_DSN is not a libpq URI (postgresql://user:password@host:port/db)"
        ) from (None if settings.postgres_dsn in str(error) else error)
    host, port = str(postgres.get("host") or "localhost"), str(postgres.get("port") or 5432)
    user, password = str(postgres.get("user") or ""), unquote(str(postgres.get("password") or ""))
    completed = {
        "STIR_ENV": settings.environment,
        "STIR_CLICKHOUSE_PORT": str(settings.clickhouse.port),
        "STIR_CLICKHOUSE_USER": settings.clickhouse.user,
        "STIR_CLICKHOUSE_PASSWORD": settings.clickhouse.password,
        "STIR_CLICKHOUSE_SECURE": str(settings.clickhouse.secure).lower(),
        "STIR_CLICKHOUSE_DATABASE": settings.clickhouse.database,
        "STIR_S3_PREFIX": settings.s3.prefix,
        "AWS_DEFAULT_REGION": settings.s3.region,
        "DAGSTER_PG_HOST": host,
        "DAGSTER_PG_PORT": port,
        "DAGSTER_PG_USER": user,
        "DAGSTER_PG_PASSWORD": password,
        "DAGSTER_PG_DB": "dagster",
        "PGHOST": host,
        "PGPORT": port,
        "PGUSER": user,
        "PGPASSWORD": password,
        "PGDATABASE": str(postgres.get("dbname") or user),
    }
    names = (
        *EXTERNAL_VARIABLES,
        "STIR_S3_ENDPOINT",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "STIR_UI_URL",
    )
    given = {name: env[name] for name in (*names, *completed) if env.get(name)}
    return {**completed, **given, **_places(home), "STIR_HOME": str(home.root)}


def load_stack_environment(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of the servers given in `env`, else of the running local stack.

    Raises `ConfigError` that says `stir up` when there is neither.
    """
    source = os.environ if env is None else env
    home = StackHome(stir_home(source))
    if uses_external_servers(source):
        return external_environment(home, source)
    config = StackConfig.load(home.config_file)
    state = StackState.read(home.state_file)
    if config is None or state is None or not state.running():
        raise ConfigError(f"no stack runs in {home.root}: start it with `stir up`")
    if missing := {"clickhouse", "postgres", "s3"} - set(config.ports):
        raise ConfigError(f"the stack in {home.root} runs without {', '.join(sorted(missing))}: `stir up`")
    return local_environment(home, config)


def _places(home: StackHome) -> dict[str, str]:
    return {
        "DAGSTER_HOME": str(home.dagster_home),
        "DBT_PROJECT_DIR": str(DBT_PROJECT_DIR),
        "DBT_PROFILES_DIR": str(DBT_PROJECT_DIR),
    }
