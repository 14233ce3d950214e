"""The kinds of `stir import`, by name."""

from __future__ import annotations

from stir_assets.importers import instagram, youtube_channels, youtube_trending, youtube_videos
from stir_assets.importers.layouts import Kind

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        youtube_trending.KIND,
        youtube_channels.CHANNELS_DAILY,
        youtube_videos.KIND,
        youtube_channels.WEEKLY,
        instagram.PROFILES,
        instagram.POSTS,
    )
}
