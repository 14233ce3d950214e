"""The words of the generated world, read from `vocabulary.yml`.

Every name in there is invented. E-mail addresses made from them use the reserved example domains, phone
numbers a range that no network assigns.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_WORDS: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yml").read_text(encoding="utf-8"))

FIRST_NAMES: list[str] = _WORDS["first_names"].split()
LAST_NAMES: list[str] = _WORDS["last_names"].split()
TOPIC_NOUNS: list[str] = _WORDS["topic_nouns"].split()
FIRST_WORDS: list[str] = _WORDS["first_words"].split()
CATEGORIES: list[str] = _WORDS["categories"]
# (city, state, country), those of the home market first
PLACES: list[tuple[str, str, str]] = [(city, state, country) for city, state, country in _WORDS["places"]]
HOME = "IN"
HOME_PLACES = sum(1 for place in PLACES if place[2] == HOME)
COUNTRIES: dict[str, str] = _WORDS["countries"]
YOUTUBE_CATEGORIES: dict[int, str] = _WORDS["youtube_categories"]
LANGUAGES: dict[str, dict[str, Any]] = _WORDS["languages"]


def vocabulary_lists() -> dict[str, list[str]]:
    """The lists that the SQL statements pick from, by name; `words_<language>` make sentences."""
    sentences = {f"words_{code}": language["words"].split() for code, language in LANGUAGES.items()}
    return sentences | {
        "hashtags": _WORDS["hashtags"].split(),
        "brands": _WORDS["brands"].split(),
        "landmarks": _WORDS["landmarks"],
        "stores": _WORDS["stores"],
        "comments": _WORDS["comments"],
        "errors": _WORDS["errors"],
        "categories": CATEGORIES,
        "first_names": FIRST_NAMES,
        "last_names": LAST_NAMES,
        "nouns": TOPIC_NOUNS,
        "cities": [city for city, _, _ in PLACES],
        "city_labels": [f"{city}, {state}" for city, state, _ in PLACES],
        "city_paths": [f"{city}, {COUNTRIES[country]}" for city, _, country in PLACES],
        "states": [state for _, state, _ in PLACES],
    }
