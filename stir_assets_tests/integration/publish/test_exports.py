"""Faults 11 to 14: what is staged is not what was exported, or there is nothing to export."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pytest
import zstandard

from stir_assets.publish.errors import ExportFailed, IncompleteExport, Refused, TypeConversionError
from stir_assets.publish.staging import S3Staging
from stir_assets.publish.target import Column, Guards
from stir_assets.settings import ClickHouseSettings
from stir_assets_tests.integration.publish.conftest import TARGET, Desk, Leftovers, new_publisher

Tamper = Callable[["Tampered", str, bytes], None]


@dataclass
class Tampered:
    """An S3 client that changes the stored object at the moment it is first to be read."""

    client: Any
    bucket: str
    change: Tamper
    done: bool = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def get_object(self, **request: Any) -> Any:
        """The object, tampered with; the other slices as they are."""
        if not self.done:
            self.done = True
            self.change(self, request["Key"], self.client.get_object(**request)["Body"].read())
        return self.client.get_object(**request)

    def put(self, key: str, body: bytes) -> None:
        """Store another object in its place."""
        self.client.put_object(Bucket=self.bucket, Key=key, Body=body)


def _cut_anywhere(s3: Tampered, key: str, body: bytes) -> None:
    s3.put(key, body[: len(body) // 2])


def _removed(s3: Tampered, key: str, body: bytes) -> None:
    s3.client.delete_object(Bucket=s3.bucket, Key=key)


def _text(change: Callable[[bytes], bytes]) -> Tamper:
    """Another text, stored as ClickHouse would have."""

    def tamper(s3: Tampered, key: str, body: bytes) -> None:
        text = zstandard.ZstdDecompressor().decompressobj().decompress(body)
        s3.put(key, zstandard.compress(change(text)))

    return tamper


def _half_a_text(text: bytes) -> bytes:
    return text[: text.rindex(b"\n", 0, len(text) // 2) + 1]


def _cut_at_a_line_end_within_the_frame(s3: Tampered, key: str, body: bytes) -> None:
    """A stream that decompresses to whole lines and then just ends: the decompressor calls that a clean end."""
    part = _half_a_text(zstandard.ZstdDecompressor().decompressobj().decompress(body))
    compressor = zstandard.ZstdCompressor().compressobj()
    s3.put(key, compressor.compress(part) + compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))


def arrow(change: Callable[[pa.Table], pa.Table], *, ended: bool = True) -> Tamper:
    """Other rows, in a stream that has its mark of the end or not."""

    def tamper(s3: Tampered, key: str, body: bytes) -> None:
        rows = change(pa.ipc.open_stream(body).read_all())
        sink = pa.BufferOutputStream()
        writer = pa.ipc.new_stream(sink, rows.schema)
        writer.write_table(rows)
        if ended:
            writer.close()
        s3.put(key, sink.getvalue().to_pybytes())

    return tamper


def _half_and_an_exception(s3: Tampered, key: str, body: bytes) -> None:
    s3.put(key, body[: len(body) // 2] + b"\r\nCode: 241. DB::Exception: Memory limit\n")


_EXCEPTION = b"Code: 241. DB::Exception: Memory limit\n"


@pytest.mark.parametrize(
    ("copy_format", "change"),
    [
        pytest.param("text", _text(_half_a_text), id="11-cut at a line end"),
        pytest.param(
            "text", _cut_at_a_line_end_within_the_frame, id="11-cut at a line end, within the frame"
        ),
        pytest.param("text", _cut_anywhere, id="11-text cut anywhere"),
        pytest.param("text", _removed, id="12-text missing"),
        pytest.param("text", _text(lambda text: text + text), id="12-text twice"),
        pytest.param(
            "text", _text(lambda text: text + b"999999\t2\tone too many\n"), id="12-a line too many"
        ),
        pytest.param(
            "text", _text(lambda text: _half_a_text(text) + _EXCEPTION), id="13-an exception in the text"
        ),
        pytest.param("binary", arrow(lambda rows: rows.slice(0, 500)), id="11-fewer rows"),
        pytest.param(
            "binary", arrow(lambda rows: rows.slice(0, 500), ended=False), id="11-cut after a batch"
        ),
        pytest.param("binary", _cut_anywhere, id="11-cut anywhere"),
        pytest.param("binary", _removed, id="12-missing"),
        pytest.param("binary", arrow(lambda rows: pa.concat_tables([rows, rows])), id="12-everything twice"),
        pytest.param(
            "binary", arrow(lambda rows: pa.concat_tables([rows, rows.slice(0, 1)])), id="12-a row too many"
        ),
        pytest.param("binary", _half_and_an_exception, id="13-an exception in the stream"),
    ],
)
def test_11_to_13_an_object_that_is_not_what_was_exported_is_rejected(
    desk: Desk,
    clickhouse_server: ClickHouseSettings,
    copy_format: str,
    change: Tamper,
    request: pytest.FixtureRequest,
) -> None:
    desk.fill(1)
    assert desk.publish().copy_format == "binary"
    desk.fill(2)
    s3 = desk.s3
    staging = S3Staging(
        s3.bucket, s3.prefix, lambda: Tampered(s3.client, s3.bucket, change), endpoint=s3.settings.endpoint
    )
    publisher = new_publisher(clickhouse_server, desk.dsn, s3, staging=staging, copy_format=copy_format)
    with pytest.raises((IncompleteExport, TypeConversionError)) as error:
        replace(desk, publisher=publisher).publish()
    if "an exception in the text" in request.node.name:
        assert "line" in str(error.value)
    else:
        assert isinstance(error.value, IncompleteExport)
    assert desk.live() == (1000, 1, 1)
    plain = new_publisher(clickhouse_server, desk.dsn, s3, copy_format=copy_format)
    assert replace(desk, publisher=plain).publish().copy_format == copy_format
    assert desk.live() == (1000, 2, 2)


def test_12_objects_of_other_runs_are_neither_loaded_nor_left_and_those_of_others_not_touched(
    desk: Desk,
) -> None:
    desk.fill(1)
    desk.publish()
    identity = desk.rows("select id from stir_publish.identity")[0][0]
    folder = f"{desk.s3.prefix}/{desk.target.name}"
    foreign = f"{folder}/otherbase-{uuid.uuid4().hex}/00000.arrow"
    desk.s3.client.put_object(Bucket=desk.s3.bucket, Key=foreign, Body=b"of another database")
    desk.fill(2)
    seen: list[str] = []

    def plant(progress: Any) -> None:
        """A leftover in this very run's folder, as a second writer with the same run id would make it."""
        if progress.phase == "load" and not seen:
            run = desk.rows("select version from stir_publish.run where state in ('exporting', 'loading')")
            token = str(run[0][0]).rsplit("__v", 1)[-1]
            listed = desk.client.query("select name from system.tables where database = 'stir_publish'")
            name = next(row[0] for row in listed.result_rows if token in row[0])
            assert name.startswith(identity)
            seen.append(f"{folder}/{name}/00099.arrow")
            desk.s3.client.put_object(Bucket=desk.s3.bucket, Key=seen[0], Body=b"left over")

    desk.publish(on_progress=plant)
    assert desk.live() == (1000, 2, 2)
    listed = desk.s3.client.list_objects_v2(Bucket=desk.s3.bucket, Prefix=desk.s3.prefix).get("Contents", [])
    assert [item["Key"] for item in listed] == [foreign]


