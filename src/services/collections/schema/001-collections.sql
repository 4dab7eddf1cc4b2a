create schema collections;

create table collections.collections (
  id          text        primary key,
  version     bigint      not null,
  title       text        not null,
  description text        not null,
  -- null for a collection picked by hand
  rule        jsonb,
  created_at  timestamptz not null default now(),
  updated_at  timestamptz not null default now()
);

-- What somebody picked, in their order. Not derived: a rebuild leaves it alone.
create table collections.picks (
  collection_id text not null references collections.collections on delete cascade,
  position      int  not null,
  product_id    text not null,
  primary key (collection_id, product_id)
);

-- What the rules say, derived from the log.
create table collections.members (
  collection_id text not null references collections.collections on delete cascade,
  product_id    text not null,
  primary key (collection_id, product_id)
);

create index members_product on collections.members (product_id);

create table collections.products (
  product_id text    primary key,
  version    bigint  not null,
  -- active and not deleted: nothing else is in a collection
  live       boolean not null,
  in_stock   boolean not null default false,
  -- what rules ask about, see facts.ts
  facts      json    not null
) with (fillfactor = 80);

create table collections.stock (
  sku        text   primary key,
  product_id text   not null,
  version    bigint not null,
  available  bigint not null
) with (fillfactor = 70);

create index stock_product on collections.stock (product_id);
