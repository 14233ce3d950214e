"""A message in Slack's blocks, within the limits that Slack enforces.

Limits: https://docs.slack.dev/reference/block-kit/blocks (50 blocks a message, 150 characters a header, 3,000 a
section) and https://docs.slack.dev/reference/methods/chat.postMessage (text: 4,000 are advised).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from stir_assets.core.alerts.model import Action, Message
from stir_assets.core.alerts.words import SIGNS

MAX_BLOCKS = 50
MAX_HEADER = 150
MAX_SECTION = 3000
MAX_TEXT = 4000


def text_of(message: Message) -> str:
    """What a notification shows: sign and title."""
    return _cut(f"{_sign(message)} {message.title}", MAX_TEXT)


def blocks_of(message: Message) -> list[dict[str, Any]]:
    """A header and a section a line; what does not fit is cut and counted."""
    header = {"type": "header", "text": {"type": "plain_text", "text": _cut(message.title, MAX_HEADER)}}
    pieces = [piece for line in message.lines for piece in _pieces(line)]
    room = MAX_BLOCKS - 1
    if len(pieces) > room:
        left_out = len(pieces) - room + 1
        pieces = [*pieces[: room - 1], f"… {left_out} more sections: see the asset platform/alerts"]
    sections = [{"type": "section", "text": {"type": "mrkdwn", "text": piece}} for piece in pieces]
    return [header, *sections]


def _sign(message: Message) -> str:
    if message.action is Action.DIGEST:
        return ":sunrise:"
    if message.title.startswith(("well again", "came and went")):
        return ":large_green_circle:"
    return SIGNS[message.severity]


def _pieces(line: str) -> Iterator[str]:
    """The line in parts that fit a section, cut between its own lines where possible; none when it is blank."""
    part = ""
    for row in line.split("\n"):
        row = _cut(row, MAX_SECTION)
        if part and len(part) + 1 + len(row) > MAX_SECTION:
            yield part
            part = row
        else:
            part = f"{part}\n{row}" if part else row
    if part.strip():
        yield part


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def shown(lines: Sequence[str]) -> str:
    """Lines as one Markdown text, for the page."""
    return "\n\n".join(line.replace("\n", "  \n") for line in lines)
