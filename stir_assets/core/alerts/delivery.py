"""Sends what is in the outbox: each message at most once, in order, across restarts and rate limits.

A message is noted as being sent before it is sent. One that is found in that state later, after a crash, may or
may not have arrived: it is not sent again. An incident whose first message got lost that way is announced anew
while it lasts (`incidents.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from stir_assets.core.alerts.model import Action, Delivery, Incident, Memory, Message

_BACKOFF = 30.0
_BACKOFF_CAP = 600.0


class RateLimited(Exception):
    """Nothing was sent; try again after so many seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"rate limited, retry after {retry_after:g} s")
        self.retry_after = retry_after


class NotSent(Exception):
    """Nothing was sent, and it may work later: the other side was not reached."""


class Refused(Exception):
    """Nothing was sent, and it will not work until somebody changes something. `channel_at_fault`: another
    channel may do."""

    def __init__(self, reason: str, *, channel_at_fault: bool = False) -> None:
        super().__init__(reason)
        self.channel_at_fault = channel_at_fault


@dataclass(frozen=True)
class Receipt:
    """Where a message went: the channel's own id, and the message's id, which names its thread."""

    place: str
    id: str


class Transport(Protocol):
    """What carries messages. Any other exception than the three above means: perhaps sent."""

    delivered: Delivery

    def post(self, message: Message, thread: str | None) -> Receipt:
        """Sends it, into a thread if one is given."""
        ...

    def edit(self, message: Message, place: str, id_: str) -> None:
        """Rewrites an earlier message."""
        ...


def deliver(
    memory: Memory,
    transport: Transport,
    now: float,
    save: Callable[[Memory], None],
    *,
    default_channel: str,
    keep_history: int = 60,
) -> Memory:
    """Empties the outbox as far as possible; `save` is called before and after each message."""
    return _Delivery(memory, transport, now, save, default_channel, keep_history).run()


class _Delivery:
    def __init__(
        self,
        memory: Memory,
        transport: Transport,
        now: float,
        save: Callable[[Memory], None],
        default_channel: str,
        keep_history: int,
    ) -> None:
        self.memory, self.transport, self.now, self.save = memory, transport, now, save
        self.default_channel, self.keep_history = default_channel, keep_history

    def run(self) -> Memory:
        for message in self.memory.outbox:
            if message.state is Delivery.SENDING:
                self._done(message, Delivery.UNKNOWN, "the process ended while it was sent")
        held_up: set[str] = set()
        for message in self.memory.outbox:
            if message.root in held_up or message.not_before > self.now:
                # Order within an incident is kept.
                held_up.add(message.root)
                continue
            try:
                self._send(message)
            except RateLimited as limited:
                # The limit is of the whole workspace and method: the others wait as well.
                self._again(message, limited.retry_after, str(limited))
                break
            except NotSent as problem:
                self._again(
                    message, min(_BACKOFF * 2 ** min(message.attempts, 10), _BACKOFF_CAP), str(problem)
                )
                break
        return self.memory

    def _send(self, message: Message) -> None:
        incident = self.memory.incidents.get(message.root)
        if message.action is Action.EDIT:
            self._edit(message)
            return
        self._put(replace(message, state=Delivery.SENDING, attempts=message.attempts + 1))
        sending = next(entry for entry in self.memory.outbox if entry.number == message.number)
        thread = incident.thread if incident and message.action is not Action.OPEN else None
        try:
            receipt = self.transport.post(message, thread or None)
        except (RateLimited, NotSent):
            raise
        except Refused as problem:
            if problem.channel_at_fault and message.channel != self.default_channel:
                note = f"meant for {message.channel}, which cannot be used: {problem}"
                self._redirect(replace(message, lines=(*message.lines, note)))
            else:
                self._done(sending, Delivery.FAILED, str(problem))
        except Exception as problem:  # anything may have happened to it, so it must not be sent again
            self._done(sending, Delivery.UNKNOWN, f"{type(problem).__name__}: {problem}")
        else:
            if incident is not None and not incident.thread:
                self._incident(replace(incident, thread=receipt.id, place=receipt.place))
            self._done(sending, self.transport.delivered, "")

    def _edit(self, message: Message) -> None:
        try:
            self.transport.edit(message, message.place, message.thread)
        except (RateLimited, NotSent):
            raise
        except Exception:  # the thread has told it already; an edit is for the eye
            self._drop(message)
        else:
            self._drop(message)

    # -- changes of the memory, saved at once

    def _put(self, message: Message) -> None:
        self._store(
            outbox=tuple(message if entry.number == message.number else entry for entry in self.memory.outbox)
        )

    def _again(self, message: Message, wait: float, problem: str) -> None:
        self._put(
            replace(
                message,
                state=Delivery.WAITING,
                attempts=message.attempts + 1,
                not_before=self.now + wait,
                problem=problem,
            )
        )

    def _redirect(self, message: Message) -> None:
        incident = self.memory.incidents.get(message.root)
        if incident is not None:
            self._incident(replace(incident, channel=self.default_channel))
        self._put(replace(message, channel=self.default_channel, state=Delivery.WAITING))
        self._send(next(entry for entry in self.memory.outbox if entry.number == message.number))

    def _done(self, message: Message, state: Delivery, problem: str) -> None:
        finished = replace(message, state=state, problem=problem)
        self._store(
            outbox=tuple(entry for entry in self.memory.outbox if entry.number != message.number),
            history=(*self.memory.history, finished)[-self.keep_history :],
        )

    def _drop(self, message: Message) -> None:
        self._store(outbox=tuple(entry for entry in self.memory.outbox if entry.number != message.number))

    def _incident(self, incident: Incident) -> None:
        # Saved together with the message that brought the thread.
        self.memory = replace(self.memory, incidents={**self.memory.incidents, incident.root: incident})

    def _store(self, **changes: object) -> None:
        self.memory = replace(self.memory, **changes)  # pyright: ignore[reportArgumentType]
        self.save(self.memory)
