create schema carts;

create table carts.carts (
  id           text   collate "C" primary key,
  version      bigint not null check (version > 0),
  customer_id  text   collate "C",
  anonymous_id text   collate "C",
  cart         json   not null,
  checkout_id  text, -- that bought it
  check (customer_id is not null or anonymous_id is not null)
) with (fillfactor = 80);

create index on carts.carts (customer_id, id) where customer_id is not null;
create index on carts.carts (anonymous_id, id) where anonymous_id is not null;

-- Which carts have a SKU.
create table carts.lines (
  sku     text collate "C" not null,
  cart_id text collate "C" not null,
  primary key (sku, cart_id)
);
create index on carts.lines (cart_id);

-- A SKU as it can be bought: one row, however many carts it is in. Each source's part has the version it was made from.
create table carts.goods (
  sku             text    collate "C" primary key,
  product_id      text    collate "C" not null,
  product_version bigint  not null default 0,
  live            boolean not null default false,
  stock_version   bigint  not null default 0,
  available       bigint  not null default 0,
  price_version   bigint  not null default 0,
  amount          bigint,
  currency        text
) with (fillfactor = 70);
create index on carts.goods (product_id);

-- Products whose carts are still to be told, and how far that came.
create table carts.tellings (
  product_id text   collate "C" primary key,
  position   bigint not null, -- of the event that changed it
  after_cart text   collate "C" not null default ''
);
