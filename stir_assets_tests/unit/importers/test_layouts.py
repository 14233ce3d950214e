from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest

from stir_assets.importers.cleaning import RejectError
from stir_assets.importers.kinds import KINDS
from stir_assets.importers.layouts import Reading, UnknownLayoutError, choose
from stir_assets.importers.observations import Post, Profile, Title
from stir_assets.importers.waves import month_in_name, noon
from stir_assets.importers.youtube_videos import duration_seconds

ALL = tuple(KINDS.values())
CHANNEL = "UCabcdefghijklmnopqrstuv"


def read(kind: str, text: str, reading: Reading | None = None) -> list[Post | Profile | Title]:
    rows = list(csv.reader(io.StringIO(text, newline="")))
    choice = choose(KINDS[kind], rows[0], ALL)
    mapper = choice.layout.build(choice.layout.positions(choice.header), reading or Reading())
    return [mapper(row) for row in (rows if choice.headerless else rows[1:])]


def at(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp())  # type: ignore[arg-type]


V1 = "video_id,trending_date,channel_title,category_id,publish_time,views,likes,dislikes,comment_count"
V2 = (
    "video_id,title,publishedAt,channelId,channelTitle,categoryId,trending_date,tags,view_count,likes,dislikes,"
    "comment_count,thumbnail_link,comments_disabled,ratings_disabled,description"
)
V2_ROW = (
    f"abcdefghijk,A title,2024-04-21T15:59:09Z,{CHANNEL},A Channel,24,2024-04-22T00:00:00Z,[none],100,7,0,3,"
    'http://i/1.jpg,False,False,"line one\nline two"'
)


def test_v1_derives_the_channel_from_its_title_and_keeps_what_is_hidden_unknown() -> None:
    text = (
        f"{V1},comments_disabled,ratings_disabled\n"
        "abcdefghijk,17.14.11,Chan,24,2017-11-12T12:20:39.000Z,100,0,0,0,TRUE,True\n"
    )
    (post,) = read("youtube-trending", text, Reading(country="IN"))
    assert isinstance(post, Post)
    assert post.profile_id.startswith("title-")
    assert (post.views, post.likes, post.dislikes, post.comments) == (100, None, None, None)
    assert (post.observed_at, post.published_at, post.country) == (
        at(2017, 11, 14, 12),
        at(2017, 11, 12, 12, 20, 39),
        "IN",
    )


@pytest.mark.parametrize("header", [V2 + "\n", ""], ids=["with header", "without header"])
def test_v2_reads_the_same_with_and_without_a_header_line(header: str) -> None:
    (post,) = read("youtube-trending", header + V2_ROW + "\n")
    assert isinstance(post, Post)
    assert (post.profile_id, post.title, post.text, post.tags) == (
        CHANNEL,
        "A title",
        "line one\nline two",
        "",
    )
    assert (post.likes, post.dislikes) == (7, None)  # dislikes are hidden since December 2021


def test_columns_may_come_in_any_order() -> None:
    names = V1.split(",")
    values = ["abcdefghijk", "17.14.11", "Chan", "24", "2017-11-12T12:20:39.000Z", "100", "1", "2", "3"]
    (post,) = read("youtube-trending", ",".join(reversed(names)) + "\n" + ",".join(reversed(values)) + "\n")
    assert isinstance(post, Post)
    assert (post.views, post.likes, post.dislikes, post.comments) == (100, 1, 2, 3)


def test_titles_only_files_are_told_apart_from_full_ones() -> None:
    text = "video_id,trending_date,title,category_id,views,likes,dislikes,comment_count\n"
    text += "abcdefghijk,17.14.11, A ,24,1,2,3,4\n"
    assert read("youtube-trending", text) == [Title("abcdefghijk", "A", 24)]


