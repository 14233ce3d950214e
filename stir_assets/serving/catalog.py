"""All serving tables: whatever module in `tables/` has a `table`."""

from __future__ import annotations

import importlib
import pkgutil

from stir_assets.errors import ConfigError
from stir_assets.serving import tables
from stir_assets.serving.declaration import ServingTable


def serving_tables() -> tuple[ServingTable, ...]:
    """The declarations, by name. Raises `ConfigError` for a module without one or a name used twice."""
    found: dict[str, ServingTable] = {}
    for module_info in pkgutil.iter_modules(tables.__path__):
        module = importlib.import_module(f"{tables.__name__}.{module_info.name}")
        table = getattr(module, "table", None)
        if not isinstance(table, ServingTable):
            raise ConfigError(
                f"stir_assets/serving/tables/{module_info.name}.py has no ServingTable named `table`"
            )
        if table.name in found:
            raise ConfigError(f"two modules in stir_assets/serving/tables/ declare the table {table.name!r}")
        found[table.name] = table
    return tuple(found[name] for name in sorted(found))
