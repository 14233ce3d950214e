{{ coffee_profile_collection_item('coffee_replica') }}
