"""One publication from lock to clean-up, in the order that lets every step fail without a trace."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from psycopg import pq, sql

from stir_assets.publish import candidate as build
from stir_assets.publish import ddl, guards, janitor, live, lock, merging, preflight, scope, snapshot
from stir_assets.publish.candidate import Candidate
from stir_assets.publish.checksum import Checksum, of_snapshot
from stir_assets.publish.clickhouse import ClickHouse
from stir_assets.publish.config import PublisherConfig
from stir_assets.publish.cutover import cut_over, published_at
from stir_assets.publish.errors import Busy, Refused
from stir_assets.publish.export import Exporter
from stir_assets.publish.forms import Form
from stir_assets.publish.load import Loaded
from stir_assets.publish.load import Progress as LoadProgress
from stir_assets.publish.manifest import Manifest, RunRow, TargetRow
from stir_assets.publish.modes import merge
from stir_assets.publish.postgres import Connection, connect, qualified, translated
from stir_assets.publish.preflight import Plan
from stir_assets.publish.publication import OnProgress, Progress, Publication
from stir_assets.publish.snapshot import Slice, Snapshot
from stir_assets.publish.staging import remove_folder
from stir_assets.publish.swap import SwapResult, end_session
from stir_assets.publish.target import TableSource, Target


@dataclass
class Pipeline:
    """The state of one attempt; `run()` is the whole life of it."""

    config: PublisherConfig
    target: Target
    source: str | TableSource
    run_id: str
    attempt: int
    data_time: datetime | str | None
    on_progress: OnProgress
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    holds_lock: bool = True

    def __post_init__(self) -> None:
        self.version = ddl.version_name(self.target, self.run_id, self.attempt)
        self.candidate = Candidate(self.target, self.config.private_schema, self.version)

    def run(self) -> Publication:
        """Publish. Whatever is raised, the live table is whole, and nothing is left but a refused candidate."""
        config = self.config
        self.connection = connect(config.dsn, f"stir-publish:{self.version}")
        try:
            self.manifest = Manifest(self.connection, config.private_schema, config.public_schema)
            self.manifest.bootstrap()
            lock.acquire(self.connection, config.private_schema, self.target.name, config.lease)
            self.clickhouse = ClickHouse(config.clickhouse)
            try:
                return self._locked()
            finally:
                self.clickhouse.close()
        finally:
            lock.release(self.connection, config.private_schema, self.target.name)
            self.connection.close()

    def preflight(self) -> Plan:
        """Only the checks, without the lock; makes nothing but the manifest."""
        self.connection = connect(self.config.dsn, f"stir-publish:{self.version}")
        try:
            self.manifest = Manifest(self.connection, self.config.private_schema, self.config.public_schema)
            self.manifest.bootstrap()
            self.clickhouse = ClickHouse(self.config.clickhouse)
            with self.phase("preflight", "checking"):
                return self.plan()[0]
        finally:
            if hasattr(self, "clickhouse"):
                self.clickhouse.close()
            self.connection.close()

    @contextmanager
    def phase(self, name: str, message: str) -> Iterator[None]:
        """Report a phase, translate PostgreSQL's errors in it, and add up its time."""
        self.on_progress(Progress(name, message))
        started = time.monotonic()
        try:
            with translated(f"{self.target.name}: {name}"):
                yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - started

    def tell(self, message: str) -> None:
        """Report what is done with the loaded rows."""
        self.on_progress(Progress("load", message))

    def _locked(self) -> Publication:
        # Everything made outside PostgreSQL carries the manifest's identity, so that two databases may share
        # a bucket and a ClickHouse without clearing away each other's work.
        self.space = f"{self.manifest.identity()}-{ddl.digest(self.target.name)}-"
        self.token = self.space + self.version.rsplit("__v", 1)[-1]
        with self.phase("preflight", "checking the declaration, the relation and the live table"):
            plan, known = self.plan()
        with self.phase("sweep", "clearing what earlier runs left"):
            self._sweep()
        self.manifest.start(
            version=self.version, target=self.target.name, run_id=self.run_id, attempt=self.attempt,
            mode=self.target.mode, previous=known.current,
        )  # fmt: skip
        try:
            with lock.heartbeat(self.config.dsn, self.config.private_schema, self.version, self.config.lease):
                publication = self._publish(plan, known)
        except BaseException as error:
            self._undo(error)
            raise
        with self.phase("cleanup", "removing staged objects and the version before the last"):
            self._tidy()
        return self._finished(publication)

    def plan(self) -> tuple[Plan, TargetRow]:
        """All of preflight, on the state under the lock."""
        target, connection = self.target, self.connection
        preflight.check_server(connection, target, self.config.private_schema)
        pg_types = preflight.declared_types(connection, target)
        preflight.check_requirements(connection, target)
        known = self.manifest.ensure_target(target.name, target.mode)
        was = live.find(connection, self.manifest, target)
        run = self.manifest.run(known.current) if known.current else None
        columns = tuple(pg_types.items())
        warnings = []
        if was is not None:
            preflight.check_managed(target, was, known)
            warnings = preflight.check_contract(target, was, pg_types)
        reason = scope.why_swap(target, was, run, columns, bool(warnings))
        chosen = scope.choose(target, self.source, run, reason)
        if was is not None and chosen.way == "swap":
            preflight.check_carry(connection, target, was, columns, run)
        elif was is not None:
            preflight.check_merge(connection, target, was)
        expressions, form, kinds = preflight.plan_export(
            self.clickhouse,
            target,
            self.source,
            self.config.source_database,
            binary=self.config.copy_format == "binary",
        )
        reconciled = run.reconciled_at if run else None
        return Plan(target, expressions, form, kinds, pg_types, was, warnings, chosen, reconciled), known

    def _publish(self, plan: Plan, known: TargetRow) -> Publication:
        self.warnings += plan.warnings
        before = self.manifest.run(known.current) if known.current else None
        previous_rows = self._previous_rows(plan, before)
        done = self._export_and_apply(plan, known, before, previous_rows)
        if done is None:  # too much changed since the watermark: all rows, then
            plan.scope = scope.choose(self.target, self.source, before, self.warnings[-1])
            snapshot.drop(self.clickhouse, self.config.snapshot_database, self.token)
            remove_folder(self.config.staging, self._folder())
            done = self._export_and_apply(plan, known, before, previous_rows)
        assert done is not None  # noqa: S101 - only a delta can turn out too large
        return done

    def _export_and_apply(
        self, plan: Plan, known: TargetRow, before: RunRow | None, previous_rows: int | None
    ) -> Publication | None:
        """Export what the scope says and bring it to the live table; None for a delta that is too large."""
        delta = plan.scope.way == "delta"
        frozen, parts = self._snapshot(plan)
        exported = sum(part.rows for part in parts)
        with self.phase("count", "looking for the newest rows"):
            data_time = self._data_time(frozen, before if delta else None)
            watermark = self._watermark(plan, frozen, before)
        if not delta and not self.target.enrichments:  # known before a byte has moved
            self.warnings += guards.check_size(self.target, exported, previous_rows, None)
        loaded = self._load(plan, frozen, parts, exported)
        self.manifest.update(
            self.version, exported_rows=exported, bytes=loaded.bytes, data_time=data_time, watermark=watermark
        )
        merged: merging.Merged | None = None
        if plan.scope.way != "swap":
            merged = merging.merge_in(self, plan, known, plan.scope, previous_rows or 0)
            if merged is None:
                merging.check_swap(self, plan, before)
            if merged is None and delta:
                return None
            if merged is None:
                merging.become_candidate(self)
        if merged is None:
            self._complete(plan, known, previous_rows)
            self.manifest.update(self.version, state="ready")
            with self.phase("swap", "swapping"):
                result = cut_over(self, plan, known)
        else:
            result = merged.result
        if self.connection.closed:  # lost with the answer to a commit that went through
            self._reconnect()
        return self._result(plan, known, before, frozen, loaded, result, data_time, previous_rows, merged)

    def _reconnect(self) -> None:
        """A new session for the work after the swap; when somebody else has the lock by now, they clear up."""
        self.connection = connect(self.config.dsn, f"stir-publish:{self.version}")
        self.manifest = Manifest(self.connection, self.config.private_schema, self.config.public_schema)
        try:
            lock.acquire(self.connection, self.config.private_schema, self.target.name, self.config.lease)
        except Busy:
            self.holds_lock = False

    def _snapshot(self, plan: Plan) -> tuple[Snapshot, list[Slice]]:
        with self.phase("snapshot", "freezing the relation"):
            self.manifest.update(self.version, state="exporting")
            frozen = self._freeze(
                scope.since(self.target, plan.scope, plan.clickhouse_types, self.config.source_database)
            )
        with self.phase("count", "counting the snapshot"):
            return frozen, snapshot.slices(self.clickhouse, frozen, self.config.slice_bytes)

    def _freeze(self, source: str | TableSource) -> Snapshot:
        config = self.config
        return snapshot.take(
            self.clickhouse,
            source,
            database=config.snapshot_database,
            name=self.token,
            source_database=config.source_database,
            query_id=f"{self.token}-snapshot",
        )

    def _data_time(self, frozen: Snapshot, before: RunRow | None) -> datetime | None:
        """A given time, or a ClickHouse aggregate over exactly the rows that are published; a delta adds to what
        was contained `before`."""
        if not isinstance(self.data_time, str):
            return self.data_time
        query = f"toUnixTimestamp64Micro(toDateTime64({self.data_time}, 6, 'UTC'))"
        micros = self._aggregate(frozen, query, "data_time")
        found = datetime.fromtimestamp(micros / 1e6, UTC) if micros else None
        times = [time for time in (found, before.data_time if before else None) if time is not None]
        return max(times, default=None)

    def _watermark(self, plan: Plan, frozen: Snapshot, before: RunRow | None) -> int | None:
        """How far mode 'upsert' has come with these rows; a delta without rows leaves it where it was."""
        if self.target.mode != "upsert":
            return None
        query = scope.watermark_query(self.target, plan.clickhouse_types)
        found = self._aggregate(frozen, query, "watermark")
        old = before.watermark if before and plan.scope.way == "delta" else None
        return max((mark for mark in (found, old) if mark is not None), default=None)

    def _aggregate(self, frozen: Snapshot, expression: str, what: str) -> int | None:
        where = f" WHERE ({frozen.where})" if frozen.where else ""
        query = f"SELECT {expression} FROM {frozen.relation}{where}"
        found = self.clickhouse.rows(query, f"{self.target.name}: {what}")[0][0]
        return None if found is None else int(found)

    def _previous_rows(self, plan: Plan, before: RunRow | None) -> int | None:
        if before is not None and before.rows is not None:
            return before.rows
        if plan.live is None:
            return None
        place = qualified(self.target.schema, self.target.table)
        row = self.connection.execute(sql.SQL("select count(*) from {}").format(place)).fetchone()
        return int(row[0]) if row else None

    def _load(self, plan: Plan, frozen: Snapshot, parts: list[Slice], exported: int) -> Loaded:
        exporter = Exporter(
            self.clickhouse,
            self.config.staging,
            frozen,
            self._form(plan),
            parts,
            folder=self.config.staging.folder(self.target.name, self.token),
            query_prefix=f"{self.token}-export",
            settings=self.config.export_settings,
            workers=self.config.export_workers,
        )
        checksum: Checksum | None = None
        if self.target.guards.checksum:
            with self.phase("checksum", "summing the snapshot"):
                checksum = of_snapshot(self.clickhouse, self.target, frozen, plan.expressions)
        with self.phase(
            "load", f"exporting and loading {exported} rows in {len(parts)} slices, {plan.form.name}"
        ):
            self.manifest.update(self.version, state="loading")
            exporter.start()
            try:
                loaded = self._fill(plan, exporter, self._load_progress(exported), checksum)
            finally:
                exporter.stop()
        snapshot.check_total(exported, loaded.rows, self.target.name)
        return loaded

    def _form(self, plan: Plan) -> Form:
        """As planned; a delta has one more column, whether the row is to be deleted."""
        if plan.scope.way != "delta" or self.target.tombstone is None:
            return plan.form
        return plan.form.with_condition(merge.DELETED, f"ifNull(({self.target.tombstone}), 0)")

    def _fill(
        self, plan: Plan, exporter: Exporter, progress: LoadProgress, checksum: Checksum | None
    ) -> Loaded:
        if plan.scope.way != "swap":
            return merging.stage(self, plan, exporter, plan.scope, progress, checksum)
        return build.load(
            self.connection,
            self.candidate,
            exporter,
            dsn=self.config.dsn,
            types=plan.clickhouse_types,
            progress=progress,
            tell=self.tell,
            checksum=checksum,
        )

    def _load_progress(self, total: int):
        last = [time.monotonic()]

        def report(loaded: Loaded) -> None:
            if time.monotonic() - last[0] >= 1:
                last[0] = time.monotonic()
                message = f"{loaded.rows} of {total} rows loaded"
                self.on_progress(Progress("load", message, loaded.rows, total, loaded.bytes))

        return report

    def _complete(self, plan: Plan, known: TargetRow, previous_rows: int | None) -> None:
        """Indexes, properties, statistics, guards, privileges."""
        connection, candidate, private = self.connection, self.candidate, self.config.private_schema
        carrier = build.carrier(candidate, plan.live)
        with self.phase("index", "building indexes and constraints"):
            self.manifest.update(self.version, state="indexing", rows=candidate.rows)
            before = self.manifest.run(known.current) if known.current else None
            build.index(
                connection, candidate, carrier, list(before.names.get("declared", ())) if before else []
            )
        with self.phase("analyze", "collecting statistics"):
            build.finish(connection, candidate, carrier)
        with self.phase("guards", "checking the candidate"):
            if self.target.enrichments:
                self.warnings += guards.check_size(
                    self.target, candidate.rows, previous_rows, candidate.label
                )
            guards.check_sql(connection, self.target, private, self.version, candidate.label)
        with self.phase("secure", "setting owner, privileges and policies"):
            build.secure(connection, candidate, carrier)

    def _sweep(self) -> None:
        swept = janitor.sweep_postgres(self.manifest, self.target.name)
        # First the exports that still run: they would write into a folder that has been cleared.
        swept.snapshots = janitor.sweep_clickhouse(self.clickhouse, self.config.snapshot_database, self.space)
        swept.objects = remove_folder(self.config.staging, self._folder())
        if swept.recovered or swept.aborted or swept.objects or swept.snapshots:
            self.on_progress(Progress("sweep", f"cleared up after earlier runs: {swept}"))

    def _folder(self) -> str:
        """Everything this manifest ever staged for the target, and nothing else."""
        return self.config.staging.folder(self.target.name) + self.space

    def _tidy(self) -> None:
        """After the swap nothing may fail any more: what cannot be removed now is left for the next run."""
        steps = [
            lambda: self.manifest.update(self.version, state="done", seconds=self.seconds),
            lambda: snapshot.drop(self.clickhouse, self.config.snapshot_database, self.token),
        ]
        if self.holds_lock:
            steps += [
                lambda: remove_folder(self.config.staging, self._folder(), uploads=False),
                lambda: janitor.sweep_postgres(self.manifest, self.target.name),
            ]
        for step in steps:
            try:
                step()
            except Exception as error:
                self.warnings.append(f"left for the next publication to clear up: {error}")

    def _undo(self, error: BaseException) -> None:
        """Take back everything of this attempt. Never raises, so that the reason stays the one reported."""
        keep = isinstance(error, Refused) and error.candidate is not None
        state = "rejected" if isinstance(error, Refused) else "aborted"
        # The manifest first: what a second interrupt leaves in ClickHouse and S3, the next run finds by its name.
        with suppress(Exception):
            pid = None
            if self.connection.info.transaction_status is not pq.TransactionStatus.IDLE:
                pid = self.connection.info.backend_pid if not self.connection.closed else None
                self.connection.close()
            if self.connection.closed:
                with connect(self.config.dsn, f"stir-publish-undo:{self.version}") as fresh:
                    if pid is not None:  # its statement may still run, and would swap what is taken back here
                        end_session(fresh, pid)
                    self._undo_postgres(fresh, state, error, keep)
            else:
                self._undo_postgres(self.connection, state, error, keep)
        # Cancelled, perhaps while ClickHouse was still writing the snapshot.
        if not isinstance(error, Exception):
            self.clickhouse.kill([f"{self.token}-snapshot"])
        with suppress(Exception):
            snapshot.drop(self.clickhouse, self.config.snapshot_database, self.token)
        with suppress(Exception):
            remove_folder(self.config.staging, self._folder())

    def _undo_postgres(self, connection: Connection, state: str, error: BaseException, keep: bool) -> None:
        manifest = Manifest(connection, self.config.private_schema, self.config.public_schema)
        row = manifest.target(self.target.name)
        if row is not None and row.current == self.version:
            return  # the swap did commit; the next run's janitor finishes it
        manifest.update(self.version, state=state, error=f"{type(error).__name__}: {error}"[:4000])
        if not keep:
            connection.execute("set lock_timeout = '5s'")
            tables = (self.version, *merge.companions(self.version))
            places = sql.SQL(", ").join(qualified(self.config.private_schema, table) for table in tables)
            connection.execute(sql.SQL("drop table if exists {}").format(places))

    def _result(
        self, plan: Plan, known: TargetRow, before: RunRow | None, frozen: Snapshot, loaded: Loaded,
        result: SwapResult, data_time: datetime | None, previous_rows: int | None, merged: merging.Merged | None,
    ) -> Publication:  # fmt: skip
        described = {column.name: column.description for column in self.target.columns}
        return Publication(
            target=self.target.name,
            version=self.version,
            mode=self.target.mode,
            run_id=self.run_id,
            attempt=self.attempt,
            sequence=known.seq + 1,
            rows=self.candidate.rows,
            exported_rows=loaded.rows,
            bytes=loaded.bytes,
            staged_bytes=loaded.staged_bytes,
            seconds=self.seconds,
            published_at=published_at(self),
            data_time=data_time,
            previous_version=known.current,
            previous_run_id=before.run_id if before else None,
            previous_rows=previous_rows,
            columns=tuple((name, kind, described[name]) for name, kind in plan.pg_types.items()),
            snapshot=frozen.kind,
            copy_format=plan.form.name,
            way=plan.scope.way if merged else "swap",
            changed_rows=merged.changed if merged else {},
            swap_attempts=result.attempts,
            dropped_rows=self.candidate.dropped,
            warnings=(),
        )

    def _finished(self, publication: Publication) -> Publication:
        return replace(publication, warnings=tuple(self.warnings))
