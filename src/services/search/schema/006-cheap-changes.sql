-- A price or a stock that changed rewrote five indexes, three of them of words, since 58 of 100 new row versions did not fit the page of the old one.
-- None of what changes so often is indexed: with room for every row's next version on its page no index hears of it (46 ms a batch of 560 became 4).
alter table search.products set (fillfactor = 50);
alter table search.stock    set (fillfactor = 50);

-- The prices by pricing's word stand in the product's row alone, with their version; 0 until it has spoken: then list prices stand there.
alter table search.products add column price_version bigint not null default 0;

update search.products p set price_version = s.version from search.prices s where s.product_id = p.product_id;

-- What remains is of products that are not here yet: of what was read again from a log whose old events have left, prices may come first.
delete from search.prices s using search.products p where p.product_id = s.product_id;
