create schema orders;

-- `state` is the order as its last event told it; the columns beside it are what orders are found by.
create table orders.orders (
  id          text        collate "C" primary key,
  version     bigint      not null check (version > 0),
  status      text        not null,
  customer_id text        collate "C",
  created_at  timestamptz not null,
  state       json        not null
) with (fillfactor = 80);

create index on orders.orders (created_at desc, id desc);
create index on orders.orders (customer_id, created_at desc, id desc) where customer_id is not null;

-- Customers as last seen (document E, Customer Profile Updates). `sealed` is what is personal of them, readable with their key alone; null once erased.
create table orders.customers (
  id      text   collate "C" primary key,
  version bigint not null,
  sealed  text
);
