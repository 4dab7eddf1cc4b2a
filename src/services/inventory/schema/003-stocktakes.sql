-- Counts of a warehouse. What they changed is in the ledger, under their id; what they found, right or wrong, is here.
create table inventory.stocktakes (
  id           text        primary key,
  warehouse_id text        not null references inventory.warehouses (id),
  counted_at   timestamptz not null,
  taken_at     timestamptz not null default statement_timestamp()
);

create table inventory.stocktake_lines (
  stocktake_id text   not null references inventory.stocktakes (id),
  sku          text   not null,
  counted      bigint not null check (counted >= 0),
  expected     bigint not null, -- on hand at the time of the count, as the ledger knows it
  primary key (stocktake_id, sku)
);
create index stocktake_lines_by_sku on inventory.stocktake_lines (sku);
