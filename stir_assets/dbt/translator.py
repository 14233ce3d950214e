"""From dbt's manifest to asset specs. All facts come from the yml beside a model; no model is named here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtProject

from stir_assets.automation.graph import EVENT_TIME, PACED, terms_metadata
from stir_assets.core.freshness import FreshnessTerms, parse_terms
from stir_assets.keys import model_key, source_key
from stir_assets.policies import freshness_policy

DEFAULT_OWNER = "data-platform"


class StirDbtTranslator(DagsterDbtTranslator):
    """Keys, groups, owners, tags and freshness policies of models and sources."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        if dbt_resource_props["resource_type"] == "source":
            return source_key(dbt_resource_props["source_name"], dbt_resource_props["name"])
        return model_key(dbt_resource_props["name"])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """The business domain: the model's folder, or the source's schema."""
        if dbt_resource_props["resource_type"] == "source":
            return f"source_{dbt_resource_props['source_name'].strip('_')}"
        layer, domain = dbt_resource_props["fqn"][1:3]
        return f"staging_{domain}" if layer == "staging" else domain

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> Sequence[str]:
        owner = _meta(dbt_resource_props).get("owner", DEFAULT_OWNER)
        return [owner if "@" in owner or owner.startswith("team:") else f"team:{owner}"]

    def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, str]:
        pii = {"pii": "true"} if _meta(dbt_resource_props).get("pii") else {}
        return {**super().get_tags(dbt_resource_props), **pii}

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        # The default appends the raw SQL, which drowns the sentence people come for.
        return dbt_resource_props.get("description", "")

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        props = self.get_resource_props(manifest, unique_id)
        meta, terms = _meta(props), freshness_terms(props)
        metadata = terms_metadata(terms, meta.get("freshness"))
        if event_time := meta.get("event_time"):
            metadata[EVENT_TIME] = event_time
        if "paced" in meta:
            metadata[PACED] = bool(meta["paced"])
        spec = spec.merge_attributes(metadata=metadata)
        return spec.replace_attributes(freshness_policy=freshness_policy(terms)) if terms else spec


def freshness_terms(resource_props: Mapping[str, Any]) -> FreshnessTerms | None:
    """The declared terms of a model or source; raises `ConfigError` naming its yml."""
    yml = (resource_props.get("patch_path") or resource_props.get("original_file_path", "")).split("://")[-1]
    return parse_terms(_meta(resource_props).get("freshness"), where=f"{yml} ({resource_props['name']})")


def _meta(resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
    return resource_props.get("config", {}).get("meta") or resource_props.get("meta") or {}
