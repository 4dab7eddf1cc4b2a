create schema pricing;

-- `state` is what pricing knows of a product: what the catalog says of it, and the prices its last event told.
-- The columns beside it are what a promotion's scope is found by.
create table pricing.prices (
  product_id text   collate "C" primary key,
  version    bigint not null check (version > 0),
  vendor_id  text,
  category   text,
  tags       text[] not null,
  skus       text[] not null,
  state      json   not null
) with (fillfactor = 70);

create index on pricing.prices using gin (skus);

-- One row: the rules, and the promotions that have not ended. Whoever prices a product shares it, whoever changes it holds it alone,
-- so that no product is priced by a book that has been replaced.
create table pricing.rulebook (
  one      boolean primary key default true check (one),
  revision bigint  not null,
  body     json    not null
);

insert into pricing.rulebook (revision, body) values (0, '{"rules":[],"promotions":[]}');

create table pricing.promotions (
  id         text        collate "C" primary key,
  status     text        not null check (status in ('scheduled', 'running', 'ended')),
  starts_at  timestamptz not null,
  ends_at    timestamptz not null,
  ended_at   timestamptz,
  promotion  json        not null,
  check (starts_at < ends_at)
);

create index on pricing.promotions (starts_at) where status = 'scheduled';
create index on pricing.promotions (ends_at) where status = 'running';

-- What is yet to be priced anew, scope by scope, in order of product ids from behind `after`.
create table pricing.repricings (
  id      bigint generated always as identity primary key,
  -- the rule or promotion it is for: the newest word on it replaces the ones before
  subject text   not null,
  -- why: json of the decider's cause, null for rules
  cause   json,
  scope   json   not null,
  after   text   collate "C" not null default ''
);
