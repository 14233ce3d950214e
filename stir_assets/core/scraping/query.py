"""One query over the scraper's log: the facts of every flow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from clickhouse_connect.driver.client import Client

from stir_assets.core.scraping.model import LOG_WINDOW, RECENT, FailureClass, FlowFacts, FlowTerms

# `data` holds whole results as well as error texts: it is read of failed requests only (prewhere), and of them
# the code in brackets. Pick-up times are in the event stream alone. `as_of` is the log's own clock.
_QUERY = r"""
with toDateTime({now:UInt32}) as clock,
     clock - toIntervalSecond({window:UInt32}) as edge,
     (
         select least(clock, max(greatest(created_at, ifNull(scraped_at, created_at))))
         from {log_schema:Identifier}.recent_scrape_request_log where created_at > edge and created_at <= clock
     ) as as_of,
     as_of - toIntervalSecond({recent:UInt32}) as lately
select requests.flow as flow, toUnixTimestamp(assumeNotNull(as_of)) as as_of_seconds,
       requested, newest_request, newest_success, succeeded, pending, oldest_pending, processing, pickups,
       nothing, conflict, limited, other,
       arrayFilter(made -> made > greatest(newest_success, ifNull(excused, 0)), arrayConcat(waiting, faults)) as unanswered
from (
    select flow,
           countIf(created_at > lately) as requested,
           max(toUnixTimestamp(created_at)) as newest_request,
           maxIf(toUnixTimestamp(assumeNotNull(scraped_at)), status = 'COMPLETE' and scraped_at is not null) as newest_success,
           countIf(status = 'COMPLETE' and scraped_at > lately) as succeeded,
           countIf(status = 'PENDING') as pending,
           minOrNullIf(toUnixTimestamp(created_at), status = 'PENDING') as oldest_pending,
           countIf(status = 'PROCESSING') as processing,
           groupArrayIf(toUnixTimestamp(created_at), status in ('PENDING', 'PROCESSING')) as waiting
    from {log_schema:Identifier}.recent_scrape_request_log final
    where created_at > edge and created_at <= clock
    group by flow
) as requests
left join (
    select flow,
           countIf(code = '204' and recent) as nothing, countIf(code = '409' and recent) as conflict,
           countIf(code = '429' and recent) as limited, countIf(code not in ('204', '409', '429') and recent) as other,
           maxIf(finished, code in ('204', '409')) as excused,
           groupArrayIf(made, code not in ('204', '409')) as faults
    from (
        select flow, toUnixTimestamp(created_at) as made, toUnixTimestamp(ifNull(scraped_at, created_at)) as finished,
               ifNull(scraped_at, created_at) > lately as recent, extract(ifNull(data, ''), '^\\((\\d{3})') as code
        from {log_schema:Identifier}.recent_scrape_request_log final
        prewhere status = 'FAILED'
        where created_at > edge and created_at <= clock
    )
    group by flow
) as failures on failures.flow = requests.flow
left join (
    select flow, groupArray(picked) as pickups
    from (
        select flow, scl_id, max(toUnixTimestamp(picked_at)) as picked,
               argMax(status, (event_timestamp, indexOf(['PENDING', 'PROCESSING', 'COMPLETE', 'FAILED'], status))) as newest
        from {event_schema:Identifier}.scrape_request_log_events
        where event_timestamp > edge and event_timestamp <= clock
        group by flow, scl_id
        having newest = 'PROCESSING'
    )
    group by flow
) as picks on picks.flow = requests.flow
settings join_use_nulls = 0
"""


def read_flows(
    client: Client,
    flows: Iterable[FlowTerms],
    now: float,
    *,
    log_schema: str = "beat_replica",
    event_schema: str = "_e",
) -> dict[str, FlowFacts]:
    """Facts of each flow at `now` (seconds since the epoch), by name; empty while the log is.

    Requests from the future (a clock that runs ahead) are left out. A flow that nobody asked for within the
    window has no newest request.
    """
    terms = {flow.name: flow for flow in flows}
    result = client.query(
        _QUERY,
        parameters={
            "log_schema": log_schema,
            "event_schema": event_schema,
            "now": int(now),
            "window": int(LOG_WINDOW.total_seconds()),
            "recent": int(RECENT.total_seconds()),
        },
    )
    rows = list(result.named_results())
    found = {row["flow"]: _facts(row, terms[row["flow"]]) for row in rows if row["flow"] in terms}
    return {name: found.get(name) or FlowFacts(float(rows[0]["as_of_seconds"])) for name in terms if rows}


def _facts(row: Mapping[str, Any], terms: FlowTerms) -> FlowFacts:
    as_of = float(row["as_of_seconds"])
    unanswered, pickups = row["unanswered"], row["pickups"]
    counts = {
        FailureClass.NOTHING_FOUND: row["nothing"],
        FailureClass.CONFLICT: row["conflict"],
        FailureClass.RATE_LIMITED: row["limited"],
        FailureClass.OTHER: row["other"],
    }
    return FlowFacts(
        as_of=as_of,
        requested=row["requested"],
        newest_request=_moment(row["newest_request"]),
        newest_success=_moment(row["newest_success"]),
        succeeded=row["succeeded"],
        failed={kind: count for kind, count in counts.items() if count},
        pending=row["pending"],
        oldest_pending=_moment(row["oldest_pending"]),
        processing=row["processing"],
        oldest_pickup=_moment(min(pickups, default=None)),
        stuck=sum(as_of - picked > terms.stuck.total_seconds() for picked in pickups),
        unanswered=len(unanswered),
        unanswered_since=_moment(min(unanswered, default=None)),
    )


def _moment(seconds: int | None) -> float | None:
    """ClickHouse's 0 is no moment; Dagster's timestamps want floats."""
    return float(seconds) if seconds else None