@pytest.mark.parametrize("form", ["a view's SELECT", "an expression of a column"])
def test_13_an_exception_while_exporting_swaps_nothing_and_leaves_nothing(desk: Desk, form: str) -> None:
    desk.fill(1, 1_000)
    desk.publish()
    desk.fill(2, 100_000)
    guards = Guards(warn_growth=1000)
    failing = "throwIf(id = 90000, 'stopped at row 90000')"
    if form == "a view's SELECT":
        columns = TARGET.columns
        source = (
            f"(select id, version, name from {desk.client.database}.source where {failing} = 0 order by id)"
        )
    else:
        columns = (*TARGET.columns[:2], Column("name", "text", source=f"if({failing} = 0, name, '')"))
        source = f"{desk.client.database}.source"
    with pytest.raises(ExportFailed, match="stopped at row 90000"):
        desk.publisher.publish(
            replace(TARGET, guards=guards, columns=columns),
            f"select * from {source}",
            run_id=uuid.uuid4().hex,
        )
    assert desk.live() == (1000, 1, 1)
    assert desk.leftovers() == Leftovers()


@pytest.mark.parametrize("form", ["clone", "copy"])
def test_14_no_rows_are_refused_in_both_forms_of_export(desk: Desk, form: str) -> None:
    desk.fill(1)
    desk.publish()
    desk.fill(2, 0)
    source = f"select * from {desk.client.database}.source"
    if form == "copy":
        source += " order by id limit 10"
    with pytest.raises(Refused, match="min_rows"):
        desk.publisher.publish(TARGET, source, run_id=uuid.uuid4().hex)
    assert desk.live() == (1000, 1, 1)
    emptied = replace(TARGET, guards=Guards(min_rows=0, max_shrink=1))
    desk.publisher.publish(emptied, source, run_id=uuid.uuid4().hex)
    assert desk.live() == (0, None, None)
