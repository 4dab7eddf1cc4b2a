-- Collections are a source: definitions with versions, told by events. What is picked stands with the definition: it is read and written as a whole.
alter table collections.collections
  add column sort    text    not null default 'manual',
  add column picks   text[]  not null default '{}',
  -- kept, so that its versions go on when somebody makes it again
  add column deleted boolean not null default false;

update collections.collections c
   set picks = array(select p.product_id from collections.picks p where p.collection_id = c.id order by p.position);

drop table collections.picks;

-- Members may be of a collection that is being taken apart, and a definition's row is locked while somebody changes it.
alter table collections.members drop constraint members_collection_id_fkey;

-- Raised by every change of a definition, so that whoever keeps the rules in memory knows when to read them again.
create table collections.rulebook (
  one      boolean primary key default true check (one),
  revision bigint  not null
);

insert into collections.rulebook (revision) values (1);

-- What is yet to be looked at for a changed definition: all products in order of their ids from behind `after`, or those in `scope`.
create table collections.evaluations (
  collection_id text   primary key,
  scope         text[],
  after         text   not null default '',
  done          bigint not null default 0,
  total         bigint
);

-- Derived, and read again from the log's start: rules ask more of a product than was kept.
truncate collections.members, collections.products, collections.stock;

alter table collections.products
  alter column facts type jsonb using facts::jsonb,
  add column title         text        not null,
  add column created_at    timestamptz not null,
  add column price_version bigint      not null default 0,
  -- effective prices by pricing's word, as facts' `price`; null until it has spoken: then list prices count
  add column effective     jsonb,
  add column price_min     bigint,
  -- how many memberships were told of the product: its version as a member of collections
  add column told          bigint      not null default 0;

update lockstep.consumers set position = 0, epoch = epoch + 1, owner = null where name = 'collections';
