"""Ends the ClickHouse queries of a run whose process was cancelled or killed.

dbt marks every query of a run with the run's id (`log_comment` in profiles.yml, from STIR_RUN_ID): the
process may be gone, and its id in dbt's own comments is not there.
"""

from __future__ import annotations

import contextlib
import logging

from clickhouse_connect.driver.exceptions import ClickHouseError

from stir_assets.core.clickhouse import clickhouse_client
from stir_assets.errors import StirError
from stir_assets.settings import ClickHouseSettings, Settings

RUN_VARIABLE = "STIR_RUN_ID"

log = logging.getLogger("stir.launch")


def kill_queries(settings: ClickHouseSettings, run_id: str) -> int:
    """Asks the server to end the run's queries; how many ran. Raises `StirError` or the driver's error."""
    with contextlib.closing(clickhouse_client(settings)) as client:
        killed = client.query(
            "kill query where Settings['log_comment'] = {run_id:String} async", parameters={"run_id": run_id}
        )
        return len(killed.result_rows)


def kill_queries_of_run(run_id: str) -> None:
    """The same with the settings of the environment; a server that is away only leaves a line in the log."""
    try:
        count = kill_queries(Settings.from_env().clickhouse, run_id)
    except (StirError, ClickHouseError, OSError) as error:
        log.warning("run %s: its ClickHouse queries could not be ended: %s", run_id, error)
        return
    log.info("run %s: ended %d ClickHouse queries", run_id, count)
