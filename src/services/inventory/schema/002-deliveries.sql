-- Goods on their way to a warehouse: from a supplier, or from another warehouse, whose levels they have left already.
create table inventory.deliveries (
  id             text        primary key,
  from_warehouse text        references inventory.warehouses (id), -- null: from a supplier
  to_warehouse   text        not null references inventory.warehouses (id),
  reference      text,
  expected_at    timestamptz,
  status         text        not null check (status in ('under-way', 'received', 'cancelled')),
  created_at     timestamptz not null default statement_timestamp(),
  check (from_warehouse <> to_warehouse)
);
create index deliveries_to   on inventory.deliveries (to_warehouse)   where status = 'under-way';
create index deliveries_from on inventory.deliveries (from_warehouse) where status = 'under-way';

create table inventory.delivery_lines (
  delivery_id text   not null references inventory.deliveries (id),
  sku         text   not null,
  quantity    bigint not null check (quantity > 0),
  received    bigint not null check (received between 0 and quantity),
  primary key (delivery_id, sku)
);
create index delivery_lines_open on inventory.delivery_lines (sku) where received < quantity;
