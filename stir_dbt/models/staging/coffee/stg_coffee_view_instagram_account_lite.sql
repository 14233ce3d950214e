{{ coffee_account_lite('coffee_replica', 'view_instagram_account_lite') }}
