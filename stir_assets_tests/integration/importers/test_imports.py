"""Each kind end to end on small files written here: what arrives, and that importing again changes nothing."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from stir_assets.importers.cleaning import derived_id

CHANNEL = "UCabcdefghijklmnopqrstuv"
V1 = "video_id,trending_date,channel_title,category_id,publish_time,views,likes,dislikes,comment_count\n"
TRENDING = V1 + (
    "aaaaaaaaaaa,17.14.11,Chan,24,2017-11-13T01:00:00.000Z,100,10,1,5\n"
    "aaaaaaaaaaa,17.14.11,Chan,24,2017-11-13T01:00:00.000Z,100,10,1,5\n"  # the same again
    "aaaaaaaaaaa,17.15.11,Chan,24,2017-11-13T01:00:00.000Z,140,12,1,6\n"
    "aaaaaaaaaaa,17.15.11,Chan,24,2017-11-13T01:00:00.000Z,150,13,1,7\n"  # another snapshot of the day
    "bbbbbbbbbbb,17.15.11,Chan,10,2017-11-14T01:00:00.000Z,1000,1,1,1\n"
    "bbbbbbbbbbb,17.16.11,Chan,10,2017-11-14T01:00:00.000Z,900,1,1,1\n"  # views go down: a correction
    "#NAME?,17.15.11,Other,24,2017-11-13T01:00:00.000Z,1,1,1,1\n"
    "ccccccccccc,17.15.11,Other,10,2017-11-13T01:00:00.000Z,many,1,1,1\n"
)
TITLES = "video_id,trending_date,title,category_id,views\naaaaaaaaaaa,17.14.11,First &amp; best,24,100\n"
CHAN = derived_id("title", "Chan")


def rows(client: Client, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in client.query(sql).result_rows]


def test_trending_lists_fill_accounts_posts_and_both_event_streams(
    client: Client, load, tmp_path: Path
) -> None:
    (report,) = load("youtube-trending", {"in.csv": TRENDING}, country="IN")
    assert report.error is None
    assert (report.read, report.kept, report.duplicates, report.conflicts) == (8, 4, 1, 1)
    assert report.rejected == {"spreadsheet_error_id": 1, "bad_number": 1}
    assert rows(
        client, "SELECT shortcode, channel_id, views, likes FROM beat_replica.youtube_post_simple ORDER BY 1"
    ) == [
        ("aaaaaaaaaaa", CHAN, 150, 13),
        ("bbbbbbbbbbb", CHAN, 900, 1),
    ]
    events = rows(
        client,
        "SELECT shortcode, toString(event_timestamp), JSONExtractInt(metrics, 'view_count') FROM _e.post_log_events"
        " ORDER BY shortcode, event_timestamp",
    )
    assert events == [
        ("aaaaaaaaaaa", "2017-11-14 12:00:00", 100),
        ("aaaaaaaaaaa", "2017-11-15 12:00:00", 150),
        ("bbbbbbbbbbb", "2017-11-15 12:00:00", 1000),
        ("bbbbbbbbbbb", "2017-11-16 12:00:00", 900),
    ]
    assert (tmp_path / "rejects.csv").read_text().splitlines() == [
        "file,line,reason,detail,fields",
        "in.csv,8,spreadsheet_error_id,#NAME?,#NAME?,17.15.11,Other,24,2017-11-13T01:00:00.000Z,1,1,1,1",
        "in.csv,9,bad_number,many,ccccccccccc,17.15.11,Other,10,2017-11-13T01:00:00.000Z,many,1,1,1",
    ]


def test_channel_counters_are_sums_of_latest_views_and_subscribers_stay_unknown(client: Client, load) -> None:
    load("youtube-trending", {"in.csv": TRENDING}, country="IN")
    series = rows(
        client,
        "SELECT handle, toString(toDate(event_timestamp)), metrics FROM _e.profile_log_events ORDER BY event_timestamp",
    )
    assert series == [
        (CHAN, "2017-11-14", '{"view_count":100,"video_count":1}'),
        (CHAN, "2017-11-15", '{"view_count":1150,"video_count":2}'),
        (CHAN, "2017-11-16", '{"view_count":1050,"video_count":2}'),
    ]
    assert rows(
        client,
        "SELECT tagged_country, country, views, uploads, subscribers FROM beat_replica.youtube_account",
    ) == [("IN", None, 1050, 2, 0)]


def test_categories_reach_the_creator_list_and_the_names(client: Client, load, tmp_path: Path) -> None:
    path = tmp_path / "categories.json"
    path.write_text(json.dumps({"items": [{"id": "10", "snippet": {"title": "Musik"}}]}))
    load("youtube-trending", {"in.csv": TRENDING}, categories=(path,))
    assert rows(client, "SELECT id, category FROM vidooly.youtube_category ORDER BY id") == [
        (10, "Musik"),
        (24, "Entertainment"),
    ]
    # One video each of 24 and 10: the smaller number breaks the tie.
    assert rows(
        client, "SELECT youtube_userid, youtube_category FROM vidooly.social_profiles_new_20230217"
    ) == [(CHAN, "10")]


@pytest.mark.parametrize("how", ["option", "plain file", "later"])
def test_titles_are_joined_in(client: Client, load, how: str) -> None:
    if how == "option":
        load("youtube-trending", {"in.csv": TRENDING}, titles={"titles.csv": TITLES})
    elif how == "plain file":
        load("youtube-trending", {"in.csv": TRENDING, "titles.csv": TITLES})
    else:
        load("youtube-trending", {"in.csv": TRENDING})
        load("youtube-trending", {"titles.csv": TITLES})
    newest = "SELECT shortcode, title FROM beat_replica.youtube_post_simple FINAL ORDER BY shortcode"
    assert rows(client, newest) == [("aaaaaaaaaaa", "First & best"), ("bbbbbbbbbbb", None)]


DAILY = "date_utc,channel_id,channel_title,subscribers,views,videos\n" + "".join(
    f"2026-01-{day},{CHANNEL},C,{115000 + day * 100},{13_000_000 + day},5\n" for day in (17, 18, 19)
)
REFERENCE = f"channel_id,channel_title,custom_url,country,last_seen_utc\n{CHANNEL},C,@c,FR,2026-02-09\n"
SNAPSHOT = (
    "snapshot_utc,channel_id,channel_title,video_id,published_at,title,duration_iso8601,category_id,view_count,"
    "like_count,comment_count\n"
    f"2026-01-28T00:26:46.333802+00:00,{CHANNEL},C,aaaaaaaaaaa,2026-01-04T17:15:08Z,T,PT10M5S,28,86860,,104\n"
)
WEEKLY = (
    "category,name,start_date,end_date,weekly_subscribers,weekly_views\n"
    "food,cook,2020-08-02,2020-08-09,-50,700\n"
    "food,cook,2020-08-09,2020-08-16,70,70\n"
    "food,cook,2020-08-09,2020-08-16,70,70\n"
    "food,cook,2020-08-15,2020-08-22,7,700\n"  # one day of it is in the week before
)
PROFILES = "username,category,num_followers,num_followees,num_posts\nSome.One,beauty,1432.0,1089.0,363.0\n"
POSTS = (
    "id,caption,like_count,comments_count,media_type,timestamp,permalink,username,reach,impressions,saved,followers\n"
    "178,c,18,0,VIDEO,2026-06-12,https://www.instagram.com/reel/DZfFIGflpnP/,org,,15,,11539\n"
)
SCRAPED = (
    "username,url,date,time,likes,caption,comments_scraped\n"
    'org,https://www.instagram.com/org/p/C9nNd8aRbVS/,2024-07-19,17:28:35,"5,969",text,12\n'
    "org,https://www.instagram.com/org/p/C9nNd8aRbVT/,,,,,7\n"
)

KINDS = {
    "youtube-trending": ("youtube-trending", {"in.csv": TRENDING, "titles.csv": TITLES}),
    "youtube-channels-daily": ("youtube-channels-daily", {"daily.csv": DAILY, "reference.csv": REFERENCE}),
    "youtube-channel-videos": ("youtube-channel-videos", {"videos.csv": SNAPSHOT}),
    "youtube-weekly": ("youtube-weekly", {"weekly.csv": WEEKLY}),
    "instagram-profiles": ("instagram-profiles", {"profiles.csv": PROFILES}),
    "instagram-posts": ("instagram-posts", {"posts.csv": POSTS, "scraped.csv": SCRAPED}),
}


@pytest.mark.parametrize(("kind", "files"), KINDS.values(), ids=KINDS.keys())
def test_importing_again_changes_nothing(load, state, kind: str, files: dict[str, str]) -> None:
    assert all(report.error is None for report in load(kind, files, country="IN"))
    before = state()
    assert before
    assert all(report.error is None for report in load(kind, files, country="IN"))
    assert state() == before


def test_daily_channels_and_their_reference_make_one_account_and_a_series(client: Client, load) -> None:
    load("youtube-channels-daily", {"daily.csv": DAILY, "reference.csv": REFERENCE})
    account = (
        "SELECT custom_url, country, subscribers, views, uploads FROM beat_replica.youtube_account FINAL"
    )
    assert rows(client, account) == [("@c", "FR", 116_900, 13_000_019, 5)]
    assert rows(client, "SELECT count(), min(metrics) FROM _e.profile_log_events") == [
        (3, '{"view_count":13000017,"subscriber_count":116700,"video_count":5}')
    ]


def test_weekly_gains_become_levels_that_never_fall_below_zero(client: Client, load) -> None:
    load("youtube-weekly", {"weekly.csv": WEEKLY})
    series = rows(
        client,
        "SELECT toString(toDate(event_timestamp)), JSONExtractInt(metrics, 'subscriber_count'),"
        " JSONExtractInt(metrics, 'view_count') FROM _e.profile_log_events ORDER BY event_timestamp",
    )
    # The loss of 50 lifts the whole series by 50; of the overlapping week 6 of 7 days count.
    assert series == [("2020-08-09", 0, 700), ("2020-08-16", 70, 770), ("2020-08-22", 76, 1370)]


def test_hidden_likes_are_missing_and_not_zero(client: Client, load) -> None:
    load("youtube-channel-videos", {"videos.csv": SNAPSHOT})
    assert rows(client, "SELECT likes, comments FROM beat_replica.youtube_post_simple") == [(None, 104)]
    assert rows(client, "SELECT metrics FROM _e.post_log_events") == [
        ('{"view_count":86860,"comments":104}',)
    ]


def test_instagram_profiles_and_posts(client: Client, load) -> None:
    load("instagram-profiles", {"profiles.csv": PROFILES}, country="IN")
    load("instagram-posts", {"posts.csv": POSTS, "scraped.csv": SCRAPED}, country="IN")
    accounts = "SELECT handle, followers, following, media_count, country FROM beat_replica.instagram_account"
    accounts += " FINAL ORDER BY handle"
    assert rows(client, accounts) == [("org", 11539, 0, 0, "IN"), ("some.one", 1432, 1089, 363, "IN")]
    posts = (
        "SELECT shortcode, post_type, likes, comments, impressions FROM beat_replica.instagram_post_simple"
    )
    posts += " ORDER BY shortcode"
    assert rows(client, posts) == [
        ("C9nNd8aRbVS", "image", 5969, None, None),
        ("DZfFIGflpnP", "reels", 18, 0, 15),
    ]
    # A file that does not say when it was written: the start of the day after its newest post.
    assert rows(
        client, "SELECT toString(event_timestamp) FROM _e.post_log_events WHERE shortcode = 'DZfFIGflpnP'"
    ) == [("2026-06-13 00:00:00",)]


def test_a_newer_observation_updates_a_scraped_row_and_keeps_what_it_does_not_know(
    client: Client, load
) -> None:
    client.command(
        "INSERT INTO beat_replica.youtube_account (id, channel_id, title, language, account_type, subscribers, views,"
        f" uploads, created_at, updated_at) VALUES (17, '{CHANNEL}', 'Old', 'hi', 'BRAND', 1, 2, 3,"
        " '2024-01-01 00:00:00', '2024-01-01 00:00:00')"
    )
    load("youtube-channels-daily", {"daily.csv": DAILY})
    account = "SELECT id, title, language, account_type, subscribers FROM beat_replica.youtube_account FINAL"
    assert rows(client, account) == [(17, "C", "hi", "BRAND", 116_900)]


def test_an_older_observation_never_overwrites_a_newer_one(client: Client, load) -> None:
    late = TRENDING.replace("17.1", "18.1").replace("Chan", "CHAN")
    load("youtube-trending", {"late.csv": late.replace(",150,", ",5000,")})
    load("youtube-trending", {"early.csv": TRENDING})
    sql = "SELECT views FROM beat_replica.youtube_post_simple FINAL WHERE shortcode = 'aaaaaaaaaaa'"
    assert rows(client, sql) == [(5000,)]


def test_lower_bounds_never_lower_a_measured_counter(client: Client, load) -> None:
    load("youtube-channels-daily", {"daily.csv": DAILY})
    v2 = V1.replace("comment_count", "comment_count,channelid").replace("channel_title", "channeltitle")
    v2 = (
        v2.replace("category_id", "categoryid")
        .replace("publish_time", "publishedat")
        .replace("views", "view_count")
    )
    load(
        "youtube-trending",
        {"v2.csv": v2 + f"aaaaaaaaaaa,2026-02-01,C,24,2026-01-31T00:00:00Z,9,1,1,1,{CHANNEL}\n"},
    )
    assert rows(client, "SELECT views FROM beat_replica.youtube_account FINAL") == [(13_000_019,)]
    assert rows(
        client, "SELECT count() FROM _e.profile_log_events WHERE source = 'import:youtube-trending'"
    ) == [(0,)]


def test_many_rows_arrive_all(client: Client, load) -> None:
    """An insert of several blocks lost all but the first once."""
    body = "".join(
        f"a{n:010d},17.14.11,Chan {n % 97},24,2017-11-13T01:00:00.000Z,{n},1,1,1\n" for n in range(70_000)
    )
    (report,) = load("youtube-trending", {"big.csv.gz": gzip.compress((V1 + body).encode())})
    assert report.error is None
    assert rows(client, "SELECT count(), sum(views) FROM beat_replica.youtube_post_simple") == [
        (70_000, sum(range(70_000)))
    ]
