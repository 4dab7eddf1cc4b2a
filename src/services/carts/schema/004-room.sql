-- Room on each page for every row's next version: when all prices or stocks change at once, no index hears of it.
alter table carts.goods set (fillfactor = 50);
