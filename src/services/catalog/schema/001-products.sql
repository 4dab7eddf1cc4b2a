create schema catalog;

-- `state` is the product as its events carry it, byte for byte; json keeps it as written, and a read sends it on unparsed.
-- The columns beside it are what lists filter by, and none of them changes often, so an update stays on its page (HOT).
create table catalog.products (
  id            text    collate "C" primary key,
  version       bigint  not null check (version > 0),
  deleted       boolean not null,
  -- it was stock that made it unavailable, so stock may lift that again; what a vendor said by hand stays
  held_by_stock boolean not null,
  status        text    not null,
  vendor_id     text,
  category      text,
  state         json    not null
) with (fillfactor = 80);

create index on catalog.products (vendor_id, id) where not deleted;
create index on catalog.products (category, id) where not deleted;

-- Whose a SKU is: one product's or nobody's. The primary key is the last line against two claims that don't see each other.
create table catalog.skus (
  sku        text collate "C" primary key,
  product_id text collate "C" not null
);
