-- Room on each page for every row's next version: when all prices or stocks change at once, no index hears of it.
alter table storefront.prices set (fillfactor = 50);
alter table storefront.stock  set (fillfactor = 50);
