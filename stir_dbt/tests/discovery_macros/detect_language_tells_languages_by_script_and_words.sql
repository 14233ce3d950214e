-- Rows where the detector is wrong: every script, the two languages of Devanagari, mixed and empty texts.
with samples as (
    select sample.1 as words, sample.2 as expected
    from (select arrayJoin([
        ('আজ ভালো দিন', 'bn'), ('ਅੱਜ ਚੰਗਾ ਦਿਨ', 'pa'), ('આજે સારો દિવસ', 'gu'), ('ଆଜି ଭଲ ଦିନ', 'or'),
        ('இன்று நல்ல நாள்', 'ta'), ('ఈ రోజు మంచి రోజు', 'te'), ('ಇಂದು ಒಳ್ಳೆಯ ದಿನ', 'kn'), ('ഇന്ന് നല്ല ദിവസം', 'ml'),
        ('आज मौसम अच्छा है और हम खुश हैं', 'hi'), ('आज खूप छान दिवस आहे आणि मी आनंदी आहे', 'mr'), ('नमस्ते', 'hi'),
        ('नया iPhone 15 Pro आज लॉन्च हुआ है', 'hi'), ('Just one word: नमस्ते and a long English text', 'en'),
        ('good morning', 'en'), ('aaj mausam accha hai', 'en'), ('12345 !!! ???', ''), ('', '')
    ]) as sample)
)

select
    words,
    expected,
    {{ detect_language('words') }} as detected
from samples
where coalesce(detected, '') != expected
