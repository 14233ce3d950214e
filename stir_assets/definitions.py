"""What Dagster loads. Everything is built in build.py, from the settings."""

from stir_assets.build import build_definitions
from stir_assets.settings import Settings

defs = build_definitions(Settings.from_env())
