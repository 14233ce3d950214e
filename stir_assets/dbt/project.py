"""Where the dbt project is, and a manifest that is never stale in development.

In an image the manifest is built in (see Dockerfile) and newer than every file it was made from, so nothing
is parsed at start, neither here nor by dbt (`parsed_manifest`).
"""

from __future__ import annotations

import fcntl
import inspect
import os
import shutil
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgpack
import yaml
from dagster_dbt import DbtProject

from stir_assets.errors import ConfigError, PermanentError

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

_INPUTS = ("*.sql", "*.yml", "*.md")
# Parsing never connects, but the profile must render. Real values win where they are set.
_PARSE_ENVIRONMENT = {"STIR_CLICKHOUSE_HOST": "unused-while-parsing"}
# dbt writes variables of this prefix into a manifest's metadata, without the prefix.
_PREFIX, _PARSED_FOR = "DBT_ENV_CUSTOM_ENV_", "STIR_PARSED_FOR"
_MANIFEST, _SAVED = "manifest.json", "partial_parse.msgpack"


def stir_dbt_project(project_dir: Path, target: str) -> DbtProject:
    """The dbt project with a manifest on disk; parses it first when a file is newer than the manifest.

    Raises `PermanentError` with dbt's own words when the project does not parse.
    """
    project = DbtProject(project_dir=project_dir, profiles_dir=project_dir, target=target)
    folder = project.manifest_path.parent
    if _is_stale(project_dir, folder, target):
        # Webserver, daemon and code server start together: one parses, the others wait for it.
        folder.mkdir(exist_ok=True)
        with (folder / "parse.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _is_stale(project_dir, folder, target):
                _parse(project_dir, folder, target)
    return project


def parsed_manifest(project_dir: Path, target: str) -> Manifest:
    """dbt's own manifest object as the last parse saved it: about a second, where a parse takes fifteen.

    dbt itself parses anew for every other host, port or user, none of which a model's SQL depends on: the manifest of
    an image would be worth nothing in any cluster. Raises `PermanentError` as `stir_dbt_project` does.
    """
    from dbt.contracts.graph.manifest import Manifest
    from dbt.parser.manifest import extended_mashumuro_decoder

    saved = stir_dbt_project(project_dir, target).manifest_path.with_name(_SAVED)
    manifest = Manifest.from_msgpack(saved.read_bytes(), decoder=extended_mashumuro_decoder)
    manifest.build_parent_and_child_maps()
    manifest.build_flat_graph()
    return manifest


def part_of(manifest: Manifest, models: Iterable[str]) -> Manifest:
    """What dbt must know to build and test these models (unique ids): they, their tests, all they are built from.

    dbt links, checks for cycles and searches the whole manifest it is given, with every invocation: a second of
    processor time for this project. Nodes are those of `manifest`, not copies.
    """
    from dbt.contracts.graph.manifest import Manifest

    parents = manifest.parent_map
    tests = {name for name, node in manifest.nodes.items() if node.resource_type == "test"}
    todo = set(models)
    # A test that compares two models can only be run when dbt knows both.
    todo |= {parent for test in tests if not todo.isdisjoint(parents[test]) for parent in parents[test]}
    kept: set[str] = set()
    while todo:
        kept.add(node := todo.pop())
        todo |= set(parents.get(node, ())) - kept
    kept |= {test for test in tests if kept.issuperset(parents[test])}
    part = Manifest(
        nodes={name: node for name, node in manifest.nodes.items() if name in kept},
        sources={name: node for name, node in manifest.sources.items() if name in kept},
        macros=manifest.macros,
        docs=manifest.docs,
        groups=manifest.groups,
        selectors=manifest.selectors,
        metadata=manifest.metadata,
        disabled=manifest.disabled,
        flat_graph={
            kind: {name: node for name, node in nodes.items() if name in kept}
            for kind, nodes in manifest.flat_graph.items()
        },
    )
    part.build_parent_and_child_maps()
    return part


def warm_up(project_dir: Path, target: str, manifest: Manifest) -> None:
    """Does what dbt does once a process, in a process that others are forked from: a second of processor time a run.

    Profile and project are read, as an invocation does, for which dbt makes classes and schemas; macros that models and
    tests come to use are compiled. Nothing is connected to.
    """
    from dbt.config.runtime import RuntimeConfig, load_profile, load_project
    from dbt.flags import set_from_args
    from dbt_common.clients.jinja import template_cache
    from dbt_common.context import set_invocation_context

    arguments = Namespace(PROJECT_DIR=str(project_dir), PROFILES_DIR=str(project_dir))
    set_invocation_context(os.environ)
    set_from_args(arguments, {})
    profile = load_profile(str(project_dir), {}, target_override=target)
    project = load_project(str(project_dir), version_check=True, profile=profile, cli_vars={})
    RuntimeConfig.from_parts(project, profile, arguments)
    for name in _used_macros(manifest):
        template_cache.get_node_template(manifest.macros[name])
    # A new adapter asks for the stack, and Python then looks up the file of every module, once a process.
    inspect.stack()


def _used_macros(manifest: Manifest) -> set[str]:
    """Macros of models, tests and their materializations, and all that these use."""
    nodes = manifest.nodes.values()
    kinds = {f"materialization_{node.config.materialized}_" for node in nodes}
    todo = {name for node in nodes for name in node.depends_on.macros}
    todo |= {name for name, macro in manifest.macros.items() if macro.name.startswith(tuple(kinds))}
    used: set[str] = set()
    while todo:
        used.add(name := todo.pop())
        todo |= set(manifest.macros[name].depends_on.macros) - used
    return used


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


def _is_stale(project_dir: Path, folder: Path, target: str) -> bool:
    manifest, saved = folder / _MANIFEST, folder / _SAVED
    if not (manifest.exists() and saved.exists()) or not _is_for(saved, project_dir, target):
        return True
    built = manifest.stat().st_mtime
    folders = [project_dir / name for name in ("models", "macros", "tests")]
    files = [path for folder in folders for pattern in _INPUTS for path in folder.rglob(pattern)]
    # A folder's own time changes when a file in it is deleted or renamed.
    folders += [path for folder in folders for path in folder.rglob("*") if path.is_dir()]
    files += [project_dir / "dbt_project.yml", project_dir / "profiles.yml"]
    return any(path.stat().st_mtime > built for path in [*files, *folders])


def _what_for(project_dir: Path, target: str) -> str:
    """What a parse depends on besides the files: names of relations, by the cluster engines, dbt and its own macros."""
    database = os.environ.get("STIR_CLICKHOUSE_DATABASE", "stir")
    cluster = os.environ.get("STIR_CLICKHOUSE_CLUSTER", "")
    versions = [f"{package} {version(package)}" for package in ("dbt-core", "dbt-clickhouse")]
    return ", ".join([str(project_dir.resolve()), target, database, cluster, *versions])


def _is_for(saved: Path, project_dir: Path, target: str) -> bool:
    """Whether a saved parse was made for this: without unpacking four megabytes."""
    mark = msgpack.packb(_PARSED_FOR) + msgpack.packb(_what_for(project_dir, target))  # pyright: ignore[reportOptionalOperand]
    return mark in saved.read_bytes()


def _parse(project_dir: Path, folder: Path, target: str) -> None:
    """Parses into a folder of its own and moves the result into place: nobody may read half a manifest."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="parse-") as name:
        work = Path(name)
        # A parse for something else would hand its mark on.
        if (folder / _SAVED).exists() and _is_for(folder / _SAVED, project_dir, target):
            shutil.copy2(folder / _SAVED, work)
        # A process of its own: dbt keeps global state, and a failed parse must not spoil ours.
        done = subprocess.run(
            [
                *(sys.executable, "-m", "dbt.cli.main"),
                *("--quiet", "--log-level-file", "none", "--no-use-colors"),
                *("parse", "--project-dir", str(project_dir), "--profiles-dir", str(project_dir)),
                *("--target", target, "--target-path", str(work)),
            ],
            env={**_PARSE_ENVIRONMENT, **os.environ, _PREFIX + _PARSED_FOR: _what_for(project_dir, target)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise PermanentError(
                f"the dbt project in {project_dir.name}/ does not parse:\n{done.stdout}{done.stderr}"
            )
        for part in (_SAVED, _MANIFEST):
            (work / part).replace(folder / part)


if __name__ == "__main__":  # the image's build: python -m stir_assets.dbt.project prod
    stir_dbt_project(Path(__file__).parents[2] / "stir_dbt", sys.argv[1])
