"""Slack as a carrier of alerts, on dagster-slack's resource; and the log in its place when there is no token."""

# No `from __future__ import annotations` here: Dagster reads the annotations of a resource when it is defined.

import logging
import time
from urllib.error import URLError

import dagster as dg
from dagster_slack import SlackResource
from slack_sdk.errors import SlackApiError
from slack_sdk.web.client import WebClient

from stir_assets.core.alerts.blocks import blocks_of, text_of
from stir_assets.core.alerts.delivery import NotSent, RateLimited, Receipt, Refused, Transport
from stir_assets.core.alerts.model import Delivery, Message
from stir_assets.core.alerts.words import plain

TIMEOUT_SECONDS = 10
_DEFAULT_RETRY_AFTER = 30.0
_CHANNEL_AT_FAULT = frozenset(
    {"channel_not_found", "not_in_channel", "is_archived", "restricted_action", "channel_is_limited_access"}
)
# Slack broke down while it worked on the call: the message may be there.
_PERHAPS = frozenset({"internal_error", "fatal_error", "request_timeout", "service_unavailable"})

log = logging.getLogger("stir.alerts")


class AlertChannel(dg.ConfigurableResource):
    """Where alerts go: the resource that the alerts sensor asks for."""

    def transport(self) -> Transport:
        """What carries the messages."""
        raise NotImplementedError


class SlackAlerts(AlertChannel, SlackResource):
    """Alerts to Slack. `api_url` differs from Slack's own behind a proxy and in tests.

    The token needs the scopes chat:write and, to post where the app was not invited, chat:write.public.
    """

    api_url: str = WebClient.BASE_URL

    def get_client(self) -> WebClient:
        """Slack's client without retries of its own: what must wait waits in the outbox, not in a sensor's tick."""
        return WebClient(self.token, base_url=self.api_url, timeout=TIMEOUT_SECONDS, retry_handlers=[])

    def transport(self) -> Transport:
        return SlackTransport(self.get_client())


class LogAlerts(AlertChannel):
    """Without a token the same messages go to the log, and to the page (asset platform/alerts) as always."""

    def transport(self) -> Transport:
        return LogTransport()


class SlackTransport:
    """Posts and edits; sorts Slack's answers into what may be tried again and what may not."""

    delivered = Delivery.SENT

    def __init__(self, client: WebClient) -> None:
        self._client = client

    def post(self, message: Message, thread: str | None) -> Receipt:
        """`chat.postMessage`; raises as `Transport` says."""
        with _sorted_errors():
            answer = self._client.chat_postMessage(
                channel=message.channel,
                text=text_of(message),
                blocks=blocks_of(message),
                thread_ts=thread,
                reply_broadcast=True if thread and message.broadcast else None,
                unfurl_links=False,
            )
        return Receipt(str(answer["channel"]), str(answer["ts"]))

    def edit(self, message: Message, place: str, id_: str) -> None:
        """`chat.update`; raises as `Transport` says."""
        with _sorted_errors():
            self._client.chat_update(channel=place, ts=id_, text=text_of(message), blocks=blocks_of(message))


class LogTransport:
    """Writes each message to the log; threads get made-up ids, so that everything else goes its usual way."""

    delivered = Delivery.LOGGED

    def post(self, message: Message, thread: str | None) -> Receipt:
        """One log record a message."""
        log.warning("%s", plain(message))
        return Receipt(message.channel, thread or f"log-{time.time():.6f}")

    def edit(self, message: Message, place: str, id_: str) -> None:
        """A log keeps what was written."""


class _sorted_errors:
    """Turns what Slack's client raises into the families of `delivery`."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, SlackApiError):
            code, status = str(error.response.get("error") or ""), error.response.status_code
            if status == 429 or code == "ratelimited":
                raise RateLimited(_retry_after(error)) from None
            if status >= 500 or code in _PERHAPS:
                return
            raise Refused(
                f"Slack says {code or status}", channel_at_fault=code in _CHANNEL_AT_FAULT
            ) from None
        if isinstance(error, URLError | ConnectionRefusedError):
            reason = getattr(error, "reason", error)
            # A connection that never came about carried nothing; any later trouble leaves it open.
            if isinstance(reason, ConnectionRefusedError | OSError) and not isinstance(
                reason, TimeoutError | ConnectionResetError
            ):
                raise NotSent(f"Slack cannot be reached: {reason}") from None


def _retry_after(error: SlackApiError) -> float:
    headers = {name.lower(): value for name, value in error.response.headers.items()}
    value = headers.get("retry-after", "")
    if isinstance(value, list):
        value = value[0] if value else ""
    try:
        return max(1.0, float(value))
    except ValueError:
        return _DEFAULT_RETRY_AFTER
