"""dbt inside our process: one import, one manifest, no subprocess.

A model takes 0.2 s this way and 5 s through the command line, whose imports and parse are paid anew each
time. dbt-core allows one invocation per process at a time, which a lock enforces; runs that must go in
parallel are processes of their own. `STIR_DBT_MODE=cli` is the stock path, for when that is doubted.
"""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster_dbt import DbtCliResource
from dagster_dbt.asset_utils import (
    DAGSTER_DBT_EXCLUDE_METADATA_KEY,
    DAGSTER_DBT_SELECT_METADATA_KEY,
    DAGSTER_DBT_SELECTOR_METADATA_KEY,
    get_manifest_and_translator_from_dbt_assets,
    get_subset_selection_for_context,
)
from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage
from pydantic import Field

from stir_assets.dbt.project import parsed_manifest, part_of

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest
    from dbt_common.events.base_types import EventMsg

_RESULT_EVENTS = frozenset({"LogModelResult", "LogTestResult", "LogSeedResult", "LogSnapshotResult"})
_QUIET = ("--log-level", "none", "--log-level-file", "none", "--no-write-json")
# Relations are listed once, before the first model. Left to the models, dbt takes the schema for listed from the first
# relation that one thread has noted, and another thread takes the tables that are still to come for missing.
_LISTED_FIRST = ("--populate-cache", "--cache-selected-only")
# A test that compares models runs when each of them is selected or an ancestor of a selected one. dbt's default
# (eager) would run it with any of them, against models that are older than this run or not built yet.
_INDIRECT_SELECTION = "buildable"
_INDIRECT_SELECTION_VARIABLE = "DBT_INDIRECT_SELECTION"
_one_at_a_time = threading.Lock()
_manifests: dict[tuple[Path, str], Manifest] = {}

AssetEvent = (
    dg.Output[Any]
    | dg.AssetMaterialization
    | dg.AssetObservation
    | dg.AssetCheckResult
    | dg.AssetCheckEvaluation
)


class DbtRunner(dg.ConfigurableResource):
    """Runs dbt for an asset run and yields one Dagster event a model or test, as each ends."""

    project_dir: str
    target: str
    mode: str = "inprocess"
    full_refresh: bool = False
    variables: dict[str, Any] = Field(default_factory=dict)
    """Values of the project's vars that differ from dbt_project.yml."""
    as_of: str | None = None
    """Build as of this moment instead of now ('YYYY-MM-DD' or with a time, UTC), for imports of old data."""

    def build(self, context: dg.AssetExecutionContext) -> Iterator[AssetEvent]:
        """`dbt build` of the run's selected models and checks. Raises `dg.Failure` with the failed nodes."""
        # Unit tests check the SQL, not the data: they run in CI, not with every refresh.
        arguments = ["build", "--exclude-resource-type", "unit_test"]
        if self.full_refresh:
            arguments.append("--full-refresh")
        variables = self.variables | ({"as_of": self.as_of} if self.as_of else {})
        if variables:
            arguments += ["--vars", json.dumps(variables)]
        if self.mode == "cli":
            cli = DbtCliResource(
                project_dir=self.project_dir, profiles_dir=self.project_dir, target=self.target
            )
            with _environment(_INDIRECT_SELECTION_VARIABLE, _INDIRECT_SELECTION):
                yield from cli.cli(arguments, context=context).stream()
            return
        yield from self._stream(context, arguments)

    def _stream(self, context: dg.AssetExecutionContext, arguments: list[str]) -> Iterator[AssetEvent]:
        manifest, translator, project = get_manifest_and_translator_from_dbt_assets([context.assets_def])
        tags = context.op.tags
        # dagster-dbt's own way copies the project to write a long selection into it as a selector; dbt would not find
        # that here, and arguments that go from function to function may be of any length.
        selection, indirect_selection = get_subset_selection_for_context(
            context=context,
            manifest=manifest,
            select=tags.get(DAGSTER_DBT_SELECT_METADATA_KEY),
            exclude=tags.get(DAGSTER_DBT_EXCLUDE_METADATA_KEY),
            selector=tags.get(DAGSTER_DBT_SELECTOR_METADATA_KEY),
            dagster_dbt_translator=translator,
            current_dbt_indirect_selection_env=_INDIRECT_SELECTION,
        )
        with _one_at_a_time:
            invocation = _Invocation(
                self._manifest(context),
                [*arguments, *selection, *self._locations()],
                indirect_selection=indirect_selection or _INDIRECT_SELECTION,
            )
            for raw in invocation.events():
                message = DbtCoreCliEventMessage(raw_event=raw, event_history_metadata={})
                yield from message.to_default_asset_events(
                    manifest=manifest,
                    dagster_dbt_translator=translator,
                    context=context,
                    target_path=Path(self.project_dir) / "target",
                    project=project,
                )
            invocation.raise_for_failures()

    def _manifest(self, context: dg.AssetExecutionContext) -> Manifest:
        """As much of the manifest as the run's assets and checks need; all of it for a check of a source."""
        manifest = load_manifest(Path(self.project_dir), self.target)
        keys = context.selected_asset_keys | {check.asset_key for check in context.selected_asset_check_keys}
        models = {f"model.{manifest.metadata.project_name}.{key.path[-1]}" for key in keys}
        return part_of(manifest, models) if models <= manifest.nodes.keys() else manifest

    def _locations(self) -> list[str]:
        return [
            "--project-dir",
            self.project_dir,
            "--profiles-dir",
            self.project_dir,
            "--target",
            self.target,
        ]


