{{ coffee_post_collection_item('coffee_replica') }}
