{{ coffee_account_lite('coffee_stage', 'view_instagram_account_lite') }}
