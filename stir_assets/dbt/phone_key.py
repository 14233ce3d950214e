"""Which models hash phone numbers, and the key they need in ClickHouse before they run."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from clickhouse_connect.driver.client import Client

from stir_assets.core.phone_key import store_phone_key
from stir_assets.settings import ClickHouseSettings, pii_salt

_MACRO = "macro.stir.phone_key"


def hashing_models(manifest: Mapping[str, Any]) -> frozenset[str]:
    """Names of the models whose SQL uses the phone key, directly or through other macros."""
    macros = manifest["macros"]
    using = {_MACRO}
    while more := {
        name
        for name, macro in macros.items()
        if name not in using and using & set(macro["depends_on"]["macros"])
    }:
        using |= more
    return frozenset(
        node["name"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and using & set(node["depends_on"]["macros"])
    )


def prepare_phone_key(
    client: Client, server: ClickHouseSettings, models: Set[str], hashing: Set[str]
) -> None:
    """Before a run of `models`: the stored key is the one of STIR_PII_SALT, or `ConfigError`.

    Without the variable nothing is checked: models that hash then use the key that is stored, or fail and say so.
    """
    salt = pii_salt()
    if salt and models & hashing:
        store_phone_key(client, server.database, salt, cluster=server.cluster)
