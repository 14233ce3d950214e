"""A Dagster run of one serving asset in a process of its own, to be cancelled: `python -m` this module, job on stdin."""

from __future__ import annotations

import json
import sys

import dagster as dg

from stir_assets.cli.materialize import materialize_selection
from stir_assets.io_managers.relation import Relation
from stir_assets.io_managers.serving_table import ServingTableIOManager
from stir_assets.resources.clickhouse import ClickHouseResource
from stir_assets.serving.assets import RETRY
from stir_assets_tests.integration.publish.conftest import TARGET


def main() -> int:
    """Publishes the SELECT of the job as `public.board`; 0 when that succeeded."""
    job = json.load(sys.stdin)
    manager = ServingTableIOManager(clickhouse=ClickHouseResource(**job["clickhouse"]), **job["manager"])

    @dg.asset(io_manager_key="serving", retry_policy=RETRY)
    def board() -> Relation:
        return Relation(job["select"], target=TARGET)

    defs = dg.Definitions([board], resources={"serving": manager}, executor=dg.in_process_executor)
    report = materialize_selection(defs, "board", on_step=lambda _: None)
    print(report.problems)
    return 0 if report.success else 1


if __name__ == "__main__":
    sys.exit(main())
