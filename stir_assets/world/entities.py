"""The characters of the world: every Instagram profile and YouTube channel with what drives it.

A character row holds identity and the parameters of its curves and rhythms (followers today, growth,
viral jump, posting interval, observation interval, birth and death). Everything that happens in time is
computed from these rows by the SQL statements in `sql/`, so nothing here depends on the clock.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stir_assets.world import vocabulary as words

DAY = 86_400
YEAR = 365 * DAY
# Whether a profile is crawled daily, every third day, weekly or fortnightly, and how many are.
OBSERVE_EVERY = (DAY, 3 * DAY, 7 * DAY, 14 * DAY)
OBSERVE_SHARE = (0.4, 0.3, 0.2, 0.1)
Columns = dict[str, list]


def instagram_profiles(rng: np.random.Generator, count: int, anchor: int) -> Columns:
    """`count` Instagram profiles as columns of `stir_world.ig_profile`, `anchor` in epoch seconds."""
    base = _common(rng, count, anchor, posts_per_day=0.085)
    index = np.arange(count)
    handles = [_handle(rng, i) for i in range(count)]
    names = [f"{rng.choice(words.FIRST_NAMES)} {rng.choice(words.LAST_NAMES)}" for _ in range(count)]
    places = _places(rng, count, home_share=0.86)
    emails = [f"{handle.replace('_', '.')}@example.com" for handle in handles]
    # 10 digits that begin with 50000: no network assigns them.
    phones = [f"50000{n:05d}" for n in rng.integers(0, 100_000, count)]
    biographies = [
        _biography(rng, base["category"][i], places[i], phones[i], emails[i]) for i in range(count)
    ]
    kind = rng.choice(["personal", "business", "creator"], count, p=[0.3, 0.25, 0.45])
    label = _nullable(rng.choice(["CREATOR", "BRAND", "MEMER", ""], count, p=[0.4, 0.08, 0.05, 0.47]))
    tagged = rng.random(count)
    return base | {
        "idx": index.tolist(),
        "profile_id": [str(2_100_000_000 + int(i) * 104_729) for i in index],
        "app_id": (1_000 + index).tolist(),
        "handle": handles,
        "full_name": names,
        "biography": biographies,
        "place": [words.PLACES.index(place) for place in places],
        "country": [place[2] if t < 0.8 else None for place, t in zip(places, tagged, strict=True)],
        "home": [place[2] for place in places],
        "kind": kind.tolist(),
        "label": label,
        "gender": rng.choice(["F", "M"], count).tolist(),
        "following": np.minimum(rng.lognormal(6.2, 1.1, count), 7_500).astype(int).tolist(),
        "is_private": (rng.random(count) < 0.04).astype(int).tolist(),
        "connected": (rng.random(count) < 0.2).astype(int).tolist(),
        "er": np.clip(rng.lognormal(-3.6, 0.7, count), 0.002, 0.4).tolist(),
        "phone": phones,
        "email": emails,
    }


def youtube_channels(rng: np.random.Generator, count: int, anchor: int) -> Columns:
    """`count` YouTube channels as columns of `stir_world.yt_channel`; the first ones are linked to profiles."""
    base = _common(rng, count, anchor, posts_per_day=0.085)
    index = np.arange(count)
    titles = [
        f"{rng.choice(words.FIRST_WORDS).title()} {rng.choice(words.TOPIC_NOUNS).title()} {i % 97}"
        for i in range(count)
    ]
    places = _places(rng, count, home_share=0.86)
    alphabet = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"))
    ids = ["UC" + "".join(rng.choice(alphabet, 22)) for _ in range(count)]
    linked = count * 3 // 10
    return base | {
        "idx": index.tolist(),
        "channel_id": ids,
        "app_id": (500_000 + index).tolist(),
        "title": titles,
        "custom_url": ["@" + title.lower().replace(" ", "") for title in titles],
        "place": [words.PLACES.index(place) for place in places],
        "country": [
            place[2] if r < 0.9 else None for place, r in zip(places, rng.random(count), strict=True)
        ],
        "home": [place[2] for place in places],
        "tagged_country": [
            place[2] if r < 0.3 else None for place, r in zip(places, rng.random(count), strict=True)
        ],
        "label": _nullable(rng.choice(["CREATOR", "BRAND", ""], count, p=[0.5, 0.1, 0.4])),
        "gender": rng.choice(["F", "M"], count).tolist(),
        "views_per_video": np.clip(rng.lognormal(-1.2, 0.8, count), 0.01, 3.0).tolist(),
        "connected": (rng.random(count) < 0.2).astype(int).tolist(),
        "linked_idx": [int(i) if i < linked else -1 for i in index],
    }


def _common(rng: np.random.Generator, count: int, anchor: int, *, posts_per_day: float) -> Columns:
    """Curves and rhythms that profiles and channels share."""
    interval = DAY / np.clip(rng.lognormal(0.0, 1.0, count), 0.05, 20.0)
    # Scaled to the wanted mean rate: lognormal rates alone would leave the total to chance.
    interval *= float(np.mean(DAY / interval)) / posts_per_day
    dormant = rng.random(count) < 0.06
    interval[dormant] = 400 * DAY
    observe = rng.choice(np.array(OBSERVE_EVERY), count, p=np.array(OBSERVE_SHARE))
    viral = rng.random(count) < 0.12
    return {
        "followers": _followers(rng, count).tolist(),
        "growth": rng.normal(0.25, 0.25, count).tolist(),
        "viral_at": (anchor - rng.integers(-60 * DAY, 240 * DAY, count)).tolist(),
        "viral_gain": np.where(viral, rng.uniform(0.1, 0.9, count), 0.0).tolist(),
        "language": _languages(rng, count),
        "category": _categories(rng, count),
        "post_every": interval.astype(np.int64).tolist(),
        "post_phase": rng.integers(0, 10 * DAY, count).tolist(),
        "observe_every": observe.tolist(),
        "observe_phase": (rng.random(count) * observe).astype(np.int64).tolist(),
        "born": (anchor - rng.integers(30 * DAY, 5 * YEAR, count)).tolist(),
        "gone": np.where(
            rng.random(count) < 0.03, anchor - rng.integers(5 * DAY, 200 * DAY, count), 0
        ).tolist(),
    }


def _followers(rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    """A power law with a crowded middle: half of all profiles that anyone scrapes are between 10k and 50k."""
    tail = 3_000.0 * (1.0 - rng.random(count)) ** (-1 / 0.75)
    middle = rng.uniform(10_000, 50_000, count)
    small = rng.uniform(50, 5_000, count)
    kind = rng.random(count)
    followers = np.where(kind < 0.45, middle, np.where(kind < 0.6, small, tail))
    return np.minimum(followers, 60_000_000).astype(np.int64)


def _languages(rng: np.random.Generator, count: int) -> list[str]:
    codes = list(words.LANGUAGES)
    weights = np.array([words.LANGUAGES[code]["share"] for code in codes])
    return rng.choice(codes, count, p=weights / weights.sum()).tolist()


def _categories(rng: np.random.Generator, count: int) -> list[str]:
    weights = 1 / np.arange(1, len(words.CATEGORIES) + 1)
    return rng.choice(words.CATEGORIES, count, p=weights / weights.sum()).tolist()


def _places(rng: np.random.Generator, count: int, *, home_share: float) -> list[tuple[str, str, str]]:
    home = rng.integers(0, words.HOME_PLACES, count)
    abroad = rng.integers(words.HOME_PLACES, len(words.PLACES), count)
    chosen = np.where(rng.random(count) < home_share, home, abroad)
    return [words.PLACES[i] for i in chosen]


def _handle(rng: np.random.Generator, index: int) -> str:
    first, second = rng.choice(words.FIRST_WORDS), rng.choice(words.TOPIC_NOUNS)
    separator = rng.choice(["_", ".", ""])
    return f"{first}{separator}{second}{index}"


def _biography(
    rng: np.random.Generator, category: str, place: tuple[str, str, str], phone: str, email: str
) -> str | None:
    kind = rng.random()
    if kind < 0.08:
        return None
    text = f"{category} | {place[0]}"
    if kind < 0.35:
        text += f"\nCall: {phone}"
    elif kind < 0.6:
        text += f"\nCollab: {email}"
    return text + rng.choice(["\n✨ new reel every week", "\n📍" + place[1], ""])


def _nullable(values: NDArray[np.str_]) -> list[str | None]:
    return [str(value) or None for value in values]
