-- Rows where a text of a list or a map breaks out of its quotes or an unknown text is mapped.
with samples as (
    select arrayJoin({{ sql_list(["it's", 'back\\slash', 'plain']) }}) as written
)

select written
from samples
where
    written not in ('it''s', 'back\\slash', 'plain')
    or {{ map_text('written', 'state_spellings') }} is not null
    or {{ map_text("'UP'", 'state_spellings') }} != 'Uttar Pradesh'
