create schema seo;

create table seo.pages (
  product_id text   primary key,
  version    bigint not null,
  -- null once the product is deleted: its slug is free again. Checked at the end of a statement: a batch may pass a slug on.
  slug       text   unique deferrable initially immediate,
  page       json
) with (fillfactor = 80);

-- Old slugs lead to a product, not to another slug: chains and loops cannot exist.
create table seo.redirects (
  slug       text primary key,
  product_id text not null
);

create index redirects_product on seo.redirects (product_id);
