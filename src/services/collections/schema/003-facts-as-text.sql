-- Facts come and go as text with every change; only rules in SQL look into them.
alter table collections.products
  alter column facts     type json using facts::json,
  alter column effective type json using effective::json;

-- Products as rules in SQL ask about them.
create view collections.askable as
select product_id, live, in_stock, facts::jsonb as facts, effective::jsonb as effective from collections.products;
