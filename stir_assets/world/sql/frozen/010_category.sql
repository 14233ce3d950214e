-- Content categories of the vendor.
INSERT INTO vidooly.category (id, category)
WITH (SELECT words FROM stir_world.vocabulary WHERE list = 'categories') AS names
SELECT number + 1, names[number + 1] FROM numbers(toUInt64(length(names)))
