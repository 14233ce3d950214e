"""Where alerting keeps its memory: one value in the key-value table of Dagster's run storage.

A sensor's cursor is saved only when its tick is over, too late to note that a message is about to be sent.
"""

from __future__ import annotations

import dagster as dg

from stir_assets.core.alerts.model import Memory

KEY = "stir/alerts"


def load_memory(instance: dg.DagsterInstance) -> Memory:
    """The memory as last saved."""
    return Memory.from_json(instance.daemon_cursor_storage.get_cursor_values({KEY}).get(KEY))


def save_memory(instance: dg.DagsterInstance, memory: Memory) -> None:
    """Saved at once, in a transaction of its own."""
    instance.daemon_cursor_storage.set_cursor_values({KEY: memory.to_json()})
