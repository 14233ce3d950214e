"""`postgresql.conf` of the local stack: tuned for bulk load with nothing production would not allow.

fsync, full_page_writes and synchronous_commit stay at their safe defaults: what is committed survives a
power cut. Every other line says why it is there.
"""

from __future__ import annotations

import os

import psutil

from stir_assets.local.ports import LOOPBACK

_MB = 1024 * 1024


def settings_for(port: int) -> str:
    """The whole file for a server on loopback; memory sizes follow this machine's, in steps of 1 MB."""
    memory_mb = psutil.virtual_memory().total // _MB
    cores = os.cpu_count() or 2
    # The server shares the machine with ClickHouse and Dagster: an eighth of the memory, not the quarter
    # that a dedicated server gets.
    shared_buffers_mb = max(128, min(1024, memory_mb // 8))
    maintenance_mb = max(64, min(512, memory_mb // 32))
    return f"""\
# Written at each start by `stir up`; changes made here are lost.
listen_addresses = '{LOOPBACK}'
port = {port}
# TCP only: nothing in /tmp to clash with another server, no limit on the length of STIR_HOME.
unix_socket_directories = ''
max_connections = 200                  # Dagster's processes hold pools of their own
password_encryption = scram-sha-256
shared_buffers = {shared_buffers_mb}MB
dynamic_shared_memory_type = posix
maintenance_work_mem = {maintenance_mb}MB          # index builds of a new version, before the swap
max_parallel_maintenance_workers = {min(4, cores)}
work_mem = 16MB                        # sorts of readers' queries; per node, hence modest
effective_io_concurrency = 64          # solid-state disk
random_page_cost = 1.1                 # solid-state disk

# Write-ahead log: replica, as production has it, so a load is logged in full here too.
wal_level = replica
wal_compression = off                  # this build has only pglz, whose cost in processor time exceeds the gain
wal_buffers = 16MB                     # one segment; COPY fills it between two flushes
max_wal_size = 4GB                     # no forced checkpoint in the middle of a load
min_wal_size = 256MB                   # keep segments for reuse instead of making new ones
checkpoint_timeout = 15min
checkpoint_completion_target = 0.9     # spread the writes
bgwriter_lru_maxpages = 400            # a load dirties pages faster than the default writes them back

# A new version of a table has statistics at the swap (publication runs ANALYZE); autovacuum does the rest.
autovacuum_naptime = 30s
autovacuum_vacuum_cost_limit = 1000

# Stuck clients must not hold locks that a swap waits for.
idle_in_transaction_session_timeout = 30min
tcp_keepalives_idle = 60

timezone = 'UTC'
log_timezone = 'UTC'
datestyle = 'iso, mdy'
lc_messages = 'C'
default_text_search_config = 'pg_catalog.english'

# To stderr: the supervisor keeps it in logs/postgres.log and bounds its size.
logging_collector = off
log_line_prefix = '%m [%p] %q%u@%d '
log_min_duration_statement = 10s
log_parameter_max_length = 0           # values may be personal data
log_parameter_max_length_on_error = 0
log_checkpoints = on
log_lock_waits = on
"""
