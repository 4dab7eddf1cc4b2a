create schema customers;

-- `personal` is the customer's personal fields, sealed with the key of customers.keys; `state` has nothing personal.
-- An erased customer keeps its row: the id stays taken, and its versions go on.
create table customers.customers (
  id       text    collate "C" primary key,
  version  bigint  not null check (version > 0),
  erased   boolean not null,
  personal text,
  state    json    not null,
  check (erased = (personal is null))
) with (fillfactor = 80);

-- What opens a customer's personal fields, here and in every event. Erasing a customer deletes it, and nothing else has it.
create table customers.keys (
  customer_id text collate "C" primary key,
  key         text not null
);

-- Whose an e-mail address is. The address itself is not kept: `digest` is its SHA-256.
create table customers.emails (
  digest      text collate "C" primary key,
  customer_id text collate "C" not null
);
