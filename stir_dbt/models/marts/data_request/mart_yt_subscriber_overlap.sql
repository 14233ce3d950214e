{{ config(order_by='(channel_a, channel_b)') }}

with

{#- One array of channels per subscriber; a subscriber with n channels makes n (n - 1) / 2 pairs, hence the cap. #}
subscribers as (
    select subscriber_id, groupUniqArray(channel_id) as channels
    from {{ ref('mart_yt_subscriber') }}
    where subscriber_id != channel_id
    group by subscriber_id
    having length(channels) <= {{ var('overlap_max_channels_per_subscriber') }}
),

eligible_channels as (
    select arrayJoin(channels) as channel, count() as subscriber_count
    from subscribers
    group by channel
    having subscriber_count >= {{ var('overlap_min_subscribers') }}
    order by subscriber_count desc, channel
    limit {{ var('overlap_max_channels') }}
),

pairs as (
    select
        tupleElement(pair, 1) as first_channel,
        tupleElement(pair, 2) as second_channel,
        count() as common
    from (
        select
            arraySort(arrayFilter(
                c -> c in (select channel from eligible_channels), channels
            )) as kept,
            arrayJoin(arrayFlatten(arrayMap(
                i -> arrayMap(other -> (kept[i], other), arraySlice(kept, i + 1)),
                arrayEnumerate(kept)
            ))) as pair
        from subscribers
    )
    group by first_channel, second_channel
    having common >= {{ var('overlap_min_common') }}
),

measured_pairs as (
    select
        p.first_channel as first_channel,
        p.second_channel as second_channel,
        p.common as common,
        assumeNotNull(a.subscriber_count) as first_count,
        assumeNotNull(b.subscriber_count) as second_count,
        p.common / (first_count + second_count - p.common) as similarity
    from pairs as p
    inner join eligible_channels as a
        on p.first_channel = a.channel
    inner join eligible_channels as b
        on p.second_channel = b.channel
),

{#- A pair takes part in the ranking of both of its channels. #}
ranked_sides as (
    select
        *,
        arrayJoin([1, 2]) as side,
        if(side = 1, first_channel, second_channel) as ranked_channel,
        if(side = 1, second_channel, first_channel) as other_channel,
        row_number() over (
            partition by ranked_channel
            order by similarity desc, common desc, other_channel
        ) as side_rank
    from measured_pairs
),

ranked_pairs as (
    select
        first_channel,
        second_channel,
        any(common) as shared,
        any(first_count) as a_count,
        any(second_count) as b_count,
        any(similarity) as pair_similarity,
        maxIf(side_rank, side = 1) as first_rank,
        maxIf(side_rank, side = 2) as second_rank
    from ranked_sides
    group by first_channel, second_channel
    having least(first_rank, second_rank) <= {{ var('overlap_top_per_channel') }}
    order by pair_similarity desc, shared desc, first_channel, second_channel
    limit {{ var('overlap_max_pairs') }}
),

channel_labels as (
    select channel_id as labelled_channel, argMax(channel_gcc_category, event_timestamp) as category
    from {{ ref('mart_yt_subscriber') }}
    group by labelled_channel
),

final as (
    select
        r.first_channel as channel_a,
        r.second_channel as channel_b,
        r.shared as common_subscribers,
        r.a_count as subscribers_a,
        r.b_count as subscribers_b,
        toUInt64(r.a_count + r.b_count - r.shared) as union_subscribers,
        r.pair_similarity as jaccard,
        r.shared / least(r.a_count, r.b_count) as overlap_coefficient,
        r.shared / r.a_count as share_of_a,
        r.shared / r.b_count as share_of_b,
        toUInt32(r.first_rank) as rank_for_a,
        toUInt32(r.second_rank) as rank_for_b,
        cast(coalesce(la.category, '') as LowCardinality(String)) as channel_a_category,
        cast(coalesce(lb.category, '') as LowCardinality(String)) as channel_b_category,
        cast({{ stir_now() }} as DateTime) as computed_at
    from ranked_pairs as r
    left join channel_labels as la
        on r.first_channel = la.labelled_channel
    left join channel_labels as lb
        on r.second_channel = lb.labelled_channel
)

select *
from final