def test_daily_lists_take_country_and_moment_from_the_row() -> None:
    text = (
        "file,region,date,fetched_at,cat_key,video_id,title,channel_name,channel_id,view_count,like_count,"
        "comment_count,published_at,today_views\n"
        f"f,JP,2025-11-16,2025-11-15T15:16:32.786Z,all,abcdefghijk,T,C,{CHANNEL},9,,1,2025-11-13T15:00:20Z,\n"
    )
    (post,) = read("youtube-trending", text, Reading(country="KR"))
    assert isinstance(post, Post)
    assert (post.country, post.observed_at, post.likes) == ("JP", at(2025, 11, 15, 15, 16, 32), None)


def test_daily_counters_and_reference_of_channels() -> None:
    daily = (
        f"date_utc,channel_id,channel_title,subscribers,views,videos\n2026-01-17,{CHANNEL}, C,115000,13,5\n"
    )
    (profile,) = read("youtube-channels-daily", daily)
    assert isinstance(profile, Profile)
    assert (profile.followers, profile.views, profile.uploads, profile.name) == (115000, 13, 5, "C")
    reference = (
        "channel_id,channel_title,custom_url,channel_url,country,channel_published_at,uploads_playlist_id,last_seen_utc\n"
        f"{CHANNEL},C,@c,u,fr,2006-06-20T20:54:37Z,UU,2026-02-09\n"
    )
    (profile,) = read("youtube-channels-daily", reference)
    assert isinstance(profile, Profile)
    assert (profile.country, profile.handle, profile.origin, profile.followers) == (
        "FR",
        "@c",
        "attributes",
        None,
    )


def test_weekly_gains_may_be_negative_and_name_a_handle_or_an_id() -> None:
    text = (
        "category,name,start_date,end_date,weekly_subscribers,weekly_views\n"
        f"comedy,{CHANNEL},2020-08-10,2020-08-17,-5,26143\nfood,Cook,2020-08-10,2020-08-17,5,\n"
    )
    real, handle = read("youtube-weekly", text)
    assert isinstance(real, Profile)
    assert isinstance(handle, Profile)
    assert (real.profile_id, real.followers, real.origin) == (CHANNEL, -5, "gain")
    assert handle.profile_id.startswith("handle-")
    assert handle.views is None
    with pytest.raises(RejectError, match="bad_period"):
        read("youtube-weekly", text.replace("2020-08-17", "2020-08-10"))


WAVES = {
    "wave-06": "instagram name,influencer name ,Category_1,Category_2,Subscribers count,Subscribers count,Views avg.,"
    "Likes avg,Likes avg,Comments avg.,Comments avg.\nuser.x,Shown,Music,,50.7M,50700000,Spain,1K,1000,2K,2000\n",
    "wave-09": 'S.no,Instagram name, Name,Subscribers,Subscribers,Audience country,"Authentic engagement\n",'
    '"Authentic engagement Values \n","Engagement average\r\n","Engagement average Values \n",Category_1,Category_2\n'
    "1.00,user.x,Shown,50.7M,50700000.00,Spain,1K,1000.00,2K,2000.00,Music,\n",
    "wave-11": 's.no,Name,Instagram Name,Category-1,Followers,Followers,"\nCountry",Eng. (Auth.),Eng. (Auth.),'
    "Eng. (Avg.),Eng. (Avg.),Category-2\n1,user.x,Shown,Music,50.7M,50700000,Spain,1K,1000,2K,2000,\n",
    "wave-12": "Rank,name,instagram name,Category_1,Category_2,followers,followers,country,Eng. (Auth.),Eng. (Auth.),"
    "Eng. (Avg.),Eng. (Avg.)\n1,user.x,Shown,Music,,50.7M,50700000,Spain,1K,1000,2K,2000\n",
}


