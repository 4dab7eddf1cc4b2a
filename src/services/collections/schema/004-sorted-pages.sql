-- A page of a large collection is read in order: from its place on through one of these, asking of each product whether it is a member.
create index products_by_title on collections.products (lower(title), product_id);
create index products_by_price on collections.products (coalesce(price_min, 9007199254740991), product_id);
create index products_by_price_down on collections.products (coalesce(price_min, -1), product_id);
create index products_by_created on collections.products (created_at, product_id);
