{{ coffee_account_lite('coffee_stage', 'view_youtube_account_lite') }}
