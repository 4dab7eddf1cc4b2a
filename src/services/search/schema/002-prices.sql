-- What variants really cost, as pricing tells: for itself, with its own version, since it may be here before or behind its product.
create table search.prices (
  product_id text   primary key,
  version    bigint not null,
  price_min  bigint,
  price_max  bigint,
  currency   text
) with (fillfactor = 70);
