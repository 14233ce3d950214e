"""Names of YouTube's video categories: the platform's own list, and the JSON in which its API gives them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path

from stir_assets.errors import PermanentError

STANDARD: Mapping[int, str] = {
    1: "Film & Animation",
    2: "Autos & Vehicles",
    10: "Music",
    15: "Pets & Animals",
    17: "Sports",
    18: "Short Movies",
    19: "Travel & Events",
    20: "Gaming",
    21: "Videoblogging",
    22: "People & Blogs",
    23: "Comedy",
    24: "Entertainment",
    25: "News & Politics",
    26: "Howto & Style",
    27: "Education",
    28: "Science & Technology",
    29: "Nonprofits & Activism",
    30: "Movies",
    31: "Anime/Animation",
    32: "Action/Adventure",
    33: "Classics",
    34: "Comedy",
    35: "Documentary",
    36: "Drama",
    37: "Family",
    38: "Foreign",
    39: "Horror",
    40: "Sci-Fi/Fantasy",
    41: "Thriller",
    42: "Shorts",
    43: "Shows",
    44: "Trailers",
}
"""Ids are the same in every country; a country's own JSON only leaves some out (India's has no 29)."""


def read_categories(path: Path) -> dict[int, str]:
    """Id -> name from a `youtube#videoCategoryListResponse` JSON, plain or gzip.

    Raises `PermanentError` naming the file and what is wrong with it.
    """
    try:
        raw = path.read_bytes()
        document = json.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)
        return {int(item["id"]): str(item["snippet"]["title"]) for item in document["items"]}
    except (OSError, EOFError) as error:
        raise PermanentError(f"{path}: the category list cannot be read: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise PermanentError(
            f"{path}: not a category list of the YouTube API (an object with `items`, each with `id` and"
            f" `snippet.title`): {type(error).__name__} {error}"
        ) from error
