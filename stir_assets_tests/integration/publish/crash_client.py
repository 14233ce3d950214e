"""A publisher in a process of its own, to be killed or stopped. Forked from a server that has done the imports."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import Any

import boto3
import psycopg

from stir_assets.core.clickhouse import clickhouse_client
from stir_assets.publish.publication import Progress
from stir_assets.publish.publisher import Publisher
from stir_assets.publish.staging import S3Staging
from stir_assets.publish.swap import SwapPolicy
from stir_assets.publish.target import Target
from stir_assets.settings import ClickHouseSettings
from stir_assets_tests.integration.publish.conftest import POLICY, Desk


@dataclass(frozen=True)
class Job:
    """What the process publishes, and where it meets its end.

    `death` is a phase of the publication, or one of the names in `_ARMED`; `signal` what it then sends itself.
    """

    target: Target
    select: str
    dsn: str
    clickhouse: ClickHouseSettings
    bucket: str
    prefix: str
    endpoint: str | None
    aws: dict[str, str]
    death: str | None = None
    signal: int = signal.SIGKILL
    policy: SwapPolicy = POLICY

    def publish(self) -> None:
        """Runs in the child."""
        os.environ.update(self.aws)
        staging = S3Staging(self.bucket, self.prefix, self._s3, endpoint=self.endpoint)
        publisher = Publisher(self._client, self.dsn, staging, swap=self.policy)
        if self.death in _ARMED:
            _ARMED[self.death](self)
        publisher.publish(self.target, self.select, run_id=f"child-{os.getpid()}", on_progress=self._follow)
        if self.death == "done":
            self.die()

    def die(self) -> None:
        os.kill(os.getpid(), self.signal)

    def _follow(self, progress: Progress) -> None:
        if progress.phase == self.death:
            self.die()

    def _s3(self) -> Any:
        client = boto3.Session().client("s3", endpoint_url=self.endpoint)
        if self.death == "objects removed":
            client.meta.events.register("after-call.s3.DeleteObjects", lambda **_: self.die())
        return client

    def _client(self) -> Any:
        client = clickhouse_client(self.clickhouse)
        if self.death == "export":  # while the server runs the INSERT
            command = client.command

            def armed(cmd: str, **more: Any) -> Any:
                if "INSERT INTO FUNCTION s3" in cmd:
                    threading.Timer(0.5, self.die).start()
                return command(cmd, **more)

            client.command = armed  # pyright: ignore[reportAttributeAccessIssue]
        return client


def _before_copy(job: Job) -> None:
    """Everything is staged, nothing loaded."""
    psycopg.Copy.__enter__ = lambda _: job.die()  # type: ignore[method-assign]


def _within_copy(job: Job) -> None:
    """Some of the rows have reached PostgreSQL."""
    write = psycopg.Copy.write

    def armed(self: psycopg.Copy, buffer: Any) -> None:
        write(self, bytes(buffer)[:5000])
        job.die()

    psycopg.Copy.write = armed  # type: ignore[method-assign]


_ARMED: dict[str | None, Callable[[Job], None]] = {"staged": _before_copy, "copy": _within_copy}

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__])


def start(desk: Desk, server: ClickHouseSettings, aws: dict[str, str], **more: Any) -> BaseProcess:
    """Start a job on the desk's source in a child."""
    select = more.pop("select", f"select * from {desk.client.database}.source")
    job = Job(
        target=more.pop("target", desk.target),
        select=select,
        dsn=more.pop("dsn", desk.dsn),
        clickhouse=server,
        bucket=desk.s3.bucket,
        prefix=desk.s3.prefix,
        endpoint=desk.s3.settings.endpoint,
        aws={name: value for name, value in aws.items() if name.startswith("AWS_")},
        **more,
    )
    process = _processes.Process(target=job.publish)
    process.start()
    return process


@contextmanager
def child(desk: Desk, server: ClickHouseSettings, aws: dict[str, str], **more: Any) -> Iterator[BaseProcess]:
    """The same, ended with the block whatever happens in it."""
    process = start(desk, server, aws, **more)
    try:
        yield process
    finally:
        process.kill()
        process.join()
