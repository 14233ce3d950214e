from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stir_assets.importers import cleaning
from stir_assets.importers.cleaning import Notes, RejectError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("1096327", 1_096_327),
        (" 42 ", 42),
        ("1432.0", 1432),
        ("5,969", 5969),
        ("93,24,70,40,539", 93_247_040_539),
        ("1,096,327.00", 1_096_327),
        ("212.1M", 212_100_000),
        ("3.3k", 3300),
        ("29.0b", 29_000_000_000),
        ("348.5", 348),
    ],
)
def test_counters_are_read_in_every_spelling(text: str, value: int) -> None:
    assert cleaning.parse_count(text, Notes()) == value


@pytest.mark.parametrize(
    "text", ["", " ", "N/A", "N/A'", "-", "nan", "NaN%", "null", "#VALOR!", "#NOMBRE?", "#DIV/0!"]
)
def test_unknown_counters_are_none_and_not_zero(text: str) -> None:
    assert cleaning.parse_count(text, Notes()) is None


def test_negative_counter_is_unknown_and_counted() -> None:
    notes = Notes()
    assert cleaning.parse_count("-262", notes) is None
    assert notes["negative counter, taken as unknown"] == 1


def test_negative_gain_is_a_number() -> None:
    assert cleaning.parse_signed("-13,500,000", Notes()) == -13_500_000


@pytest.mark.parametrize("text", ["many", "1.2.3", "12 34", "1,2", "5M views", "0x10", "9" * 25])
def test_text_that_is_no_number_is_rejected(text: str) -> None:
    with pytest.raises(RejectError) as error:
        cleaning.parse_count(text, Notes())
    assert error.value.reason == "bad_number"


@given(st.integers(min_value=0, max_value=2**63 - 1))
def test_every_whole_number_survives_with_and_without_grouping(number: int) -> None:
    assert cleaning.parse_count(str(number), Notes()) == number
    assert cleaning.parse_count(f"{number:,}", Notes()) == number


def moment(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp())  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["17.14.11", "2017-11-14", "2017-11-14T00:00:00Z"])
def test_days_stand_at_noon_and_the_short_form_has_the_day_before_the_month(text: str) -> None:
    assert cleaning.parse_day(text) == moment(2017, 11, 14, 12)


@pytest.mark.parametrize("text", ["17.11.14", "2017-13-01", "yesterday", "", "2017-11-14Txx", "1950-01-01"])
def test_days_that_are_none_are_rejected(text: str) -> None:
    with pytest.raises(RejectError, match="bad_date"):
        cleaning.parse_day(text)


def test_moments_are_utc_and_keep_their_zone() -> None:
    assert cleaning.parse_moment("2017-11-12T12:20:39.000Z") == moment(2017, 11, 12, 12, 20, 39)
    assert cleaning.parse_moment("2021-01-01 15:46:48") == moment(2021, 1, 1, 15, 46, 48)
    assert cleaning.parse_moment("2021-01-01T15:46:48+05:30") == moment(2021, 1, 1, 10, 16, 48)


@pytest.mark.parametrize("text", ["", "null", "1970-01-01T00:00:00.000Z"])
def test_no_time_is_none(text: str) -> None:
    assert cleaning.parse_moment(text) is None


def test_texts_are_decoded_and_repaired_and_counted() -> None:
    notes = Notes()
    assert cleaning.clean_text(" It&#39;s &amp; more ", notes) == "It's & more"
    assert cleaning.clean_text("CÃ´te d'Ivoire", notes) == "Côte d'Ivoire"
    assert cleaning.clean_text("caf\ufffd", notes) == "caf\ufffd"
    assert notes == Notes({"HTML entities decoded": 1, "mojibake repaired": 1, "text with U+FFFD": 1})


@pytest.mark.parametrize("text", ["NÃO É", "Ârbol", "AT&T", "a & b; c", "हिन्दी", "🙂 ok"])
def test_good_texts_are_left_alone(text: str) -> None:
    assert cleaning.clean_text(text, Notes()) == text


def test_ids_eaten_by_a_spreadsheet_are_told_apart_from_wrong_ones() -> None:
    assert cleaning.video_id("-abc_DEF123") == "-abc_DEF123"
    for text, reason in [
        ("#NAME?", "spreadsheet_error_id"),
        ("#NOME?", "spreadsheet_error_id"),
        ("x", "bad_video_id"),
    ]:
        with pytest.raises(RejectError) as error:
            cleaning.video_id(text)
        assert error.value.reason == reason


def test_derived_ids_are_stable_and_never_look_real() -> None:
    first = cleaning.derived_id("title", "Some  Channel")
    assert first == cleaning.derived_id("title", "some channel ") == "title-9b53c29f66681e0f43dffd"
    assert first != cleaning.derived_id("handle", "Some Channel")
    assert cleaning.CHANNEL_ID.fullmatch(first) is None
    with pytest.raises(RejectError, match="no_author"):
        cleaning.derived_id("title", " N/A ")


def test_tags_lose_their_stray_quotes() -> None:
    assert cleaning.clean_tags('Raptor|"Dissident"|"moi"') == "Raptor|Dissident|moi"
    assert cleaning.clean_tags("[none]") == ""


@pytest.mark.parametrize(
    ("link", "parts"),
    [
        ("https://www.instagram.com/p/CJggXA2AtD3/", ("p", "CJggXA2AtD3")),
        ("https://www.instagram.com/somebody/reel/C9nNd8aRbVS/?x=1", ("reel", "C9nNd8aRbVS")),
        ("https://instagram.com/reels/C9nNd8aRbVS", ("reel", "C9nNd8aRbVS")),
    ],
)
def test_links_give_the_short_code(link: str, parts: tuple[str, str]) -> None:
    assert cleaning.instagram_link(link) == parts
