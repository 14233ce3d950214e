"""Dagster's PostgreSQL storage with connections that are kept. dagster.yaml names `PooledPostgresStorage`.

dagster-postgres opens a connection for every query outside of the webserver, and looks for its tables with every new
instance; the code server makes an instance for each sensor tick. Both cost more than the queries themselves.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dagster._core.storage.config import PostgresStorageConfig
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.utils import create_pg_engine, get_token_provider_from_config, pg_url_from_config
from sqlalchemy import Engine

_KEPT_OPEN = 2
_MOST_MORE = 30
_RECYCLE_SECONDS = 1800

_lock = threading.Lock()


@dataclass(frozen=True)
class _Shared:
    """What all instances of a process have in common."""

    engine: Engine
    # Which migrations ran is asked once a process too, not once an instance.
    index_cache: dict[Any, Any] = field(default_factory=dict)
    migration_cache: dict[Any, Any] = field(default_factory=dict)


_shared: dict[tuple[int, str], _Shared] = {}


class PooledPostgresStorage(DagsterPostgresStorage):
    """Takes the configuration of `DagsterPostgresStorage`; all instances of a process share a pool."""

    @classmethod
    def from_config_value(  # pyright: ignore[reportIncompatibleMethodOverride]  # as in the base class
        cls, inst_data: ConfigurableClassData | None, config_value: PostgresStorageConfig
    ) -> PooledPostgresStorage:
        config: Mapping[str, Any] = config_value
        url, token_provider = pg_url_from_config(config), get_token_provider_from_config(config)
        # By process: what was opened before a fork must not be used after it.
        place = os.getpid(), url
        storage = cls(
            inst_data=inst_data,
            postgres_url=url,
            # Tables that were there for one instance of this process are there for the next.
            should_autocreate_tables=config.get("should_autocreate_tables", True) and place not in _shared,
            token_provider=token_provider,
        )
        with _lock:
            if place not in _shared:
                engine = create_pg_engine(
                    url,
                    token_provider,
                    isolation_level="AUTOCOMMIT",
                    pool_size=_KEPT_OPEN,
                    max_overflow=_MOST_MORE,
                    pool_recycle=_RECYCLE_SECONDS,
                    # A server that was restarted has closed them all.
                    pool_pre_ping=True,
                )
                _shared[place] = _Shared(engine)
            shared = _shared[place]
        for part in (storage._run_storage, storage._event_log_storage, storage._schedule_storage):
            part._engine = shared.engine
        storage._event_log_storage._secondary_index_cache = shared.index_cache
        storage._run_storage._index_migration_cache = shared.migration_cache
        return storage
