create schema payments;

-- The development provider's own book: what it holds, took and gave back, in minor units.
create table payments.book (
  id         text   collate "C" primary key,
  token      text   not null,
  currency   text   not null,
  authorised bigint not null check (authorised >= 0),
  captured   bigint not null check (captured between 0 and authorised),
  refunded   bigint not null check (refunded between 0 and captured),
  voided     boolean not null,
  declined   text,
  opened_at  timestamptz not null default statement_timestamp(),
  check (not (voided and captured > 0)),
  check (declined is null or authorised = 0)
);

-- Every movement; they add up to the book's columns.
create table payments.movements (
  n         bigint generated always as identity primary key,
  payment   text   collate "C" not null,
  operation text   not null check (operation in ('authorise', 'capture', 'void', 'refund')),
  amount    bigint not null,
  at        timestamptz not null default statement_timestamp()
);
create index on payments.movements (payment);
