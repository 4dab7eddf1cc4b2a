create schema analytics;

-- One row. Whoever counts holds it: everything up to position is counted, once.
create table analytics.state (
  single    boolean primary key default true check (single),
  position  bigint  not null default 0,
  -- latencies are measured once and for all: a replay counts the rest anew, but not how long it took
  measured  bigint  not null default 0,
  -- what the counts were made with; null until the first
  zone      text,
  low       bigint,
  out       bigint
);
insert into analytics.state default values;

-- What happened, by measure, heading (dimension and item) and time. A gauge's amounts are its changes: its value is the sum of all.
create table analytics.minutes (
  measure text not null, dimension text not null, at timestamptz not null, item text not null, amount numeric not null,
  primary key (measure, dimension, at, item)
) with (fillfactor = 80);
create index minutes_at on analytics.minutes using brin (at);

create table analytics.hours (
  measure text not null, dimension text not null, at timestamptz not null, item text not null, amount numeric not null,
  primary key (measure, dimension, at, item)
) with (fillfactor = 80);
create index hours_at on analytics.hours using brin (at);

-- a day of the time zone in state
create table analytics.days (
  measure text not null, dimension text not null, at date not null, item text not null, amount numeric not null,
  primary key (measure, dimension, at, item)
) with (fillfactor = 80);

create table analytics.totals (
  measure text not null, dimension text not null, item text not null, amount numeric not null,
  primary key (measure, dimension, item)
) with (fillfactor = 70);

-- What is known of each thing, so that a change can be told from what was.
create table analytics.products (
  product_id text    primary key,
  title      text    not null,
  category   text,
  vendor_id  text,
  live       boolean not null
);

create table analytics.stock (
  sku        text   primary key,
  product_id text   not null,
  active     boolean not null,
  available  bigint not null,
  -- by warehouse: [on hand, reserved, available]
  levels     json   not null
) with (fillfactor = 70);
create index stock_product on analytics.stock (product_id);
create index stock_scarce on analytics.stock (available, sku) where active;

-- A product's stock as the hour or the day closed.
create table analytics.closings (
  grain text not null, product_id text not null, at timestamptz not null,
  on_hand bigint not null, reserved bigint not null, available bigint not null, skus bigint not null, low bigint not null, out bigint not null,
  primary key (product_id, grain, at)
) with (fillfactor = 70);
create index closings_at on analytics.closings using brin (at);

-- Of a customer nothing but which purposes are consented to, under a digest of the id.
create table analytics.consents (
  customer bytea  primary key,
  purposes text[] not null
);

-- From an event to its count, in bins that grow by 5 %.
create table analytics.latencies (
  grain text not null, at timestamptz not null, bin int not null, count bigint not null,
  primary key (grain, at, bin)
) with (fillfactor = 70);
