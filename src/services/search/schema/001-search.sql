create schema search;
create extension if not exists pg_trgm;

create table search.products (
  product_id text        primary key,
  version    bigint      not null,
  -- active and not deleted: only these are ever found, and only these are in the indexes
  live       boolean     not null,
  title      text        not null,
  category   text,
  vendor_id  text,
  tags       text[]      not null,
  price_min  bigint,
  price_max  bigint,
  currency   text,
  offered    boolean     not null,
  in_stock   boolean     not null default false,
  image      text,
  created_at timestamptz not null,
  sort_title text        not null,
  -- what words were made of, so that an update that leaves the text alone leaves their index alone
  text_hash  bigint      not null,
  words      tsvector    not null,
  -- exact things: sku:…, category:…, vendor:…, tag:…, in lower case
  keys       text[]      not null
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

create index products_words   on search.products using gin (words) where live;
create index products_keys    on search.products using gin (keys) where live;
create index products_created on search.products (created_at desc, product_id) where live;

create table search.stock (
  sku        text    primary key,
  product_id text    not null,
  version    bigint  not null,
  available  bigint  not null
) with (fillfactor = 70);

create index stock_product on search.stock (product_id);

-- Every word that stood in a title or label: what a misspelt question may have meant. A trigram index on titles cost 60 µs an update
-- (words: 20), this nothing once a word is known. It only grows; a word nothing has any more finds nothing.
create table search.vocabulary (
  word text primary key
);

create index vocabulary_alike on search.vocabulary using gist (word gist_trgm_ops);
