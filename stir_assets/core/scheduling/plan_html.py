"""The page that `stir plan --html` writes: plain HTML with drawings of its own, nothing loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from stir_assets.core.scheduling.lag import LagHistory

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 880, 150, 60, 22
_OLD, _NEW = "#c2410c", "#0f766e"
_STYLE = """
body{font:14px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:60rem;color:#1c1917;background:#fff}
table{border-collapse:collapse;margin:1rem 0}
td,th{padding:.25rem .8rem;text-align:right;border-bottom:1px solid #e7e5e4}
td:first-child,th:first-child{text-align:left}
svg{display:block;margin:.2rem 0 1.6rem}h2{font-size:1rem;margin:1.5rem 0 0}
.old{color:#c2410c}.new{color:#0f766e}
"""


@dataclass(frozen=True)
class Panel:
    """One serving table: its lag under both, with a line of text."""

    title: str
    text: str
    old: LagHistory | None
    new: LagHistory | None


def page(
    title: str,
    intro: Sequence[str],
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    panels: Sequence[Panel],
) -> str:
    """The whole document. `rows` are the table's cells as text."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    parts = [f"<p>{escape(line)}</p>" for line in intro]
    drawings = [
        f"<h2>{escape(panel.title)}</h2><p>{escape(panel.text)}</p>{_drawing(panel)}" for panel in panels
    ]
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{escape(title)}</title>"
        f"<style>{_STYLE}</style><h1>{escape(title)}</h1>{''.join(parts)}"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        "<p>Lag over the simulated time, hours: <b class='old'>cron tiers</b>, <b class='new'>declared terms</b>.</p>"
        f"{''.join(drawings)}</html>\n"
    )


def _drawing(panel: Panel) -> str:
    histories = [history for history in (panel.old, panel.new) if history and history.segments]
    if not histories:
        return "<p>No event times behind it: its lag cannot be measured.</p>"
    begin = min(history.segments[0][0] for history in histories)
    end = max(history.segments[-1][1] for history in histories)
    top = max(history.longest for history in histories) or 1.0
    marks = "".join(_mark(top * share, top) for share in (0.0, 0.5, 1.0))
    lines = "".join(
        f"<path d='{_path(history, begin, end, top)}' fill='none' stroke='{color}' stroke-width='1.2'/>"
        for history, color in ((panel.old, _OLD), (panel.new, _NEW))
        if history and history.segments
    )
    return (
        f"<svg viewBox='0 0 {_WIDTH} {_HEIGHT}' width='{_WIDTH}' role='img' aria-label='lag of {escape(panel.title)}'>"
        f"{marks}{lines}{_days(begin, end)}</svg>"
    )


def _x(moment: float, begin: float, end: float) -> float:
    return _LEFT + (moment - begin) / (end - begin) * (_WIDTH - _LEFT - 5)


def _y(lag: float, top: float) -> float:
    return (_HEIGHT - _BOTTOM) - lag / top * (_HEIGHT - _BOTTOM - 8)


def _path(history: LagHistory, begin: float, end: float, top: float) -> str:
    points = []
    for start, stop, lag in history.segments:
        points.append(f"{_x(start, begin, end):.1f} {_y(lag, top):.1f}")
        points.append(f"{_x(stop, begin, end):.1f} {_y(lag + stop - start, top):.1f}")
    return "M" + "L".join(points)


def _mark(lag: float, top: float) -> str:
    y = _y(lag, top)
    text = f"{lag / 3600:.1f}"
    return (
        f"<line x1='{_LEFT}' x2='{_WIDTH}' y1='{y:.1f}' y2='{y:.1f}' stroke='#e7e5e4'/>"
        f"<text x='{_LEFT - 6}' y='{y + 4:.1f}' text-anchor='end' font-size='11'>{text}</text>"
    )


def _days(begin: float, end: float) -> str:
    count = round((end - begin) / 86_400)
    return "".join(
        f"<text x='{_x(begin + day * 86_400, begin, end):.1f}' y='{_HEIGHT - 6}' font-size='11'>day {day + 1}</text>"
        for day in range(count)
    )
