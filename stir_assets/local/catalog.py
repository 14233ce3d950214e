"""Which services the stack has, in the order of their start, and how each is built."""

from __future__ import annotations

from collections.abc import Mapping

from stir_assets.local.config import StackConfig
from stir_assets.local.environment import external_environment, local_environment
from stir_assets.local.home import StackHome
from stir_assets.local.service import Service
from stir_assets.settings import ClickHouseSettings, S3Settings

ENGINES = ("clickhouse", "postgres", "s3")
DAGSTER = ("code-server", "zygote", "webserver", "daemon")
SERVICES = (*ENGINES, *DAGSTER)


def build_service(
    name: str, home: StackHome, config: StackConfig, base_env: Mapping[str, str], *, external: bool
) -> Service:
    """The service of that name with its ports, passwords and environment.

    `external`: the engines are the servers named in `base_env`; then only Dagster's services can be built.
    """
    stack_env = external_environment(home, base_env) if external else local_environment(home, config)
    env = {**base_env, **stack_env}
    # Imported one by one: a production image runs Dagster's part without the engines' packages.
    if name == "clickhouse":
        from stir_assets.local.engine_clickhouse import ClickHouseService

        settings = ClickHouseSettings(
            host=env["STIR_CLICKHOUSE_HOST"],
            port=int(env["STIR_CLICKHOUSE_PORT"]),
            user=env["STIR_CLICKHOUSE_USER"],
            password=env["STIR_CLICKHOUSE_PASSWORD"],
            database=env["STIR_CLICKHOUSE_DATABASE"],
        )
        return ClickHouseService(settings, home.clickhouse_data, env)
    if name == "postgres":
        from stir_assets.local.engine_postgres import PostgresService

        return PostgresService(config, home.postgres_data)
    if name == "s3":
        from stir_assets.local.engine_s3 import S3Service

        settings = S3Settings(
            bucket=env["STIR_S3_BUCKET"], prefix=env["STIR_S3_PREFIX"], endpoint=env["STIR_S3_ENDPOINT"]
        )
        return S3Service(settings, config.ports["s3"], home.s3_spill, env)
    from stir_assets.local import engine_dagster

    if name == "code-server":
        return engine_dagster.CodeServer(config.ports["code-server"], home.dagster_home, env)
    if name == "zygote":
        return engine_dagster.Zygote(home.dagster_home, env)
    if name == "webserver":
        return engine_dagster.Webserver(config.ports["webserver"], home.dagster_home, env)
    if name == "daemon":
        return engine_dagster.Daemon(home.dagster_home, env)
    raise ValueError(f"unknown service {name!r}")
