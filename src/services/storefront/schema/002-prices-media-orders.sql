-- Every batch has a tick. Its row is held from the batch's first statement to its commit, so ticks become visible in order: whoever has seen
-- one has seen all before it, and what changed since is found by a greater one.
create table storefront.clock (
  single boolean primary key default true check (single),
  tick   bigint  not null default 0
);
insert into storefront.clock default values;

alter table storefront.products add column tick bigint not null default 0;
alter table storefront.stock    add column tick bigint not null default 0;

create table storefront.prices (
  product_id text   primary key,
  version    bigint not null,
  tick       bigint not null,
  -- by SKU
  prices     json   not null
) with (fillfactor = 80);

create table storefront.media (
  product_id text   primary key,
  version    bigint not null,
  tick       bigint not null,
  -- the first picture, in the sizes there are; null without one
  image      json
) with (fillfactor = 80);

create table storefront.orders (
  order_id text   primary key,
  version  bigint not null,
  tick     bigint not null,
  view     json   not null
) with (fillfactor = 80);
