-- What people chose: a slug by hand, and where a deleted product's addresses lead. Not derived: with versions, told by events.
create table seo.choices (
  product_id  text   primary key,
  version     bigint not null,
  slug        text,
  redirect_to text
);

alter table seo.pages
  drop column page,
  -- json of what the page shows; null once the product is deleted
  add column product json,
  -- the slug made from a text, and that text: as long as it is the same the slug stays, however letters are written later
  add column made    text,
  add column made_of text;

-- The texts that slugs were made of until now are in the log: the products as their pages are.
update seo.pages p
   set made = p.slug, made_of = e.data #>> '{product,title}'
  from lockstep.events e
 where e.entity = 'product/' || p.product_id and e.version = p.version
   and p.slug is not null
   and coalesce(e.data #>> '{product,attributes,slug}', e.data #>> '{product,attributes,handle}') is null;

create table seo.prices (
  product_id text   primary key,
  version    bigint not null,
  -- [sku, effective minor units, currency] of each variant
  prices     json   not null
) with (fillfactor = 70);

create table seo.stock (
  sku        text   primary key,
  product_id text   not null,
  version    bigint not null,
  available  bigint not null
) with (fillfactor = 70);

create index stock_product on seo.stock (product_id);

-- The pages that search engines are to know, each in one of 65,536 buckets by its product's id: a file of the sitemap is a range of them.
create table seo.sitemap (
  product_id    text        primary key,
  bucket        int         not null generated always as (hashtext(product_id) & 65535) stored,
  slug          text        not null,
  -- of what the page says in words and pictures; the date changes with it, not with every price
  content       text        not null,
  last_modified timestamptz not null
);

create index sitemap_bucket on seo.sitemap (bucket, product_id);

-- Read again from the log's start; versions keep every page where it is.
update lockstep.consumers set position = 0, epoch = epoch + 1, owner = null where name = 'seo';
