"""Where the dbt project is, and a manifest that is never stale in development.

In an image the manifest is built in (see Dockerfile) and newer than every file it was made from, so nothing
is parsed at start.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from dagster_dbt import DbtProject

from stir_assets.errors import ConfigError, PermanentError

_INPUTS = ("*.sql", "*.yml", "*.md")
# Parsing never connects, but the profile must render. Real values win where they are set.
_PARSE_ENVIRONMENT = {"STIR_CLICKHOUSE_HOST": "unused-while-parsing"}


def stir_dbt_project(project_dir: Path, target: str) -> DbtProject:
    """The dbt project with a manifest on disk; parses it first when a file is newer than the manifest.

    Raises `PermanentError` with dbt's own words when the project does not parse.
    """
    project = DbtProject(project_dir=project_dir, profiles_dir=project_dir, target=target)
    if _is_stale(project_dir, project.manifest_path):
        _parse(project_dir, target)
    return project


def check_vars(project_dir: Path, given: Mapping[str, Any]) -> None:
    """Raises `ConfigError` for vars the project does not declare: dbt itself would take them without a word."""
    if not given:
        return
    project = yaml.safe_load((project_dir / "dbt_project.yml").read_text(encoding="utf-8"))
    unknown = sorted(given.keys() - project["vars"].keys())
    if unknown:
        raise ConfigError(
            f"STIR_DBT_VARS: {', '.join(unknown)} is no var of {project_dir.name}/dbt_project.yml, which lists them all "
            "with what they mean"
        )


def _is_stale(project_dir: Path, manifest: Path) -> bool:
    if not manifest.exists():
        return True
    built = manifest.stat().st_mtime
    folders = [project_dir / name for name in ("models", "macros", "tests")]
    files = [path for folder in folders for pattern in _INPUTS for path in folder.rglob(pattern)]
    # A folder's own time changes when a file in it is deleted or renamed.
    folders += [path for folder in folders for path in folder.rglob("*") if path.is_dir()]
    files += [project_dir / "dbt_project.yml", project_dir / "profiles.yml"]
    return any(path.stat().st_mtime > built for path in [*files, *folders])


def _parse(project_dir: Path, target: str) -> None:
    # A process of its own: dbt keeps global state, and a failed parse must not spoil ours.
    done = subprocess.run(
        [
            *(sys.executable, "-m", "dbt.cli.main", "--quiet", "--log-level-file", "none", "--no-use-colors"),
            *(
                "parse",
                "--project-dir",
                str(project_dir),
                "--profiles-dir",
                str(project_dir),
                "--target",
                target,
            ),
        ],
        env={**_PARSE_ENVIRONMENT, **os.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PermanentError(
            f"the dbt project in {project_dir.name}/ does not parse:\n{done.stdout}{done.stderr}"
        )
    # dbt leaves an unchanged manifest's time alone on a partial parse; the check above goes by it.
    (project_dir / "target" / "manifest.json").touch()
