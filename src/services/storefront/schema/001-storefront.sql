create schema storefront;

create table storefront.products (
  product_id text    primary key,
  version    bigint  not null,
  -- active and not deleted: a shop shows nothing else
  live       boolean not null,
  view       json    not null
) with (fillfactor = 80);

create table storefront.stock (
  sku        text   primary key,
  product_id text   not null,
  version    bigint not null,
  available  bigint not null
) with (fillfactor = 70);

create index stock_product on storefront.stock (product_id);
