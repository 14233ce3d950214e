"""Options of the server and the engine's own configuration file, written into the data directory."""

from __future__ import annotations

import errno
import fcntl
import os
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

from stir_assets.errors import ConfigError

_CONFIG = """<clickhouse>
  <path>{path}/</path>
  <tmp_path>{path}/tmp/</tmp_path>
  <logger><level>warning</level><log>{path}/engine.log</log><size>20M</size><count>2</count></logger>
  <display_name>{name}</display_name>
  <timezone>UTC</timezone>
  <max_server_memory_usage>{memory}</max_server_memory_usage>
  <mark_cache_size>268435456</mark_cache_size>
  <index_mark_cache_size>67108864</index_mark_cache_size>
  <mmap_cache_size>0</mmap_cache_size>
  <max_concurrent_queries>0</max_concurrent_queries>
  <users_config>{path}/users.xml</users_config>
  <user_directories><users_xml><path>{path}/users.xml</path></users_xml></user_directories>
  <query_log>
    <database>system</database><table>query_log</table>
    <engine>ENGINE = MergeTree PARTITION BY event_date ORDER BY event_time TTL event_date + INTERVAL 2 DAY DELETE</engine>
    <flush_interval_milliseconds>7500</flush_interval_milliseconds>
  </query_log>
  <s3><use_environment_credentials>1</use_environment_credentials></s3>
</clickhouse>
"""

_USERS = """<clickhouse>
  <profiles><default>
    <max_memory_usage>{query_memory}</max_memory_usage>
    <max_bytes_ratio_before_external_group_by>0.5</max_bytes_ratio_before_external_group_by>
    <max_bytes_ratio_before_external_sort>0.5</max_bytes_ratio_before_external_sort>
    <implicit_select>0</implicit_select>
  </default></profiles>
  <users><default>
    <password></password><networks><ip>127.0.0.1</ip><ip>::1</ip></networks>
    <profile>default</profile><quota>default</quota>
    <access_management>1</access_management><named_collection_control>1</named_collection_control>
  </default></users>
  <quotas><default></default></quotas>
</clickhouse>
"""

_MINIMUM_FREE_BYTES = 64 << 20


@dataclass(frozen=True)
class ServerOptions:
    """How to run one server. `password` None or empty: every password is accepted for `user`."""

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 8123
    user: str = "default"
    password: str = field(default="", repr=False)
    display_name: str = "stir"
    max_concurrent_queries: int = 64
    memory_bytes: int = 0
    default_session_timeout: int = 60
    max_session_timeout: int = 3600
    drain_seconds: float = 10.0


def default_memory_bytes() -> int:
    """Memory the engine may use in all: half of this machine's."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def write_engine_config(options: ServerOptions) -> Path:
    """Write `config.xml` and `users.xml` of the engine into the data directory; returns the former's path.

    No secret goes into them: the password is checked by this server, S3 credentials come from the environment.
    """
    memory = options.memory_bytes or default_memory_bytes()
    path = escape(str(options.data_dir))
    (options.data_dir / "tmp").mkdir(exist_ok=True)
    users = options.data_dir / "users.xml"
    users.write_text(_USERS.format(query_memory=memory * 2 // 3))
    config = options.data_dir / "config.xml"
    config.write_text(_CONFIG.format(path=path, name=escape(options.display_name), memory=memory))
    return config


def claim_data_dir(data_dir: Path) -> int:
    """Create the data directory, prove it can be written and lock it against other processes.

    Returns the descriptor that holds the lock for as long as it is open. Raises `ConfigError` naming the
    directory: not a directory, read-only, full, or in use.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = os.open(data_dir / "server.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(
            f"cannot use the data directory {data_dir}: {error.strerror}; give a directory that this user can write"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(lock)
        raise ConfigError(
            f"the data directory {data_dir} is in use by another server (process {holder}); "
            "stop it first or give another directory"
        ) from error
    try:
        _prove_writable(data_dir)
    except OSError as error:
        os.close(lock)
        reason = "no space left" if error.errno in (errno.ENOSPC, errno.EDQUOT) else error.strerror
        raise ConfigError(f"cannot write to the data directory {data_dir}: {reason}") from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def _prove_writable(data_dir: Path) -> None:
    stats = os.statvfs(data_dir)
    if stats.f_bavail * stats.f_frsize < _MINIMUM_FREE_BYTES:
        raise OSError(errno.ENOSPC, "no space left")
    probe = data_dir / ".probe"
    with probe.open("wb") as file:
        file.write(b"\0" * 65536)
        file.flush()
        os.fsync(file.fileno())
    probe.unlink()
