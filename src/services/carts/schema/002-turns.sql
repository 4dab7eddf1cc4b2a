-- Whose turn it is: a page each, and whoever could not be told goes to the end.
alter table carts.tellings add column last_turn timestamptz not null default clock_timestamp();
create index on carts.tellings (last_turn);
