-- Stage copy of some profile collections' items.
INSERT INTO coffee_stage.profile_collection_item
    (id, platform, platform_account_code, profile_collection_id, hidden, enabled, custom_columns, rank, created_by, created_at, updated_at,
     partner_id, profile_social_id, campaign_profile_id, shortlisting_status, shortlist_id)
SELECT id, platform, platform_account_code, profile_collection_id, hidden, enabled, '{"note": "test"}', rank, created_by, created_at, updated_at,
    partner_id, profile_social_id, campaign_profile_id, shortlisting_status, shortlist_id
FROM coffee_replica.profile_collection_item
WHERE updated_at > toDateTime({t0:Int64}) AND updated_at <= toDateTime({t1:Int64}) AND profile_collection_id % 4 = 1
