create schema vendors;

-- What each product on sale adds to its vendor's statistics, as of a position of the log. Reservations past their time still count as held here:
-- time passes without an event, so a read looks for them itself.
create table vendors.products (
  product_id text   collate "C" primary key,
  vendor_id  text   not null,
  category   text   not null, -- '' for none
  gone       int    not null, -- 1: out of stock or taken off the shelf
  limited    int    not null,
  on_hand    bigint not null,
  reserved   bigint not null,
  available  bigint not null
) with (fillfactor = 70);

-- The sums of the above: what a read costs is a row for each of a vendor's categories, however many products they have.
create table vendors.totals (
  vendor_id text   not null,
  category  text   not null,
  products  bigint not null,
  gone      bigint not null,
  limited   bigint not null,
  on_hand   bigint not null,
  reserved  bigint not null,
  available bigint not null,
  primary key (vendor_id, category)
) with (fillfactor = 50);

-- One row, held by whoever counts.
create table vendors.counted (
  one      boolean primary key default true check (one),
  position bigint  not null
) with (fillfactor = 10);
insert into vendors.counted (position) values (0);
