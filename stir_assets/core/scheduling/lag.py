"""The lag of served data over time, exactly: it grows with the clock and drops when something newer is served."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class LagHistory:
    """Lag from `since` on. Times in seconds since the epoch, in order; lags in seconds."""

    since: float
    segments: list[tuple[float, float, float]] = field(default_factory=list)
    """(from, to, lag at from): between two publications the lag grows by a second a second."""
    _last: tuple[float, float] | None = None

    def served(self, at: float, data_time: float) -> None:
        """From `at` on, the newest event that a reader sees is of `data_time`."""
        self._extend(at)
        self._last = (at, data_time)

    def close(self, at: float) -> None:
        """Ends the history at `at`."""
        self._extend(at)
        self._last = None

    def _extend(self, until: float) -> None:
        if self._last is None:
            return
        begins = max(self._last[0], self.since)
        if until > begins:
            self.segments.append((begins, until, begins - self._last[1]))

    @property
    def mean(self) -> float:
        """Mean over time."""
        total = sum(end - begin for begin, end, _ in self.segments)
        area = sum((end - begin) * (lag + (end - begin) / 2) for begin, end, lag in self.segments)
        return area / total if total else 0.0

    @property
    def longest(self) -> float:
        """The largest lag that a reader could see."""
        return max((lag + end - begin for begin, end, lag in self.segments), default=0.0)

    def percentile(self, share: float) -> float:
        """The lag that is not exceeded for `share` (0 to 1) of the time."""
        total = sum(end - begin for begin, end, _ in self.segments)
        low, high = 0.0, self.longest
        # The time spent below a lag is monotone in it: halve until a second is certain.
        while high - low > 0.5:
            middle = (low + high) / 2
            below = sum(min(max(middle - lag, 0.0), end - begin) for begin, end, lag in self.segments)
            low, high = (low, middle) if below >= share * total else (middle, high)
        return high
