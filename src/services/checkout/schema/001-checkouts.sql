create schema checkout;

-- `due_at`: when somebody should see to it who is not already doing so; none once it is over.
create table checkout.checkouts (
  id         text    collate "C" primary key,
  version    bigint  not null check (version > 0),
  status     text    not null check (status in ('running', 'completed', 'compensating', 'compensated')),
  stuck      boolean not null,
  cart_id    text    collate "C",
  due_at     timestamptz,
  state      json    not null,
  created_at timestamptz not null default statement_timestamp(),
  check ((due_at is null) = (status in ('completed', 'compensated')))
) with (fillfactor = 70);

create index on checkout.checkouts (due_at) where due_at is not null;
create index on checkout.checkouts (stuck, id) where stuck;
create index on checkout.checkouts (status, id) where status in ('running', 'compensating');

-- A cart is checked out once.
create unique index on checkout.checkouts (cart_id) where cart_id is not null and status <> 'compensated';
