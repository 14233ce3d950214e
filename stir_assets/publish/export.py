"""ClickHouse writes slices of the frozen table to S3; finished slices can be loaded while the next is written."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from stir_assets.publish.clickhouse import ClickHouse, string
from stir_assets.publish.forms import Form
from stir_assets.publish.snapshot import POSITION, Slice, Snapshot
from stir_assets.publish.staging import S3Staging


@dataclass(frozen=True)
class StagedSlice:
    """A finished object and the rows it must hold."""

    key: str
    rows: int


class Exporter:
    """Writes the slices in order on threads of its own; `wait` hands them out, or raises what went wrong.

    The first thread uses the publication's client, which has nothing else to do until `stop`: making one reads all
    settings of the server.
    """

    def __init__(
        self,
        clickhouse: ClickHouse,
        staging: S3Staging,
        snapshot: Snapshot,
        form: Form,
        slices: Sequence[Slice],
        *,
        folder: str,
        query_prefix: str,
        settings: dict[str, str | int] | None = None,
        workers: int = 1,
    ) -> None:
        self.clickhouse = clickhouse
        self.staging = staging
        self.snapshot = snapshot
        self.form = form
        self.slices = slices
        self.folder = folder
        self.query_prefix = query_prefix
        # One thread a slice: PostgreSQL is the slower side, so a second one would only take its processor away where
        # both share a machine, and wait for it where they do not. `workers` is the way to more.
        self.settings = {**form.settings, "s3_truncate_on_insert": 0, "max_threads": 1, **(settings or {})}
        self.workers = max(1, min(workers, len(slices) or 1))
        self.stopping = threading.Event()
        self.running: set[str] = set()
        self.pending: queue.SimpleQueue[Slice] = queue.SimpleQueue()
        self.results = [queue.SimpleQueue[StagedSlice | BaseException]() for _ in slices]
        self.threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin exporting."""
        for part in self.slices:
            self.pending.put(part)
        for number in range(self.workers):
            client = self.clickhouse if number == 0 else None
            thread = threading.Thread(target=self._work, args=(client,), name=f"export-{number}", daemon=True)
            thread.start()
            self.threads.append(thread)

    def wait(self, number: int, poll: float = 0.2) -> StagedSlice | None:
        """The `number`th slice once it is staged, None when it is not there within `poll` seconds."""
        try:
            result = self.results[number].get(timeout=poll)
        except queue.Empty:
            return None
        if isinstance(result, BaseException):
            raise result
        return result

    def stop(self) -> None:
        """End the running queries and wait for the threads; safe to call twice."""
        self.stopping.set()
        if any(thread.is_alive() for thread in self.threads):
            self.clickhouse.kill(sorted(self.running))
        for thread in self.threads:
            thread.join(timeout=30)

    def _work(self, clickhouse: ClickHouse | None) -> None:
        while not self.stopping.is_set():
            try:
                part = self.pending.get_nowait()
            except queue.Empty:
                break
            place = self.slices.index(part)
            try:
                clickhouse = clickhouse or ClickHouse(self.clickhouse.factory)
                self.results[place].put(self._export(clickhouse, part))
            except BaseException as error:
                self.stopping.set()
                for results in self.results[place:]:
                    results.put(error)
        if clickhouse is not None and clickhouse is not self.clickhouse:
            clickhouse.close()

    def _export(self, clickhouse: ClickHouse, part: Slice) -> StagedSlice:
        key = f"{self.folder}{part.number:05d}.{self.form.suffix}"
        query_id = f"{self.query_prefix}-{part.number}"
        self.running.add(query_id)
        try:
            clickhouse.run(
                self.statement(part, key),
                f"exporting slice {part.number}",
                {**self.settings, "query_id": query_id},
            )
        finally:
            self.running.discard(query_id)
        return StagedSlice(key, part.rows)

    def statement(self, part: Slice, key: str) -> str:
        """The export of one slice. No keys, ever; aliases that no column has, because equal expressions need them."""
        condition = f"{POSITION} >= {part.start} AND {POSITION} < {part.stop}"
        if self.snapshot.where:
            condition += f" AND ({self.snapshot.where})"
        url = string(self.staging.url(key))
        form = string(self.form.clickhouse)
        place = (
            f"{self.staging.named_collection}, url = {url}, format = {form}"
            if self.staging.named_collection
            else f"{url}, {form}"
        )
        selected = ", ".join(
            f"{text} AS `stir:{number}`" for number, text in enumerate(self.form.expressions)
        )
        return (
            f"INSERT INTO FUNCTION s3({place}) SELECT {selected} "
            f"FROM {self.snapshot.relation} WHERE {condition}"
        )
