create table price_list (
  product_id text   primary key,
  version    bigint not null,
  live       bool   not null,
  title      text   not null,
  cents      bigint not null
);
