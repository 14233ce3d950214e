"""The one call with which a command of `stir` finds the servers it works on."""

from __future__ import annotations

import os

from stir_assets.local.environment import load_stack_environment
from stir_assets.settings import Settings


def connected_settings() -> Settings:
    """Settings of the servers named in the environment, else of the running local stack.

    Also exports the variables into this process, so that dbt, Dagster, the AWS SDK and child processes find
    the same servers. Raises `ConfigError` naming the next step (`stir up`) if there is nothing to connect to.
    """
    os.environ.update(load_stack_environment())
    return Settings.from_env()