def load_manifest(project_dir: Path, target: str) -> Manifest:
    """dbt's own manifest object, read once a process."""
    key = (project_dir, target)
    if key not in _manifests:
        _manifests[key] = parsed_manifest(project_dir, target)
    return _manifests[key]


class _Invocation:
    """One dbt invocation in a thread, its result events handed over as they come."""

    def __init__(self, manifest: Manifest, arguments: list[str], *, indirect_selection: str) -> None:
        self._events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._manifest = manifest
        self._arguments = arguments
        self._indirect_selection = indirect_selection
        self._result: Any = None
        self._crash: BaseException | None = None

    def events(self) -> Iterator[dict[str, Any]]:
        thread = threading.Thread(target=self._run, name="dbt", daemon=True)
        thread.start()
        while (event := self._events.get()) is not None:
            yield event
        thread.join()

    def raise_for_failures(self) -> None:
        if self._crash is not None:
            raise self._crash
        if self._result.success:
            return
        if self._result.exception:
            raise dg.Failure(f"dbt stopped: {self._result.exception}")
        failed = [
            (result.node.name, str(result.status), result.message or "")
            for result in self._result.result.results
            if str(result.status) in ("error", "fail", "runtime error")
        ]
        lines = "\n".join(f"{name}: {status}: {message}" for name, status, message in failed)
        raise dg.Failure(
            f"{len(failed)} of {len(self._result.result.results)} dbt nodes failed:\n{lines}",
            metadata={"failed": dg.JsonMetadataValue([name for name, _, _ in failed])},
        )

    def _run(self) -> None:
        from dbt.cli.main import dbtRunner

        try:
            with _environment(_INDIRECT_SELECTION_VARIABLE, self._indirect_selection):
                self._result = dbtRunner(manifest=self._manifest, callbacks=[self._on_event]).invoke(
                    [*_QUIET, *_LISTED_FIRST, *self._arguments]
                )
        except BaseException as crash:  # handed to the asking thread, whatever it is
            self._crash = crash
        finally:
            self._events.put(None)

    @property
    def _on_event(self) -> Callable[[EventMsg], None]:
        from google.protobuf.json_format import MessageToDict

        def handle(event: EventMsg) -> None:
            if event.info.name in _RESULT_EVENTS:
                self._events.put(MessageToDict(event, preserving_proto_field_name=True))  # pyright: ignore

        return handle


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """Sets one variable for a while; dbt reads some flags from nowhere else."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before
