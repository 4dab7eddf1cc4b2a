-- What changes often of a product, in a row of its own: a new price rewrote all that rules ask about, and five indexes. Now one is concerned by a
-- price (560 of them: 13,900 buffers became 6,200), and none by stock or by what is told.
create table collections.standings (
  product_id    text    primary key,
  in_stock      boolean not null default false,
  price_version bigint  not null default 0,
  -- effective prices by pricing's word, as facts' `price`; null until it has spoken: then list prices count
  effective     json,
  price_min     bigint,
  -- how many memberships were told of the product: its version as a member of collections
  told          bigint  not null default 0
) with (fillfactor = 50);

insert into collections.standings (product_id, in_stock, price_version, effective, price_min, told)
select product_id, in_stock, price_version, effective, price_min, told from collections.products;

-- Both ways: what has no price is behind all, and found by itself.
create index standings_by_price on collections.standings (price_min, product_id);

drop view collections.askable;

alter table collections.products
  drop column in_stock,
  drop column price_version,
  drop column effective,
  drop column price_min,
  drop column told;

create view collections.askable as
select p.product_id, p.live, s.in_stock, p.facts::jsonb as facts, s.effective::jsonb as effective
  from collections.products p join collections.standings s using (product_id);

alter table collections.stock set (fillfactor = 50);
