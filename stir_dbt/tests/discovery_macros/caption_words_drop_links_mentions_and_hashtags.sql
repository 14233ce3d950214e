-- Rows where something that is no text is left over.
with samples as (
    select sample.1 as caption, sample.2 as expected
    from (select arrayJoin([
        ('सुबह #GoodMorning @some.one https://example.com/a?b=c बस', 'सुबह बस'), ('#सुप्रभात', ''), ('a#b', 'a'), ('', '')
    ]) as sample)
)

select
    caption,
    expected,
    {{ caption_words('caption') }} as words
from samples
where trimBoth(replaceRegexpAll(words, '\\s+', ' ')) != expected
