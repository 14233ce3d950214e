"""Staged objects in S3: their names, and removing every trace of them.

Objects live under `prefix/<schema>.<table>/<run>/`; nothing else is ever written or deleted.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from stir_assets.publish.errors import IncompleteExport


@dataclass(frozen=True)
class S3Staging:
    """Where publications are staged.

    `endpoint` is None on AWS itself. `make_client` makes the S3 client, one of boto3 or botocore. ClickHouse finds its
    own credentials: in `named_collection` (with `url`, keys) if given, else in its environment or role, so no
    key is ever in SQL. `clickhouse_endpoint` is for a ClickHouse that reaches S3 under another address.
    """

    bucket: str
    prefix: str
    make_client: Callable[[], Any] = field(repr=False)
    endpoint: str | None = None
    region: str = "us-east-1"
    named_collection: str | None = None
    clickhouse_endpoint: str | None = None

    @cached_property
    def client(self) -> Any:
        """The client, made once: making one may cost 0.1 s of processor time, and threads may share it."""
        return self.make_client()

    def folder(self, target: str, run: str | None = None) -> str:
        """The key prefix of a target, or of one run of it."""
        # Escaped names would come out different on the two sides: ClickHouse decodes an address, botocore takes keys as
        # they are. The run's own name tells targets apart that look alike here.
        plain = re.sub(r"[^A-Za-z0-9._-]", "_", target)
        parts = [self.prefix.strip("/"), plain, *([run] if run else [])]
        return "/".join(part for part in parts if part) + "/"

    def url(self, key: str) -> str:
        """The address ClickHouse writes a key to."""
        endpoint = self.clickhouse_endpoint or self.endpoint
        base = (
            f"{endpoint.rstrip('/')}/{self.bucket}"
            if endpoint
            else f"https://{self.bucket}.s3.{self.region}.amazonaws.com"
        )
        return f"{base}/{key}"


def remove_folder(staging: S3Staging, folder: str, *, uploads: bool = True) -> int:
    """Delete every object under the folder and abort its multipart uploads; returns how many there were.

    Without `uploads` where every writer has ended well: it left none.
    """
    client = staging.client
    removed = 0
    with translated(f"cleaning s3://{staging.bucket}/{folder}"):
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=staging.bucket, Prefix=folder):
            keys = [{"Key": item["Key"]} for item in page.get("Contents", [])]
            if keys:
                client.delete_objects(Bucket=staging.bucket, Delete={"Objects": keys, "Quiet": True})
                removed += len(keys)
        if uploads:
            removed += _abort_uploads(client, staging.bucket, folder)
    return removed


def _abort_uploads(client: Any, bucket: str, folder: str) -> int:
    """A killed writer leaves an upload that no listing shows and every bill does."""
    aborted = 0
    for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=folder):
        for upload in page.get("Uploads", []):
            if not upload["Key"].startswith(folder):
                continue
            client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
            aborted += 1
    return aborted


@contextlib.contextmanager
def translated(what: str, *others: type[Exception]) -> Iterator[None]:
    """S3 client errors, and `others` that tell of a broken object, as ours."""
    try:
        yield
    except (ClientError, BotoCoreError, *others) as error:
        raise IncompleteExport(f"{what}: {error}") from error
