{{ instagram_account_series('week') }}
