"""S3 of the local stack: moto as a process, with its bucket made anew at each start."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from stir_assets.local import probes
from stir_assets.local.ports import LOOPBACK
from stir_assets.local.service import Service
from stir_assets.settings import S3Settings


class S3Service(Service):
    """Staging is temporary by nature: a publication that was under way when it died starts over."""

    name = "s3"
    stop_timeout = 5.0

    def __init__(self, settings: S3Settings, port: int, spill: Path, environment: Mapping[str, str]) -> None:
        super().__init__(port)
        self._settings = settings
        self._spill = spill
        self._environment = environment

    def command(self) -> list[str]:
        module = "stir_assets.local.s3_server"
        return [sys.executable, "-m", module, "--host", LOOPBACK, "--port", str(self.port)]

    def environment(self) -> Mapping[str, str]:
        # Few allocator arenas and a low threshold: the memory of a deleted object goes back to the system
        # instead of staying with the thread that happened to handle it.
        return {
            **self._environment,
            "TMPDIR": str(self._spill),
            "MALLOC_ARENA_MAX": "2",
            "MALLOC_MMAP_THRESHOLD_": str(2**20),
        }

    def probe(self) -> None:
        self._client.list_buckets()

    def provision(self) -> None:
        client = self._client
        existing = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
        if self._settings.bucket not in existing:
            client.create_bucket(Bucket=self._settings.bucket)

    @cached_property
    def _client(self) -> Any:
        # Made once: making one reads the SDK's service definitions, which was most of an idle supervisor's work.
        return probes.s3_client(
            self._settings,
            aws_access_key_id=self._environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self._environment["AWS_SECRET_ACCESS_KEY"],
        )
