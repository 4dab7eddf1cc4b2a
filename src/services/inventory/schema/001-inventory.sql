create schema inventory;

-- Where goods lie. Orders take from the lowest priority number first; lead times are days from order to customer.
create table inventory.warehouses (
  id            text    primary key,
  name          text    not null,
  priority      int     not null default 0,
  lead_time_min int     not null default 1 check (lead_time_min >= 0),
  lead_time_max int     not null default 2 check (lead_time_max >= lead_time_min),
  active        boolean not null default true
);
insert into inventory.warehouses (id, name) values ('main', 'Main warehouse');

-- One row a SKU: its lock guards every level, reservation line and ledger row of that SKU.
create table inventory.stock (
  sku               text    primary key,
  product_id        text    not null,
  version           bigint  not null,
  active            boolean not null,
  reorder_threshold bigint  not null,
  target_level      bigint  not null
) with (fillfactor = 50);
create index stock_by_product on inventory.stock (product_id);

-- One SKU in one warehouse. The checks are the last line against overselling (document B, Concurrent Order Race Condition).
-- No index may mention the counters: their updates are to stay heap-only.
create table inventory.levels (
  sku          text    not null,
  warehouse_id text    not null references inventory.warehouses (id),
  item_id      text    not null unique,
  on_hand      bigint  not null check (on_hand >= 0),
  reserved     bigint  not null check (reserved >= 0),
  backorder    bigint  not null default 0 check (backorder >= 0),
  moved        boolean not null default false, -- false until its first movement: only then an import may set its first count
  primary key (sku, warehouse_id),
  check (reserved <= on_hand + backorder)
) with (fillfactor = 50);

-- Every movement: one row is one movement of one level is one version of its SKU. Its deltas sum to the counters.
create table inventory.ledger (
  sku            text        not null,
  version        bigint      not null,
  warehouse_id   text        not null,
  at             timestamptz not null default statement_timestamp(),
  on_hand_delta  bigint      not null,
  reserved_delta bigint      not null,
  on_hand_after  bigint      not null,
  reserved_after bigint      not null,
  trigger        text        not null,
  reason         text,
  reference_type text,
  reference      text,
  actor          text,
  primary key (sku, version)
);
create index ledger_by_reference on inventory.ledger (reference) where reference is not null;
-- Rows lie in order of time, so this is enough to find the latest orders, and costs an order nothing (a b-tree: a tenth of the insert).
create index ledger_by_time on inventory.ledger using brin (at) with (pages_per_range = 16, autosummarize = on);

create table inventory.reservations (
  id         text        primary key,
  status     text        not null check (status in ('held', 'confirmed', 'released', 'expired')),
  order_id   text,
  expires_at timestamptz not null,
  created_at timestamptz not null default statement_timestamp()
);
create index reservations_due on inventory.reservations (expires_at) where status = 'held';

-- What a reservation holds. Guarded by the lock of the SKU's row, not by the reservation's.
create table inventory.reservation_lines (
  reservation_id text        not null,
  sku            text        not null,
  warehouse_id   text        not null,
  quantity       bigint      not null check (quantity > 0),
  released_at    timestamptz, -- given back or sold; null while it holds
  primary key (reservation_id, sku, warehouse_id)
);
create index reservation_lines_open on inventory.reservation_lines (sku) where released_at is null;
