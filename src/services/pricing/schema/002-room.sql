-- Room on each page for every row's next version: when a promotion prices all products anew, the index of SKUs hears nothing of it.
alter table pricing.prices set (fillfactor = 50);
