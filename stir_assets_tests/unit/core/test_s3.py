"""Clients of S3."""

from __future__ import annotations

import pytest
from botocore.loaders import JSONFileLoader

from stir_assets.core.s3 import s3_client
from stir_assets.settings import S3Settings


def test_only_the_first_client_of_a_process_reads_what_the_sdk_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = S3Settings("bucket", "prefix", "http://127.0.0.1:1", "us-east-1")
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    first = s3_client(settings, **keys)
    read: list[str] = []
    monkeypatch.setattr(JSONFileLoader, "load_file", lambda _self, path: read.append(path))
    second = s3_client(settings, **keys)
    assert read == []
    assert second is not first
    assert second.meta.endpoint_url == settings.endpoint
