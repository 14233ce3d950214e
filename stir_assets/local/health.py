"""The health of the stack at this moment: the supervisor's record, checked by real queries."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from psycopg.conninfo import conninfo_to_dict

from stir_assets.local import probes
from stir_assets.local.catalog import build_service
from stir_assets.local.config import StackConfig
from stir_assets.local.environment import external_environment, uses_external_servers
from stir_assets.local.home import MIN_FREE_BYTES, StackHome
from stir_assets.local.state import ServiceState, StackState
from stir_assets.settings import Settings, stir_home


@dataclass
class ServiceStatus:
    """One service: `state` is the supervisor's word, `healthy` the answer to a query just now."""

    name: str
    state: str
    healthy: bool
    address: str = ""
    detail: str = ""
    pid: int | None = None
    restarts: int = 0
    last_failure: str = ""
    since: str = ""
    log: str = ""


@dataclass
class StatusReport:
    """`healthy`: something runs (or is named) and all of it answers."""

    home: str
    mode: str
    healthy: bool
    summary: str
    supervisor_pid: int | None = None
    services: list[ServiceStatus] = field(default_factory=list)


def check_servers(settings: Settings) -> list[ServiceStatus]:
    """Ask the three engines named in the settings; never raises."""
    clickhouse = settings.clickhouse
    scheme = "https" if clickhouse.secure else "http"
    postgres = conninfo_to_dict(settings.postgres_dsn)
    checks: list[tuple[str, str, Callable[[], str]]] = [
        (
            "clickhouse",
            f"{scheme}://{clickhouse.host}:{clickhouse.port}",
            lambda: probes.clickhouse(clickhouse),
        ),
        (
            "postgres",
            f"{postgres.get('host', 'localhost')}:{postgres.get('port', 5432)}",
            lambda: probes.postgres(settings.postgres_dsn),
        ),
        ("s3", f"{settings.s3.endpoint or 'AWS'}", lambda: probes.s3(settings.s3)),
    ]
    with ThreadPoolExecutor(len(checks)) as pool:
        return list(pool.map(lambda check: _ask(*check), checks))


def _ask(name: str, address: str, question: Callable[[], str]) -> ServiceStatus:
    try:
        detail = question()
    except Exception as error:
        text = " ".join(str(error).split())[:300] or type(error).__name__
        return ServiceStatus(name, "unreachable", False, address, text)
    return ServiceStatus(name, "ready", True, address, detail)


def stack_status(env: Mapping[str, str]) -> StatusReport:
    """Status of the servers named in `env`, else of the local stack of its home."""
    home = StackHome(stir_home(env))
    external = uses_external_servers(env)
    state = StackState.read(home.state_file)
    running = state if state is not None and state.running() else None
    services: list[ServiceStatus] = []
    if external:
        services += check_servers(Settings.from_env(external_environment(home, env)))
    if running is not None and running.external == external:
        services += _running_services(home, running, env)
    elif state is not None and not external:
        services += _leftovers(state)
    healthy = bool(services) and all(service.healthy for service in services)
    return StatusReport(
        home=str(home.root),
        mode="external" if external else "local",
        healthy=healthy,
        summary=_summary(services, running is not None, healthy) + _disk_warning(home),
        supervisor_pid=running.supervisor.pid if running else None,
        services=services,
    )


def _disk_warning(home: StackHome) -> str:
    try:
        free = shutil.disk_usage(home.root).free
    except OSError:
        return ""
    return f"; its disk has only {free // 2**20} MB free" if free < MIN_FREE_BYTES else ""


def _summary(services: list[ServiceStatus], supervised: bool, healthy: bool) -> str:
    if not services:
        return "nothing runs; start it with `stir up`"
    if not supervised and any(service.pid for service in services):
        return "the supervisor was killed and left processes behind: `stir up` or `stir down` puts that right"
    return "everything answers" if healthy else "not everything answers"


def _running_services(home: StackHome, state: StackState, env: Mapping[str, str]) -> list[ServiceStatus]:
    config = StackConfig.load(home.config_file) or StackConfig()

    def check(service: ServiceState) -> ServiceStatus:
        status = _recorded(service)
        if service.phase not in ("ready", "not answering"):
            return status
        try:
            build_service(service.name, home, config, env, external=state.external).probe()
        except Exception as error:
            status.state = "not answering"
            status.detail = " ".join(str(error).split())[:300] or type(error).__name__
            return status
        status.healthy = True
        status.state = "ready"
        if service.name == "webserver":
            _check_definitions(status)
        return status

    if not state.services:
        return []
    with ThreadPoolExecutor(len(state.services)) as pool:
        return list(pool.map(check, state.services.values()))


def _check_definitions(status: ServiceStatus) -> None:
    try:
        status.detail = probes.code_location(status.address)
    except Exception as error:
        status.healthy = False
        status.detail = " ".join(str(error).split())[:600]


def _recorded(service: ServiceState) -> ServiceStatus:
    return ServiceStatus(
        name=service.name,
        state=service.phase,
        healthy=False,
        address=service.address,
        detail=f"since {service.since}" if service.since else "",
        pid=service.process.pid if service.process else None,
        restarts=service.restarts,
        last_failure=service.reason,
        since=service.since,
        log=service.log,
    )


def _leftovers(state: StackState) -> list[ServiceStatus]:
    left: list[ServiceStatus] = []
    for service in state.services.values():
        if service.process is not None and service.process.alive():
            status = _recorded(service)
            status.state = "unsupervised"
            left.append(status)
    return left
