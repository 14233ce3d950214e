"""What an import did, as a table for people: rows per file, why rows were not used, rows written per table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from stir_assets.importers.rejects import RejectsFile
from stir_assets.importers.run import FileReport

_REASONS = {
    "spreadsheet_error_id": "a spreadsheet replaced the id by an error text (#NAME?)",
    "bad_video_id": "not a video id (11 letters, digits, - or _)",
    "bad_channel_id": "not a channel id (UC and 22 characters)",
    "bad_shortcode": "not a short code",
    "bad_link": "not the link of a post or channel",
    "bad_handle": "not a user name",
    "bad_profile_id": "not a numeric profile id",
    "bad_number": "a counter that is no number",
    "bad_date": "not a date, or none that can be stored (1970 to 2106)",
    "bad_period": "the period ends before it starts",
    "bad_flag": "neither true nor false",
    "bad_category": "not a category number",
    "bad_duration": "not an ISO 8601 duration",
    "bad_media_type": "unknown kind of media",
    "no_author": "nobody is named as the author",
    "no_title": "the title is empty",
    "no_post_row": "comments without their post",
    "other_network": "a post of another network",
    "wrong_number_of_fields": "more or fewer fields than columns",
}


def print_summary(console: Console, reports: Sequence[FileReport], rejects: RejectsFile) -> None:
    """Print the tables. A failed file is a red line with its error."""
    console.print(_files(reports))
    reasons: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    written: Counter[str] = Counter()
    for report in reports:
        reasons.update(report.rejected)
        notes.update(report.notes)
        written.update(report.written)
    if reasons:
        console.print(_counts("rejected because", {_described(reason): n for reason, n in reasons.items()}))
    if notes:
        console.print(_counts("decided on the way", dict(notes)))
    if written:
        console.print(_counts("rows written to", dict(written)))
    for report in reports:
        if report.error is not None:
            console.print(
                f"failed, nothing of it imported: {report.error}", style="red", markup=False, soft_wrap=True
            )
    if rejects.count:
        console.print(f"{rejects.count:,} rejected rows: {rejects.path}", markup=False, soft_wrap=True)


def _described(reason: str) -> str:
    return f"{reason}: {_REASONS[reason]}" if reason in _REASONS else reason


def _files(reports: Sequence[FileReport]) -> Table:
    """One row per file; fits 80 columns. `same`: said again; `other`: other counters for a moment already told."""
    table = Table(title="files", title_justify="left", box=SIMPLE, padding=(0, 0, 0, 0), expand=True)
    table.add_column("file (layout)", overflow="fold", ratio=1)
    for name in ("read", "accepted", "same", "other", "rejected", "s", "rows/min"):
        table.add_column(name, justify="right", no_wrap=True)
    for report in reports:
        speed = f"{report.read / report.seconds * 60:,.0f}" if report.seconds else ""
        numbers = (report.read, report.kept, report.duplicates, report.conflicts, report.rejected.total())
        table.add_row(
            f"{report.path.name} ({report.layout})" if report.layout else report.path.name,
            *(f"{number:,}" for number in numbers),
            f"{report.seconds:.1f}",
            speed,
            style="red" if report.error is not None else "",
        )
    return table


def _counts(title: str, counts: dict[str, int]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column("what", overflow="fold")
    table.add_column("rows", justify="right")
    for what, number in counts.items():
        table.add_row(what, f"{number:,}")
    return table
