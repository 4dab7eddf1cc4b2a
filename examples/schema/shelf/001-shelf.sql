create table shelf (
  product_id text   primary key,
  version    bigint not null,
  title      text   not null check (length(title) <= 20)
);