@pytest.mark.parametrize("text", WAVES.values(), ids=WAVES.keys())
def test_every_wave_yields_the_same_profile_though_name_columns_swap(text: str) -> None:
    (profile,) = read("instagram-profiles", text, Reading(observed_at=5))
    assert isinstance(profile, Profile)
    assert (profile.handle, profile.name, profile.followers) == ("user.x", "Shown", 50_700_000)
    # The audience's country is not the account's.
    assert (profile.audience_country, profile.country, profile.tagged_country) == ("Spain", "", "")
    assert (profile.category, profile.observed_at) == ("Music", 5)


def test_profile_lists_repair_what_is_known_to_be_wrong() -> None:
    text = "username,category,num_followers,num_followees,num_posts\nSome.One,fasion,1432.0,304758.0,363.0\n"
    reading = Reading(observed_at=1)
    (profile,) = read("instagram-profiles", text, reading)
    assert isinstance(profile, Profile)
    assert (profile.handle, profile.category, profile.followers, profile.following) == (
        "some.one",
        "fashion",
        1432,
        None,
    )
    assert reading.notes["following above 7,500, taken as unknown"] == 1


def test_fan_page_exports_key_on_the_link_and_drop_negative_comments() -> None:
    text = (
        'source_file,Date,Message,Profile,Network,"Reactions, Comments & Shares",Likes per post,Comments per post,'
        "Message-ID,Profile-ID,Link\n"
        "SomeGov.xlsx,2021-01-01 15:46:48,Hi,Some Gov,INSTAGRAM,1,53,-262,1.8E+16,123,https://www.instagram.com/reel/CJggXA2AtD3/\n"
    )
    (post,) = read("instagram-posts", text)
    assert isinstance(post, Post)
    assert (post.shortcode, post.profile_id, post.handle, post.post_type) == (
        "CJggXA2AtD3",
        "123",
        "somegov",
        "reels",
    )
    assert (post.likes, post.comments) == (53, None)
    with pytest.raises(RejectError, match="other_network"):
        read("instagram-posts", text.replace("INSTAGRAM", "FACEBOOK"))


def test_graph_api_exports_carry_insights_and_followers() -> None:
    text = (
        "id,caption,like_count,comments_count,media_type,timestamp,permalink,username,reach,impressions,saved,followers\n"
        "178,c,18,0,CAROUSEL_ALBUM,2026-06-12,https://www.instagram.com/p/DZfFIGflpnP/,Org,,,,11539\n"
    )
    (post,) = read("instagram-posts", text)
    assert isinstance(post, Post)
    assert (post.post_type, post.reach, post.saves, post.followers, post.comments) == (
        "carousel",
        None,
        None,
        11539,
        0,
    )


def test_columns_of_another_kind_are_refused_with_both_lists_and_the_kind_to_try() -> None:
    header = ["date_utc", "channel_id", "channel_title", "subscribers", "views", "videos"]
    with pytest.raises(UnknownLayoutError) as error:
        choose(KINDS["youtube-trending"], header, ALL)
    message = str(error.value)
    assert "found:    date_utc, channel_id" in message
    assert "expected: video_id, trending_date" in message
    assert "missing:" in message
    assert "try `stir import youtube-channels-daily`" in message


def test_a_missing_column_is_named() -> None:
    with pytest.raises(UnknownLayoutError, match="missing:  views"):
        choose(KINDS["youtube-trending"], V1.replace(",views", "").split(","), ALL)


def test_a_repeated_column_is_refused() -> None:
    with pytest.raises(UnknownLayoutError):
        choose(KINDS["youtube-trending"], [*V1.split(","), "views"], ALL)


def test_a_month_in_the_file_name_is_its_last_day() -> None:
    assert month_in_name("waves_2022_06.csv.gz") == noon(2022, 6, 30)
    assert month_in_name("list_2017_18.csv") is None


def test_durations() -> None:
    assert duration_seconds("PT1H2M3S") == 3723
    assert duration_seconds("P0D") is None
    with pytest.raises(RejectError, match="bad_duration"):
        duration_seconds("10 min")
