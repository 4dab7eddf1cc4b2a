create schema marketing;

create table marketing.lists (
  id          text        collate "C" primary key,
  version     bigint      not null,
  title       text        not null,
  description text        not null,
  -- what its members must have agreed to
  purpose     text        not null,
  -- null: everybody who agreed
  rule        jsonb,
  created_at  timestamptz not null default now(),
  updated_at  timestamptz not null default now()
);

-- What lists ask of customers; nothing personal. An erased one keeps its row, so that no older event brings it back.
create table marketing.customers (
  customer_id text    collate "C" primary key,
  version     bigint  not null,
  active      boolean not null,
  preferences json    not null,
  created_at  timestamptz not null
) with (fillfactor = 80);

-- `counts`: the order was taken and not given back as a whole. `spent` is what is left of it, by currency, in minor units.
create table marketing.orders (
  order_id    text        collate "C" primary key,
  version     bigint      not null,
  customer_id text        collate "C" not null,
  placed_at   timestamptz not null,
  counts      boolean     not null,
  spent       json        not null
) with (fillfactor = 80);
create index orders_customer on marketing.orders (customer_id) include (placed_at, counts);

create table marketing.members (
  list_id     text        collate "C" not null references marketing.lists on delete cascade,
  customer_id text        collate "C" not null,
  since       timestamptz not null default now(),
  primary key (list_id, customer_id)
);
create index members_customer on marketing.members (customer_id);

-- When time alone may change an answer ("ordered within 30 days"): the customer is to be looked at again then.
create table marketing.turns (
  list_id     text        collate "C" not null references marketing.lists on delete cascade,
  customer_id text        collate "C" not null,
  at          timestamptz not null,
  primary key (list_id, customer_id)
);
create index turns_at on marketing.turns (at);
create index turns_customer on marketing.turns (customer_id);

-- Who took addresses out, of which list, and why. Kept when the list is deleted.
create table marketing.exports (
  id           uuid        primary key,
  list_id      text        not null,
  list_version bigint      not null,
  actor        text        not null,
  reason       text        not null,
  started_at   timestamptz not null default now(),
  -- null: it broke off
  finished_at  timestamptz,
  customers    int         not null default 0
);
