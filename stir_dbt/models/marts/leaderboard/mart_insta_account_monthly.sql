{{ instagram_account_series('month') }}
