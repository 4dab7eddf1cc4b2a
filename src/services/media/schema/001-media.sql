create schema media;

-- What products ask for, by the catalog's version; products that never had media have no row.
create table media.wanted (
  product_id text    collate "C" primary key,
  version    bigint  not null check (version > 0),
  links      text    not null, -- json: [{ url, alt? }]; [] once the product has none or is deleted
  link_ids   text[]  not null,
  failed     boolean not null default false -- told with something missing: a change of the product alone does not heal it
) with (fillfactor = 70);

create index on media.wanted using gin (link_ids);

-- Where media come from, once each however many products name it. The id is the SHA-256 of the url, which may be too long for an index.
create table media.links (
  id         text        collate "C" primary key,
  url        text        not null,
  host       text        not null,
  state      text        not null default 'wanted' check (state in ('wanted', 'ready', 'failed')),
  hash       text,                   -- of what it led to
  attempts   int         not null default 0,
  failure    text,                   -- of the last attempt
  due_at     timestamptz not null default clock_timestamp(), -- while it is worked at: when that is taken for dead
  changed_at timestamptz not null default clock_timestamp(),
  check (state <> 'ready' or hash is not null)
) with (fillfactor = 70);

create index on media.links (due_at) where state = 'wanted';
create index on media.links (hash);

-- What was made of content, by its SHA-256; the files are elsewhere.
create table media.assets (
  hash         text        collate "C" primary key,
  recipe       int         not null, -- of the renditions: another one makes them anew
  asset        json        not null,
  unused_since timestamptz
);

create index on media.assets (unused_since);

-- Products whose media can be told: every link of theirs is ready or failed. A newer stamp has seen more.
create sequence media.stamps;
create table media.untold (
  product_id text   collate "C" primary key,
  stamp      bigint not null default nextval('media.stamps')
);

-- What the last event of each product told.
create table media.products (
  product_id text   collate "C" primary key,
  version    bigint not null check (version > 0),
  state      json   not null
);
