-- What the sitemap says of a page, null for one that it does not name: most changes leave it as it is, and the sitemap alone.
alter table seo.pages add column content text;

update seo.pages p set content = s.content from seo.sitemap s where s.product_id = p.product_id;

alter table seo.sitemap drop column content;
