{{ coffee_account_lite('coffee_replica', 'view_youtube_account_lite') }}
