-- Room on each page for every row's next version: when all prices or stocks change at once, no index hears of it.
alter table seo.prices set (fillfactor = 50);
alter table seo.stock  set (fillfactor = 50);
